// Scenarios on ioredis. Waiting is done by the server: a blocking command on an empty list.
"use strict";

const assert = require("node:assert/strict");
const Redis = require("ioredis");
const Heard = require("./heard");

const SCRIPT = 'return {KEYS[1], ARGV[1], redis.call("INCRBY", KEYS[1], ARGV[1])}';
const same = assert.deepEqual;
const range = (count) => Array.from({ length: count }, (_, n) => n);

class Scenarios {
  static OTHERS = ["constructor", "connect", "key", "keys", "wait", "end"];
  static RESP3 = ["resp3", "caching"];

  constructor(words) {
    this.words = words;
    this.opened = [];
  }

  connect(options = {}) {
    const given = { host: this.words.host, port: this.words.port, maxRetriesPerRequest: 0, retryStrategy: null };
    if (this.words.resp) given.protocol = this.words.resp;
    const db = new Redis({ ...given, ...options });
    // What fails is told by the call that it fails.
    db.on("error", () => {});
    this.opened.push(db);
    return db;
  }

  end() {
    for (const db of this.opened) db.disconnect();
  }

  key(name) {
    return this.words.prefix + name;
  }

  keys(...names) {
    return names.map((name) => this.key(name));
  }

  /** 50 ms, on the server. */
  async wait(db) {
    same(await db.blpop(this.key("nothing"), 0.05), null);
  }

  async client() {
    const [one, two] = [this.connect({ connectionName: "first" }), this.connect()];
    same([await one.ping(), await two.ping("here")], ["PONG", "here"]);
    same([await one.client("GETNAME"), (await two.client("GETNAME")) || null], ["first", null]);
    same(await two.client("SETNAME", "second"), "OK");
    same([await one.client("GETNAME"), await two.client("GETNAME")], ["first", "second"]);
    assert.notEqual(await one.client("ID"), await two.client("ID"));
    same([await one.echo("said"), await one.quit()], ["said", "OK"]);
  }

  async strings() {
    const [db, [a, b, c]] = [this.connect(), this.keys("s:a", "s:b", "s:c")];
    await db.del(a, b, c);
    same([await db.set(a, "one"), await db.get(a), await db.get(b), await db.exists(b)], ["OK", "one", null, 0]);
    same([await db.append(a, " more"), await db.strlen(a), await db.getrange(a, 4, -1)], [8, 8, "more"]);
    same([await db.incr(b), await db.incrby(b, 41), await db.decr(b), await db.incrbyfloat(c, 0.5)], [1, 42, 41, "0.5"]);
    same([await db.mset(a, "1", b, "2"), await db.mget(a, this.key("s:none"), b)], ["OK", ["1", null, "2"]]);
    same([await db.set(a, "x", "NX"), await db.set(a, "y", "GET"), await db.getset(a, "z"), await db.getdel(a)], [null, "1", "y", "z"]);
    same([await db.touch(b, c), await db.unlink(b, c), await db.exists(a, b, c)], [2, 2, 0]);
  }

  async binary() {
    const db = this.connect();
    const raw = Buffer.concat([Buffer.from(range(256)), Buffer.from("\r\n$5\r\n*1\r\n")]);
    const key = Buffer.concat([Buffer.from(this.key("binary:")), raw]);
    for (const value of [raw, Buffer.alloc(0), Buffer.from("\r\n"), Buffer.alloc(1000)]) {
      same([await db.set(key, value), await db.getBuffer(key)], ["OK", value]);
    }
    const hash = this.key("binary-hash");
    same([await db.hset(hash, raw, raw), await db.hgetBuffer(hash, raw), await db.del(key, hash)], [1, raw, 2]);
  }

  async large() {
    const [db, key] = [this.connect(), this.key("large")];
    for (const size of [1 << 20, 16 << 20]) {
      const value = Buffer.alloc(size, Buffer.from(range(256)));
      same([await db.set(key, value), await db.strlen(key)], ["OK", size]);
      assert.ok((await db.getBuffer(key)).equals(value), "another value came back");
    }
    same(await db.del(key), 1);
  }

