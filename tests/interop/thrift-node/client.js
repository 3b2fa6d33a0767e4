// Scenarios against the service of interop.thrift, on Apache Thrift's Node library.
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { setTimeout: pause } = require("node:timers/promises");
const thrift = require("thrift");
const Int64 = require("node-int64");
const Shop = require("./gen/Shop");
const Greeter = require("./gen/Greeter");
const Ghost = require("./gen/Ghost");
const ttypes = require("./gen/interop_types");
const { Ident } = require("./gen/ident_types");
const { parse } = require("./wire");

const LARGE = 16 << 20;
const CALLS = 10_000;
const PATIENCE = 60_000;

const line = (sku, count = null, price = null) => new ttypes.Line({ sku, count, price });
const SAMPLES = {
  basic: {
    basic: new ttypes.Basic({
      yes: true, no: false, tiny: -128, small: -32768, middling: 2147483647,
      large: new Int64("8000000000000000"), real: -0.1, text: "a\u00e4\u20ac\u{1f600}",
      raw: Buffer.from(Array.from({ length: 256 }, (_, n) => n)), state: ttypes.State.SHIPPED,
    }),
  },
  nested: {
    order: new ttypes.Order({
      number: 7, lines: [line("a", 1, 0.5), line("b"), line("c", -3)], gift: line("gift"), note: "thanks",
    }),
  },
  truths: { truths: [true, false, true] },
  containers: {
    containers: new ttypes.Containers({
      tags: ["x", "y", ""], names: { "-1": "minus", 70000: "much" },
      deep: { k: [{ 1: line("d", 2) }, {}] }, nothing: [], nobody: {},
      many: Array.from({ length: 1000 }, (_, n) => n / 8),
    }),
  },
};

class Scenarios {
  constructor(name, address, headers) {
    this.wire = parse(name);
    const at = address.lastIndexOf(":");
    [this.host, this.port] = [address.slice(0, at), Number(address.slice(at + 1))];
    this.given = headers;
  }

  /** Opens a connection, lets `use` call services over it, and closes it. */
  async connected(use) {
    const options = { transport: this.wire.transport, protocol: this.wire.protocol, timeout: PATIENCE };
    const connection = thrift.createConnection(this.host, this.port, options);
    const broken = new Promise((_, reject) => {
      connection.on("error", reject);
      connection.on("timeout", () => reject(new Error("no answer in time")));
      connection.on("close", () => reject(new Error("the connection was closed")));
    });
    broken.catch(() => {});
    const multiplexer = new thrift.Multiplexer();
    const client = (service, name) => {
      const made = this.wire.isMultiplexed
        ? multiplexer.createClient(name, service, connection)
        : thrift.createClient(service, connection);
      if (this.wire.hasHeader) {
        made.output.setProtocolId(this.wire.subprotocol);
        // A generated client flushes its transport, not its protocol, which alone would write the header.
        const flush = made.output.flush;
        made.output.flush = function () {
          this.writeHeaders();
          return flush.call(this);
        };
        for (const [key, value] of this.given) made.output.setWriteHeader(key, value);
      }
      return made;
    };
    try {
      return await Promise.race([use(client), broken]);
    } finally {
      connection.end();
    }
  }

  all() {
    if (this.wire.isMultiplexed) return ["multiplexed", "basic"];
    const names = [...Object.keys(SAMPLES), "uuid", "uuids", "large", "void", "declared", "undeclared", "unknown", "oneway",
      "concurrent", "pipelined"];
    if (!this.wire.hasHeader) return names;
    // The library takes the part of a header that ends its buffer for a message without one, and gives up if the
    // connection's messages before it were compact.
    return names.filter((name) => name !== "pipelined" || this.wire.subprotocol === 0).concat(["headers"]);
  }

  run(scenario) {
    const [name, argument] = scenario.split(":");
    if (name in SAMPLES) return this.sample(new ttypes.Sample(SAMPLES[name]));
    return this[name](argument);
  }

  sample(sample) {
    return this.connected(async (client) => {
      const came = await client(Shop, "Shop").echo(sample);
      const plain = (value) => JSON.parse(JSON.stringify(value));
      const sorted = (value) => {
        value.containers?.tags?.sort();
        return value;
      };
      assert.deepEqual(sorted(plain(came)), sorted(plain(sample)));
    });
  }

  // This library takes no uuids but those of a known version.
  uuid() {
    return this.ident(new Ident({ id: "00112233-4455-4677-8899-aabbccddeeff" }));
  }

  uuids() {
    const more = ["00000000-0000-0000-0000-000000000000", "80000000-0000-4000-8000-000000000001"];
    return this.ident(new Ident({ id: more[1], more }));
  }

  ident(ident) {
    return this.connected(async (client) => {
      assert.deepEqual(await client(Shop, "Shop").ident(ident), ident);
    });
  }

