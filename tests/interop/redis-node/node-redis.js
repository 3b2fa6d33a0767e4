// Scenarios on node-redis. Waiting is done by the server: a blocking command on an empty list.
"use strict";

const assert = require("node:assert/strict");
const redis = require("redis");
const Heard = require("./heard");

const SCRIPT = 'return {KEYS[1], ARGV[1], redis.call("INCRBY", KEYS[1], ARGV[1])}';
const same = assert.deepEqual;
const range = (count) => Array.from({ length: count }, (_, n) => n);
/** Replies are buffers. */
const RAW = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } };

class Scenarios {
  static OTHERS = ["constructor", "options", "connect", "key", "keys", "wait", "end"];
  static RESP3 = ["resp3", "caching"];

  constructor(words) {
    this.words = words;
    this.opened = [];
  }

  options(options) {
    const { host, port, resp } = this.words;
    return { socket: { host, port, reconnectStrategy: false }, ...(resp ? { RESP: resp } : {}), ...options };
  }

  async connect(options = {}) {
    const db = redis.createClient(this.options(options));
    // What fails is told by the call that it fails.
    db.on("error", () => {});
    this.opened.push(db);
    await db.connect();
    return db;
  }

  end() {
    for (const db of this.opened) if (db.isOpen) db.destroy();
  }

  key(name) {
    return this.words.prefix + name;
  }

  keys(...names) {
    return names.map((name) => this.key(name));
  }

  /** 50 ms, on the server. */
  async wait(db) {
    same(await db.blPop(this.key("nothing"), 0.05), null);
  }

  async client() {
    const [one, two] = [await this.connect({ name: "first" }), await this.connect()];
    same([await one.ping(), await two.ping("here")], ["PONG", "here"]);
    same([await one.clientGetName(), (await two.clientGetName()) || null], ["first", null]);
    same(await two.clientSetName("second"), "OK");
    same([await one.clientGetName(), await two.clientGetName()], ["first", "second"]);
    assert.notEqual(await one.clientId(), await two.clientId());
    same(await one.echo("said"), "said");
    await one.close();
  }

  async strings() {
    const [db, [a, b, c]] = [await this.connect(), this.keys("s:a", "s:b", "s:c")];
    await db.del([a, b, c]);
    same([await db.set(a, "one"), await db.get(a), await db.get(b), await db.exists(b)], ["OK", "one", null, 0]);
    same([await db.append(a, " more"), await db.strLen(a), await db.getRange(a, 4, -1)], [8, 8, "more"]);
    same([await db.incr(b), await db.incrBy(b, 41), await db.decr(b), await db.incrByFloat(c, 0.5)], [1, 42, 41, "0.5"]);
    same([await db.mSet({ [a]: "1", [b]: "2" }), await db.mGet([a, this.key("s:none"), b])], ["OK", ["1", null, "2"]]);
    const given = [await db.set(a, "x", { NX: true }), await db.set(a, "y", { GET: true }), await db.getSet(a, "z"), await db.getDel(a)];
    same(given, [null, "1", "y", "z"]);
    same([await db.touch([b, c]), await db.unlink([b, c]), await db.exists([a, b, c])], [2, 2, 0]);
  }

  async binary() {
    const db = (await this.connect()).withTypeMapping(RAW.typeMapping);
    const raw = Buffer.concat([Buffer.from(range(256)), Buffer.from("\r\n$5\r\n*1\r\n")]);
    const key = Buffer.concat([Buffer.from(this.key("binary:")), raw]);
    for (const value of [raw, Buffer.alloc(0), Buffer.from("\r\n"), Buffer.alloc(1000)]) {
      same([await db.set(key, value), await db.get(key)], ["OK", value]);
    }
    const hash = this.key("binary-hash");
    same([await db.hSet(hash, raw, raw), await db.hGet(hash, raw), await db.del([key, Buffer.from(hash)])], [1, raw, 2]);
  }