  async pipeline() {
    const [db, keys] = [this.connect(), range(1000).map((n) => this.key(`pipe:${n}`))];
    let pipe = db.pipeline();
    keys.forEach((key, n) => pipe.set(key, n));
    same(await pipe.exec(), keys.map(() => [null, "OK"]));
    pipe = db.pipeline();
    keys.forEach((key) => pipe.get(key));
    same(await pipe.exec(), keys.map((_, n) => [null, `${n}`]));
    const [set, wrong, get] = await db.pipeline().set(keys[0], "text").incr(keys[0]).get(keys[0]).exec();
    same([set, get], [[null, "OK"], [null, "text"]]);
    assert.match(wrong[0].message, /not an integer/);
    same(await Promise.all(keys.slice(1).map((key) => db.get(key))), range(999).map((n) => `${n + 1}`));
    same(await db.del(...keys), 1000);
  }

  async transaction() {
    const [db, [a, b]] = [this.connect(), this.keys("tx:a", "tx:b")];
    await db.del(a, b);
    const came = await db.multi().incr(a).incr(a).rpush(b, "x", "y").lrange(b, 0, -1).exec();
    same(came, [[null, 1], [null, 2], [null, 2], [null, ["x", "y"]]]);
    const [wrong, right] = await db.multi().incr(b).incr(a).exec();
    assert.match(wrong[0].message, /WRONGTYPE/);
    same(right, [null, 3]);
    await assert.rejects(db.multi().set(a, 1).call("SET", b).exec(), /EXECABORT/);
    same([await db.multi({ pipeline: false }), await db.set(a, "never"), await db.discard()], ["OK", "QUEUED", "OK"]);
    same([await db.multi({ pipeline: false }), await db.get(a), await db.exec()], ["OK", "QUEUED", [[null, "3"]]]);
    same(await db.del(a, b), 2);
  }

  async watch() {
    const [db, other, key] = [this.connect(), this.connect(), this.key("watch")];
    await db.set(key, 1);
    await db.watch(key);
    same(await db.get(key), "1");
    await other.set(key, 10);
    same([await db.multi().incr(key).exec(), await db.get(key)], [null, "10"]);
    await db.watch(key);
    await other.set(key, 20);
    await db.unwatch();
    await db.watch(key);
    same([await db.multi().incr(key).exec(), await other.del(key)], [[[null, 21]], 1]);
  }

  async pubsub() {
    const [channel, pattern, one] = this.keys("news", "pat.*", "pat.x");
    const [sub, other] = [this.connect(), this.connect()];
    const heard = new Heard(sub, "message", "pmessage");
    same([await sub.subscribe(channel), await sub.psubscribe(pattern)], [1, 2]);
    for (const n of range(3)) {
      same([await other.publish(channel, `m${n}`), await heard.next()], [1, ["message", channel, `m${n}`]]);
    }
    same([await other.publish(one, "p"), await heard.next()], [1, ["pmessage", pattern, one, "p"]]);
    same([await other.publish(this.key("none"), "p"), await other.pubsub("NUMSUB", channel)], [0, [channel, 1]]);
    same([await sub.unsubscribe(channel), await sub.punsubscribe(pattern), await other.publish(channel, "late")], [1, 0, 0]);
    // The connection is of use for ordinary commands again.
    same([await sub.set(channel, "x"), await sub.get(channel), await sub.del(channel)], ["OK", "x", 1]);
  }

  async sharded() {
    const [sub, other, channel] = [this.connect(), this.connect(), this.key("{shard}")];
    const heard = new Heard(sub, "smessage");
    same([await sub.ssubscribe(channel), await other.spublish(channel, "near")], [1, 1]);
    same([await heard.next(), await sub.sunsubscribe(channel)], [["smessage", channel, "near"], 0]);
  }

  async blocking() {
    const [db, other, [a, b]] = [this.connect(), this.connect(), this.keys("list:a", "list:b")];
    await db.del(a, b);
    let done = false;
    const popped = db.blpop(b, a, 30).finally(() => (done = true));
    await this.wait(other);
    same([done, await other.rpush(a, "one"), await popped], [false, 1, [a, "one"]]);
    same(await db.brpop(a, 0.05), null);
    const moved = db.blmove(a, b, "LEFT", "RIGHT", 30);
    await this.wait(other);
    same([await other.rpush(a, "two"), await moved, await db.lrange(b, 0, -1)], [1, "two", ["two"]]);
    same([await db.blmpop(0.05, 1, a, "LEFT"), await db.zadd(a, 1.5, "z")], [null, 1]);
    const [key, member, score] = await db.bzpopmin(a, 30);
    same([key, member, Number(score), await db.del(a, b)], [a, "z", 1.5, 1]);
  }