  large() {
    const payload = Buffer.alloc(LARGE, Buffer.from(Array.from({ length: 256 }, (_, n) => n)));
    return this.connected(async (client) => {
      assert.ok(payload.equals(await client(Shop, "Shop").bytes(payload)), "another payload came back");
    });
  }

  void() {
    return this.connected(async (client) => assert.equal(await client(Shop, "Shop").nothing(), undefined));
  }

  declared() {
    return this.connected(async (client) => {
      const shop = client(Shop, "Shop");
      await assert.rejects(shop.refuse("too much"), (error) => {
        assert.ok(error instanceof ttypes.Refused, `${error}`);
        return error.reason === "too much" && error.code === 42;
      });
      await shop.whoAmI();
    });
  }

  undeclared() {
    return this.application((client) => client(Shop, "Shop").fail("broken"));
  }

  unknown() {
    return this.application((client) => client(Ghost, "Ghost").vanish());
  }

  application(call) {
    return this.connected(async (client) => {
      const told = await call(client).then(
        (came) => assert.fail(`${came} came back`),
        (error) => exception(error),
      );
      await client(Shop, "Shop").whoAmI();
      return told;
    });
  }

  oneway() {
    const key = randomUUID();
    return this.connected(async (client) => {
      const shop = client(Shop, "Shop");
      for (let n = 0; n < 5; n++) shop.note(key);
      const end = Date.now() + 10_000;
      while ((await shop.noted(key)) < 5) {
        assert.ok(Date.now() < end, "the notes did not arrive");
        await pause(5);
      }
    });
  }

  async concurrent() {
    const some = (thread) =>
      this.connected(async (client) => {
        const shop = client(Shop, "Shop");
        for (let number = 0; number < 25; number++) {
          assert.equal(String(await shop.bytes(Buffer.from(`${thread}/${number}`))), `${thread}/${number}`);
        }
      });
    await Promise.all(Array.from({ length: 8 }, (_, thread) => some(thread)));
  }

  /** All calls are on their way before the first answer is looked at; the answers come in order. */
  pipelined() {
    return this.connected(async (client) => {
      const shop = client(Shop, "Shop");
      let last = -1;
      const one = async (number) => {
        assert.equal(String(await shop.bytes(Buffer.from(`${number}`))), `${number}`);
        assert.equal(number, last + 1, "the answers came in another order");
        last = number;
      };
      await Promise.all(Array.from({ length: CALLS }, (_, number) => one(number)));
    });
  }

  headers() {
    return this.connected(async (client) => {
      const shop = client(Shop, "Shop");
      for (const value of ["one", "", "x".repeat(1000)]) {
        shop.output.setWriteHeader("a-key", value);
        shop.output.setWriteHeader("Other", "too");
        const came = await shop.headers();
        assert.deepEqual([came["a-key"], came.Other], [value, "too"]);
      }
    });
  }

  multiplexed() {
    return this.connected(async (client) => {
      const label = await client(Shop, "Shop").whoAmI();
      assert.match(await client(Greeter, "Greeter").greet("you"), /^hello you, this is /);
      return label;
    });
  }

  /** What became of one call, in words. */
  outcome(words) {
    const [method, ...given] = words.split(",");
    const names = { vanish: ["Ghost", Ghost], greet: ["Greeter", Greeter] };
    const [name, service] = names[method] ?? ["Shop", Shop];
    const typed = given.map((one) => (/^\d+$/.test(one) ? Number(one) : one));
    return this.connected((client) =>
      client(service, name)[method](...typed).then(
        (came) => `reply ${came}`,
        (error) => `exception ${exception(error)}`,
      ),
    );
  }

  /** The headers that the server saw. */
  seen() {
    return this.connected(async (client) => {
      const came = await client(Shop, "Shop").headers();
      return Object.keys(came).sort().map((key) => `${key}=${came[key]}`).join(" ");
    });
  }
}

function exception(error) {
  assert.ok(error instanceof thrift.Thrift.TApplicationException, `${error}`);
  return `${error.type} ${error.message}`;
}

exports.run = async (targets, scenarios, headers) => {
  let code = 0;
  for (const target of targets) {
    const [, name, wire, address] = /^(.*?)=(.*)@(.*)$/.exec(target);
    const able = new Scenarios(wire, address, headers);
    for (const scenario of scenarios.length > 0 ? scenarios : able.all()) {
      try {
        const told = await able.run(scenario);
        console.log(`ok ${name} ${scenario}${told ? ` ${told}` : ""}`);
      } catch (error) {
        code = 1;
        console.log(`FAIL ${name} ${scenario}: ${error}`.replaceAll("\n", " ").slice(0, 500));
      }
    }
  }
  process.exit(code);
};