  async large() {
    const [db, key] = [(await this.connect()).withTypeMapping(RAW.typeMapping), this.key("large")];
    for (const size of [1 << 20, 16 << 20]) {
      const value = Buffer.alloc(size, Buffer.from(range(256)));
      same([await db.set(key, value), await db.strLen(key)], ["OK", size]);
      assert.ok((await db.get(key)).equals(value), "another value came back");
    }
    same(await db.del(key), 1);
  }

  async pipeline() {
    const [db, keys] = [await this.connect(), range(1000).map((n) => this.key(`pipe:${n}`))];
    let pipe = db.multi();
    keys.forEach((key, n) => pipe.set(key, `${n}`));
    same(await pipe.execAsPipeline(), keys.map(() => "OK"));
    pipe = db.multi();
    keys.forEach((key) => pipe.get(key));
    same(await pipe.execAsPipeline(), keys.map((_, n) => `${n}`));
    // Calls that do not wait for each other are a pipeline too.
    const [set, wrong, get] = await Promise.allSettled([db.set(keys[0], "text"), db.incr(keys[0]), db.get(keys[0])]);
    same([set.value, get.value], ["OK", "text"]);
    assert.match(wrong.reason.message, /not an integer/);
    same(await Promise.all(keys.slice(1).map((key) => db.get(key))), range(999).map((n) => `${n + 1}`));
    same(await db.del(keys), 1000);
  }

  async transaction() {
    const [db, [a, b]] = [await this.connect(), this.keys("tx:a", "tx:b")];
    await db.del([a, b]);
    same(await db.multi().incr(a).incr(a).rPush(b, ["x", "y"]).lRange(b, 0, -1).exec(), [1, 2, 2, ["x", "y"]]);
    await assert.rejects(db.multi().incr(b).incr(a).exec(), (error) => {
      assert.match(error.replies[0].message, /WRONGTYPE/);
      same(error.replies[1], 3);
      return true;
    });
    await assert.rejects(db.multi().set(a, "1").addCommand(["SET", b]).exec(), /EXECABORT|wrong number/);
    same([await db.get(a), await db.multi().get(a).execTyped()], ["3", ["3"]]);
    const raw = [];
    for (const words of [["MULTI"], ["SET", a, "never"], ["DISCARD"]]) raw.push(await db.sendCommand(words));
    same([raw, await db.get(a), await db.del([a, b])], [["OK", "QUEUED", "OK"], "3", 2]);
  }

  async watch() {
    const [db, other, key] = [await this.connect(), await this.connect(), this.key("watch")];
    await db.set(key, "1");
    await db.watch(key);
    same(await db.get(key), "1");
    await other.set(key, "10");
    await assert.rejects(db.multi().incr(key).exec(), redis.WatchError);
    same(await db.get(key), "10");
    await db.watch(key);
    await other.set(key, "20");
    await db.unwatch();
    await db.watch(key);
    same([await db.multi().incr(key).exec(), await other.del(key)], [[21], 1]);
  }

  async pubsub() {
    const [channel, pattern, one] = this.keys("news", "pat.*", "pat.x");
    const [sub, other, heard] = [await this.connect(), await this.connect(), new Heard()];
    const hear = (...words) => heard.hear(...words);
    await sub.subscribe(channel, hear);
    await sub.pSubscribe(pattern, hear);
    for (const n of range(3)) {
      same([await other.publish(channel, `m${n}`), await heard.next()], [1, [`m${n}`, channel]]);
    }
    same([await other.publish(one, "p"), await heard.next()], [1, ["p", one]]);
    same([await other.publish(this.key("none"), "p"), { ...(await other.pubSubNumSub(channel)) }], [0, { [channel]: 1 }]);
    same(await sub.ping("here"), "here");
    await sub.unsubscribe(channel);
    await sub.pUnsubscribe(pattern);
    same(await other.publish(channel, "late"), 0);
    // The connection is of use for ordinary commands again. The library answers buffers then, in RESP2.
    const after = [await sub.set(channel, "x"), await sub.get(channel), await sub.del(channel)];
    same(after.map(String), ["OK", "x", "1"]);
  }