  async streams() {
    const [db, other, stream] = [this.connect(), this.connect(), this.key("stream")];
    await db.del(stream);
    const first = await db.xadd(stream, "*", "n", "1", "text", "a");
    same([await db.xlen(stream), await db.xrange(stream, "-", "+")], [1, [[first, ["n", "1", "text", "a"]]]]);
    const entries = (came) => (Array.isArray(came) ? came[0][1] : came[stream]);
    const read = db.xread("BLOCK", 30_000, "STREAMS", stream, "$");
    await this.wait(other);
    const second = await other.xadd(stream, "*", "n", "2");
    same(entries(await read), [[second, ["n", "2"]]]);
    same(await db.xread("BLOCK", 50, "STREAMS", stream, "$"), null);
    same(await db.xgroup("CREATE", stream, "group", "0"), "OK");
    same(entries(await db.xreadgroup("GROUP", "group", "me", "COUNT", 1, "STREAMS", stream, ">"))[0][0], first);
    same(entries(await db.xreadgroup("GROUP", "group", "you", "BLOCK", 1000, "STREAMS", stream, ">"))[0][0], second);
    same([(await db.xpending(stream, "group"))[0], await db.xack(stream, "group", first, second)], [2, 2]);
    same([(await db.xpending(stream, "group"))[0], await db.xtrim(stream, "MAXLEN", 1), await db.del(stream)], [0, 1, 1]);
  }

  async scripts() {
    const [db, key] = [this.connect(), this.key("script")];
    await db.del(key);
    same(await db.eval(SCRIPT, 1, key, 5), [key, "5", 5]);
    const sha = await db.script("LOAD", `${SCRIPT} -- ${key}`);
    same([await db.script("EXISTS", sha, "0".repeat(40)), await db.evalsha(sha, 1, key, 1)], [[1, 0], [key, "1", 6]]);
    await assert.rejects(db.evalsha("f".repeat(40), 0), /NOSCRIPT/);
    // Tries EVALSHA first, then EVAL.
    db.defineCommand("own", { numberOfKeys: 1, lua: `${SCRIPT} -- fallback ${key} ${process.pid}` });
    same([await db.own(key, 2), await db.own(key, 2)], [[key, "2", 8], [key, "2", 10]]);
    same(await db.multi().own(key, 1).exec(), [[null, [key, "1", 11]]]);
    same([await db.call("EVAL_RO", 'return redis.call("GET", KEYS[1])', 1, key), await db.del(key)], ["11", 1]);
  }

  async functions() {
    const [db, key, name] = [this.connect(), this.key("function"), `f_${this.words.prefix.replace(/\W/g, "_")}`];
    const code = `#!lua name=${name}
      redis.register_function("${name}_add", function(keys, args) return redis.call("INCRBY", keys[1], args[1]) end)`;
    await db.del(key);
    same([await db.function("LOAD", "REPLACE", code), await db.function("LOAD", "REPLACE", code)], [name, name]);
    same([await db.fcall(`${name}_add`, 1, key, 3), await db.fcall(`${name}_add`, 1, key, 4)], [3, 7]);
    assert.ok(JSON.stringify(await db.function("LIST", "LIBRARYNAME", name)).includes(name), "the library is not listed");
    same([await db.function("DELETE", name), await db.del(key)], ["OK", 1]);
  }

  async resp3() {
    const [db, [hash, set, zset]] = [this.connect({ protocol: 3, replyMapping: "native" }), this.keys("r3:hash", "r3:set", "r3:zset")];
    await db.del(hash, set, zset);
    same([await db.hset(hash, "a", 1, "b", 2), await db.sadd(set, "x", "y"), await db.zadd(zset, 1.5, "m")], [2, 2, 1]);
    same({ ...(await db.hgetall(hash)) }, { a: "1", b: "2" });
    same([...(await db.smembers(set))].sort(), ["x", "y"]);
    same(Number(await db.zscore(zset, "m")), 1.5);
    same(Number(await db.eval("redis.setresp(3) return {double=0.25}", 0)), 0.25);
    same([Number(await db.eval("redis.setresp(3) return true", 0)), await db.get(this.key("none"))], [1, null]);
    same(await db.del(hash, set, zset), 3);
  }

