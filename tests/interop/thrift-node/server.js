// The service of interop.thrift on Apache Thrift's Node library.
"use strict";

const thrift = require("thrift");
const Shop = require("./gen/Shop");
const Greeter = require("./gen/Greeter");
const { Refused } = require("./gen/interop_types");
const { LIMIT, parse } = require("./wire");

exports.serve = (label, names) => {
  const notes = new Map();
  // The protocol that the call came by which is handled now.
  let current = null;
  const handler = {
    whoAmI: (done) => done(null, label),
    sleep: (millis, done) => setTimeout(() => done(null, label), millis),
    echo: (sample, done) => done(null, sample),
    bytes: (payload, done) => done(null, payload),
    ident: (ident, done) => done(null, ident),
    nothing: (done) => done(null),
    refuse: (reason, done) => done(new Refused({ reason, code: 42 })),
    fail: (text, done) => done(new Error(text)),
    note: (key) => notes.set(key, (notes.get(key) ?? 0) + 1),
    noted: (key, done) => done(null, notes.get(key) ?? 0),
    headers: (done) => done(null, current.trans?.getReadHeaders?.() ?? {}),
    greet: (name, done) => done(null, `hello ${name}, this is ${label}`),
  };
  let waiting = names.length;
  for (const name of names) {
    const wire = parse(name);
    let inner = new Shop.Processor(handler);
    if (wire.isMultiplexed) {
      inner = new thrift.MultiplexedProcessor();
      inner.registerProcessor("Shop", new Shop.Processor(handler));
      inner.registerProcessor("Greeter", new Greeter.Processor(handler));
    }
    const processor = {
      process(input, output) {
        current = input;
        // The library adds to the headers of the connection's messages before this one.
        if (wire.hasHeader) input.trans.clearReadHeaders();
        inner.process(input, output);
      },
    };
    const server = thrift.createMultiplexServer(processor, { ...wire, maxLength: LIMIT });
    server.on("error", (error) => console.error(name, error));
    server.listen(0, "127.0.0.1", () => {
      console.log(`listening ${name} ${server.address().port}`);
      waiting -= 1;
      if (waiting === 0) console.log("ready");
    });
  }
  // Whoever started it keeps its standard input open.
  process.stdin.on("end", () => process.exit(0)).resume();
};