  async sharded() {
    const [sub, other, channel] = [await this.connect(), await this.connect(), this.key("{shard}")];
    const heard = new Heard();
    await sub.sSubscribe(channel, (...words) => heard.hear(...words));
    same([await other.sPublish(channel, "near"), await heard.next()], [1, ["near", channel]]);
    await sub.sUnsubscribe(channel);
    same([await other.sPublish(channel, "late"), `${await sub.ping()}`], [0, "PONG"]);
  }

  async blocking() {
    const [db, other, [a, b]] = [await this.connect(), await this.connect(), this.keys("list:a", "list:b")];
    await db.del([a, b]);
    let done = false;
    const popped = db.blPop([b, a], 30).finally(() => (done = true));
    await this.wait(other);
    same([done, await other.rPush(a, "one"), { ...(await popped) }], [false, 1, { key: a, element: "one" }]);
    same(await db.brPop(a, 0.05), null);
    const moved = db.blMove(a, b, "LEFT", "RIGHT", 30);
    await this.wait(other);
    same([await other.rPush(a, "two"), await moved, await db.lRange(b, 0, -1)], [1, "two", ["two"]]);
    same([await db.blmPop(0.05, a, "LEFT"), await db.zAdd(a, { score: 1.5, value: "z" })], [null, 1]);
    same([{ ...(await db.bzPopMin(a, 30)) }, await db.del([a, b])], [{ key: a, value: "z", score: 1.5 }, 1]);
  }

  async streams() {
    const [db, other, key] = [await this.connect(), await this.connect(), this.key("stream")];
    await db.del(key);
    const first = await db.xAdd(key, "*", { n: "1", text: "a" });
    const plain = (entries) => entries.map(({ id, message }) => [id, { ...message }]);
    same([await db.xLen(key), plain(await db.xRange(key, "-", "+"))], [1, [[first, { n: "1", text: "a" }]]]);
    const entries = (came) => (same(came.map(({ name }) => name), [key]), plain(came[0].messages));
    const read = db.xRead({ key, id: "$" }, { BLOCK: 30_000 });
    await this.wait(other);
    const second = await other.xAdd(key, "*", { n: "2" });
    same([entries(await read), await db.xRead({ key, id: "$" }, { BLOCK: 50 })], [[[second, { n: "2" }]], null]);
    same(await db.xGroupCreate(key, "group", "0"), "OK");
    same(entries(await db.xReadGroup("group", "me", { key, id: ">" }, { COUNT: 1 }))[0][0], first);
    same(entries(await db.xReadGroup("group", "you", { key, id: ">" }, { BLOCK: 1000 }))[0][0], second);
    same([(await db.xPending(key, "group")).pending, await db.xAck(key, "group", [first, second])], [2, 2]);
    same([(await db.xPending(key, "group")).pending, await db.xTrim(key, "MAXLEN", 1), await db.del(key)], [0, 1, 1]);
  }

  async scripts() {
    const key = this.key("script");
    const own = redis.defineScript({
      SCRIPT: `${SCRIPT} -- fallback ${key} ${process.pid}`,
      NUMBER_OF_KEYS: 1,
      parseCommand(parser, name, by) {
        parser.pushKey(name);
        parser.push(`${by}`);
      },
      transformReply: (reply) => reply,
    });
    const db = await this.connect({ scripts: { own } });
    await db.del(key);
    same(await db.eval(SCRIPT, { keys: [key], arguments: ["5"] }), [key, "5", 5]);
    const [sha, given] = [await db.scriptLoad(`${SCRIPT} -- ${key}`), { keys: [key], arguments: ["1"] }];
    same([await db.scriptExists([sha, "0".repeat(40)]), await db.evalSha(sha, given)], [[1, 0], [key, "1", 6]]);
    await assert.rejects(db.evalSha("f".repeat(40), given), /NOSCRIPT/);
    // Tries EVALSHA first, then EVAL.
    same([await db.own(key, 2), await db.own(key, 2)], [[key, "2", 8], [key, "2", 10]]);
    same(await db.multi().own(key, 1).exec(), [[key, "1", 11]]);
    same([await db.evalRo('return redis.call("GET", KEYS[1])', { keys: [key] }), await db.del(key)], ["11", 1]);
  }