  async select() {
    const [key, all] = [this.key("select"), [1, 2, 0].map((db) => this.connect({ db }))];
    for (const n of range(20)) {
      await Promise.all(all.map((db, m) => db.set(key, `${m} ${n}`)));
      same(await Promise.all(all.map((db) => db.get(key))), [0, 1, 2].map((m) => `${m} ${n}`));
    }
    same(await Promise.all(all.map((db) => db.del(key))), [1, 1, 1]);
    const [db, zero] = [this.connect(), all[2]];
    for (const n of [3, 0, 5]) same([await db.select(n), await db.set(key, n)], ["OK", "OK"]);
    same([await zero.get(key), await zero.del(key), await db.del(key)], ["0", 1, 1]);
    same([await db.select(3), await db.get(key)], ["OK", "3"]);
    await assert.rejects(db.select(10_000), /out of range/);
    same([await db.set(key, "still 3"), await zero.exists(key), await db.del(key)], ["OK", 0, 1]);
  }

  async auth() {
    const [username, password] = this.words.user.split(":");
    const [db, nobody, key] = [this.connect({ username, password }), this.connect(), this.key("auth")];
    same([await db.acl("WHOAMI"), await nobody.acl("WHOAMI")], [username, "default"]);
    same([await db.set(key, "x"), await nobody.get(key), await db.del(key)], ["OK", "x", 1]);
    await assert.rejects(db.flushdb(), /NOPERM/);
    await assert.rejects(nobody.auth(username, "wrong"), /WRONGPASS/);
    same([await nobody.acl("WHOAMI"), await nobody.auth(username, password), await nobody.acl("WHOAMI")], ["default", "OK", username]);
    const wrong = this.connect({ username, password: "wrong" });
    const heard = new Heard(wrong, "error");
    await assert.rejects(wrong.acl("WHOAMI"));
    assert.match((await heard.next())[1].message, /WRONGPASS/);
  }

  async scan() {
    const [db, keys] = [this.connect(), range(1000).map((n) => this.key(`scan:${n}`))];
    await db.mset(keys.flatMap((key) => [key, "x"]));
    const found = new Set();
    for await (const some of db.scanStream({ match: this.key("scan:*"), count: 100 })) some.forEach((key) => found.add(key));
    same([...found].sort(), [...keys].sort());
    same(await db.del(keys), 1000);
  }

  async hashes() {
    const [db, key] = [this.connect(), this.key("hash")];
    await db.del(key);
    same([await db.hset(key, { a: 1, b: 2, c: 3 }), await db.hget(key, "a"), await db.hmget(key, "a", "z")], [3, "1", ["1", null]]);
    same({ ...(await db.hgetall(key)) }, { a: "1", b: "2", c: "3" });
    same([await db.hincrby(key, "a", 5), await db.hdel(key, "c"), await db.hkeys(key), await db.del(key)], [6, 1, ["a", "b"], 1]);
  }

  async sets() {
    const [db, [a, b]] = [this.connect(), this.keys("{set}a", "{set}b")];
    await db.del(a, b);
    same([await db.sadd(a, "x", "y"), await db.sadd(b, "y", "w"), await db.scard(a)], [2, 2, 2]);
    same([(await db.smembers(a)).sort(), await db.sinter(a, b), await db.sismember(a, "w")], [["x", "y"], ["y"], 0]);
    same([await db.smismember(a, "x", "w"), await db.smove(a, b, "x"), await db.del(a, b)], [[1, 0], 1, 2]);
  }

  async sorted() {
    const [db, key] = [this.connect(), this.key("zset")];
    await db.del(key);
    same(await db.zadd(key, 1, "a", 2.5, "b", "inf", "c"), 3);
    same((await db.zrange(key, 0, -1, "WITHSCORES")).flat().map(String), ["a", "1", "b", "2.5", "c", "inf"]);
    same([Number(await db.zscore(key, "b")), await db.zrank(key, "c"), await db.zscore(key, "z")], [2.5, 2, null]);
    same([Number(await db.zincrby(key, 2, "a")), await db.zrangebyscore(key, 2, 4), await db.del(key)], [3, ["b", "a"], 1]);
  }

