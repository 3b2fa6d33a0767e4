// What others call, or emit, one after the other.
"use strict";

/** A queue of calls: each is awaited by `next`, in order. */
class Heard {
  constructor(emitter, ...events) {
    this.got = [];
    this.waiting = [];
    for (const event of events) emitter.on(event, (...words) => this.hear(event, ...words));
  }

  hear(...words) {
    const next = this.waiting.shift();
    if (next) next(words);
    else this.got.push(words);
  }

  next() {
    return this.got.length ? Promise.resolve(this.got.shift()) : new Promise((resolve) => this.waiting.push(resolve));
  }
}

module.exports = Heard;