  async functions() {
    const [db, key, name] = [await this.connect(), this.key("function"), `f_${this.words.prefix.replace(/\W/g, "_")}`];
    const code = `#!lua name=${name}
      redis.register_function("${name}_add", function(keys, args) return redis.call("INCRBY", keys[1], args[1]) end)
      redis.register_function{function_name="${name}_get", flags={"no-writes"},
        callback=function(keys) return redis.call("GET", keys[1]) end}`;
    await db.del(key);
    same([await db.functionLoad(code, { REPLACE: true }), await db.functionLoad(code, { REPLACE: true })], [name, name]);
    const add = (by) => db.fCall(`${name}_add`, { keys: [key], arguments: [by] });
    same([await add("3"), await add("4"), await db.fCallRo(`${name}_get`, { keys: [key], arguments: [] })], [3, 7, "7"]);
    same((await db.functionList({ LIBRARYNAME: name })).map((one) => one.library_name), [name]);
    same([await db.functionDelete(name), await db.del(key)], ["OK", 1]);
  }

  async resp3() {
    const [db, [hash, set, zset]] = [await this.connect({ RESP: 3 }), this.keys("r3:hash", "r3:set", "r3:zset")];
    await db.del([hash, set, zset]);
    same((await db.hello()).proto, 3);
    same([await db.hSet(hash, { a: "1", b: "2" }), await db.sAdd(set, ["x", "y"]), await db.zAdd(zset, { score: 1.5, value: "m" })], [2, 2, 1]);
    same({ ...(await db.sendCommand(["HGETALL", hash])) }, { a: "1", b: "2" });
    same(await db.withTypeMapping({ [redis.RESP_TYPES.SET]: Set }).sendCommand(["SMEMBERS", set]), new Set(["x", "y"]));
    same([await db.sendCommand(["ZSCORE", zset, "m"]), await db.sendCommand(["ZRANGE", zset, "0", "-1", "WITHSCORES"])], [1.5, [["m", 1.5]]]);
    same(await db.sendCommand(["EVAL", "redis.setresp(3) return {double=0.25}", "0"]), 0.25);
    same([await db.sendCommand(["EVAL", "redis.setresp(3) return true", "0"]), await db.get(this.key("none"))], [true, null]);
    same(await db.del([hash, set, zset]), 3);
  }