  async geo() {
    const [db, key] = [this.connect(), this.key("geo")];
    await db.del(key);
    same(await db.geoadd(key, 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"), 2);
    assert.ok(Math.abs((await db.geodist(key, "Palermo", "Catania", "KM")) - 166.27) < 0.01);
    same(await db.geosearch(key, "FROMLONLAT", 15, 37, "BYRADIUS", 100, "km"), ["Catania"]);
    assert.ok(Math.abs((await db.geopos(key, "Palermo"))[0][0] - 13.361389) < 1e-5);
    same(await db.del(key), 1);
  }

  async hyperloglog() {
    const [db, [a, b, c]] = [this.connect(), this.keys("{hll}a", "{hll}b", "{hll}c")];
    await db.del(a, b, c);
    same([await db.pfadd(a, range(100)), await db.pfadd(b, range(150)), await db.pfmerge(c, a, b)], [1, 1, "OK"]);
    assert.ok(Math.abs((await db.pfcount(c)) - 150) <= 5);
    same([(await db.pfcount(a, b)) === (await db.pfcount(c)), await db.del(a, b, c)], [true, 3]);
  }

  async expire() {
    const [db, key] = [this.connect(), this.key("expire")];
    same(await db.set(key, "x", "EX", 100), "OK");
    const left = await db.ttl(key);
    assert.ok(left >= 95 && left <= 100, `${left} s are left`);
    same([await db.persist(key), await db.ttl(key), await db.pexpire(key, 30)], [1, -1, 1]);
    for (let n = 0; n < 100 && (await db.exists(key)); n++) await this.wait(db);
    same([await db.get(key), await db.ttl(key)], [null, -2]);
  }

  async encoding() {
    const [db, [number, text, long]] = [this.connect(), this.keys("enc:number", "enc:text", "enc:long")];
    await Promise.all([db.set(number, 12345), db.set(text, "short"), db.set(long, "x".repeat(1000))]);
    const told = await Promise.all([number, text, long].map((key) => db.object("ENCODING", key)));
    same([told, await db.object("REFCOUNT", text), await db.del(number, text, long)], [["int", "embstr", "raw"], 1, 3]);
  }

  async errors() {
    const [db, key] = [this.connect(), this.key("errors")];
    await db.rpush(key, "x");
    await assert.rejects(db.get(key), /WRONGTYPE/);
    await assert.rejects(db.call("SET", key), /wrong number of arguments/);
    await assert.rejects(db.call("NO-SUCH-COMMAND"), /unknown command/);
    await assert.rejects(db.lset(key, 5, "y"), /index out of range/);
    same([await db.lrange(key, 0, -1), await db.del(key)], [["x"], 1]);
  }

  async pool() {
    const [all, counter] = [range(50).map(() => this.connect()), this.key("counter")];
    await all[0].del(counter);
    await Promise.all(all.map(async (db, one) => {
      const key = this.key(`pool:${one}`);
      for (const n of range(20)) {
        same(await Promise.all([db.set(key, n), db.get(key), db.incr(counter)]).then((came) => came.slice(0, 2)), ["OK", `${n}`]);
      }
      same(await db.del(key), 1);
    }));
    same([await all[0].get(counter), await all[1].del(counter)], ["1000", 1]);
  }

  /** Commands of one turn of the event loop leave as one pipeline. */
  async autopipelining() {
    const [db, keys] = [this.connect({ enableAutoPipelining: true }), range(200).map((n) => this.key(`auto:${n}`))];
    same(await Promise.all(keys.map((key) => db.set(key, key))), keys.map(() => "OK"));
    same([await Promise.all(keys.map((key) => db.get(key))), await db.del(keys)], [keys, 200]);
  }

  async reset() {
    const [db, other, key] = [this.connect({ protocol: 2 }), this.connect(), this.key("reset")];
    same([await db.select(4), await db.call("MULTI"), await db.set(key, "never")], ["OK", "OK", "QUEUED"]);
    same([await db.reset(), await db.set(key, "in 0")], ["RESET", "OK"]);
    same([await other.get(key), await other.del(key)], ["in 0", 1]);
  }
}

module.exports = Scenarios;