  async caching() {
    const [other, key] = [await this.connect(), this.key("cached")];
    await other.set(key, "old");
    const cache = new redis.BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: "LRU" });
    const db = await this.connect({ RESP: 3, clientSideCache: cache });
    same([await db.get(key), await db.get(key), cache.stats().hitCount], ["old", "old", 1]);
    await other.set(key, "new");
    for (let n = 0; n < 200 && (await db.get(key)) === "old"; n++) await this.wait(other);
    same([await db.get(key), await other.del(key)], ["new", 1]);
  }

  async select() {
    const [key, all] = [this.key("select"), await Promise.all([1, 2, 0].map((database) => this.connect({ database })))];
    for (const n of range(20)) {
      await Promise.all(all.map((db, m) => db.set(key, `${m} ${n}`)));
      same(await Promise.all(all.map((db) => db.get(key))), [0, 1, 2].map((m) => `${m} ${n}`));
    }
    same(await Promise.all(all.map((db) => db.del(key))), [1, 1, 1]);
    const [db, zero] = [await this.connect(), all[2]];
    for (const n of [3, 0, 5]) same([await db.select(n), await db.set(key, `${n}`)], [undefined, "OK"]);
    same([await zero.get(key), await zero.del(key), await db.del(key)], ["0", 1, 1]);
    await db.select(3);
    same(await db.get(key), "3");
    await assert.rejects(db.select(10_000), /out of range/);
    same([await db.set(key, "still 3"), await zero.exists(key), await db.del(key)], ["OK", 0, 1]);
  }

  async auth() {
    const [username, password] = this.words.user.split(":");
    const [db, nobody, key] = [await this.connect({ username, password }), await this.connect(), this.key("auth")];
    same([await db.aclWhoAmI(), await nobody.aclWhoAmI()], [username, "default"]);
    same([await db.set(key, "x"), await nobody.get(key), await db.del(key)], ["OK", "x", 1]);
    await assert.rejects(db.flushDb(), /NOPERM/);
    await assert.rejects(nobody.auth({ username, password: "wrong" }), /WRONGPASS/);
    same(await nobody.aclWhoAmI(), "default");
    same([await nobody.auth({ username, password }), await nobody.aclWhoAmI()], ["OK", username]);
    await assert.rejects(this.connect({ username, password: "wrong" }), /WRONGPASS/);
  }

  async scan() {
    const [db, keys] = [await this.connect(), range(1000).map((n) => this.key(`scan:${n}`))];
    await db.mSet(keys.flatMap((key) => [key, "x"]));
    const found = new Set();
    for await (const some of db.scanIterator({ MATCH: this.key("scan:*"), COUNT: 100 })) [some].flat().forEach((key) => found.add(key));
    same([...found].sort(), [...keys].sort());
    same(await db.del(keys), 1000);
  }

  async hashes() {
    const [db, key] = [await this.connect(), this.key("hash")];
    await db.del(key);
    same([await db.hSet(key, { a: 1, b: 2, c: 3 }), await db.hGet(key, "a"), await db.hmGet(key, ["a", "z"])], [3, "1", ["1", null]]);
    same({ ...(await db.hGetAll(key)) }, { a: "1", b: "2", c: "3" });
    same([await db.hIncrBy(key, "a", 5), await db.hDel(key, "c"), await db.hKeys(key), await db.del(key)], [6, 1, ["a", "b"], 1]);
  }

  async sets() {
    const [db, [a, b]] = [await this.connect(), this.keys("{set}a", "{set}b")];
    await db.del([a, b]);
    same([await db.sAdd(a, ["x", "y"]), await db.sAdd(b, ["y", "w"]), await db.sCard(a)], [2, 2, 2]);
    same([(await db.sMembers(a)).sort(), await db.sInter([a, b]), await db.sIsMember(a, "w")], [["x", "y"], ["y"], 0]);
    same([await db.smIsMember(a, ["x", "w"]), await db.sMove(a, b, "x"), await db.del([a, b])], [[1, 0], 1, 2]);
  }

  async sorted() {
    const [db, key] = [await this.connect(), this.key("zset")];
    await db.del(key);
    same(await db.zAdd(key, [["a", 1], ["b", 2.5], ["c", Infinity]].map(([value, score]) => ({ score, value }))), 3);
    const all = (await db.zRangeWithScores(key, 0, -1)).map(({ value, score }) => [value, score]);
    same(all, [["a", 1], ["b", 2.5], ["c", Infinity]]);
    same([await db.zScore(key, "b"), await db.zRank(key, "c"), await db.zScore(key, "z")], [2.5, 2, null]);
    same([await db.zIncrBy(key, 2, "a"), await db.zRangeByScore(key, 2, 4), await db.del(key)], [3, ["b", "a"], 1]);
  }

  async geo() {
    const [db, key] = [await this.connect(), this.key("geo")];
    await db.del(key);
    const towns = [["Palermo", 13.361389, 38.115556], ["Catania", 15.087269, 37.502669]];
    same(await db.geoAdd(key, towns.map(([member, longitude, latitude]) => ({ member, longitude, latitude }))), 2);
    assert.ok(Math.abs((await db.geoDist(key, "Palermo", "Catania", "km")) - 166.27) < 0.01);
    same(await db.geoSearch(key, { longitude: 15, latitude: 37 }, { radius: 100, unit: "km" }), ["Catania"]);
    assert.ok(Math.abs((await db.geoPos(key, "Palermo"))[0].longitude - 13.361389) < 1e-5);
    same(await db.del(key), 1);
  }

  async hyperloglog() {
    const [db, [a, b, c]] = [await this.connect(), this.keys("{hll}a", "{hll}b", "{hll}c")];
    await db.del([a, b, c]);
    const some = (count) => range(count).map(String);
    same([await db.pfAdd(a, some(100)), await db.pfAdd(b, some(150)), await db.pfMerge(c, [a, b])], [1, 1, "OK"]);
    assert.ok(Math.abs((await db.pfCount(c)) - 150) <= 5);
    same([(await db.pfCount([a, b])) === (await db.pfCount(c)), await db.del([a, b, c])], [true, 3]);
  }

  async expire() {
    const [db, key] = [await this.connect(), this.key("expire")];
    same(await db.set(key, "x", { EX: 100 }), "OK");
    const left = await db.ttl(key);
    assert.ok(left >= 95 && left <= 100, `${left} s are left`);
    same([await db.persist(key), await db.ttl(key), await db.pExpire(key, 30)], [1, -1, 1]);
    for (let n = 0; n < 100 && (await db.exists(key)); n++) await this.wait(db);
    same([await db.get(key), await db.ttl(key)], [null, -2]);
  }

  async encoding() {
    const [db, [number, text, long]] = [await this.connect(), this.keys("enc:number", "enc:text", "enc:long")];
    await Promise.all([db.set(number, "12345"), db.set(text, "short"), db.set(long, "x".repeat(1000))]);
    const told = await Promise.all([number, text, long].map((key) => db.objectEncoding(key)));
    same([told, await db.objectRefCount(text), await db.del([number, text, long])], [["int", "embstr", "raw"], 1, 3]);
  }

  async errors() {
    const [db, key] = [await this.connect(), this.key("errors")];
    await db.rPush(key, "x");
    await assert.rejects(db.get(key), /WRONGTYPE/);
    await assert.rejects(db.sendCommand(["SET", key]), /wrong number of arguments/);
    await assert.rejects(db.sendCommand(["NO-SUCH-COMMAND"]), /unknown command/);
    await assert.rejects(db.lSet(key, 5, "y"), /index out of range/);
    same([await db.lRange(key, 0, -1), await db.del(key)], [["x"], 1]);
  }

  async pool() {
    const counter = this.key("counter");
    const pool = redis.createClientPool(this.options({}), { minimum: 1, maximum: 50 });
    pool.on("error", () => {});
    await pool.connect();
    try {
      await pool.del(counter);
      await Promise.all(range(50).map(async (one) => {
        const key = this.key(`pool:${one}`);
        for (const n of range(20)) {
          same(await pool.execute((db) => Promise.all([db.set(key, `${n}`), db.get(key)])), ["OK", `${n}`]);
          await pool.incr(counter);
        }
        same(await pool.del(key), 1);
      }));
      same([await pool.get(counter), await pool.del(counter)], ["1000", 1]);
    } finally {
      pool.destroy();
    }
  }

  async monitor() {
    const [db, other, key, heard] = [await this.connect(), await this.connect(), this.key("monitored"), new Heard()];
    await db.monitor((line) => heard.hear(line));
    await other.set(key, "x");
    let line;
    do [line] = await heard.next();
    while (!line.includes(key));
    assert.match(line, /"SET" ".*" "x"$/);
    same(await other.del(key), 1);
  }

  async reset() {
    const [db, other, key] = [await this.connect(), await this.connect(), this.key("reset")];
    await db.select(4);
    const raw = [];
    for (const words of [["MULTI"], ["SET", key, "never"], ["RESET"], ["SET", key, "in 0"]]) raw.push(`${await db.sendCommand(words)}`);
    same([raw, await other.get(key), await other.del(key)], [["OK", "QUEUED", "RESET", "OK"], "in 0", 1]);
    // The library's own also does anew what it does with a new connection.
    await db.reset();
    same([await db.set(key, "x"), await db.get(key), await db.del(key)], ["OK", "x", 1]);
  }
}

module.exports = Scenarios;
