// ioredis and node-redis as clients; see redis.md beside the folder.
"use strict";

const { parseArgs } = require("node:util");

const PATIENCE = 30_000;
const LIBRARIES = { ioredis: "./ioredis", "node-redis": "./node-redis" };

const text = { type: "string" };
const options = { prefix: text, resp: text, user: text };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const [library, address, ...chosen] = positionals;
if (!(library in LIBRARIES) || !address) {
  console.error("usage: main.js ioredis|node-redis HOST:PORT [--prefix P] [--resp 2|3] [--user NAME:PASSWORD] [SCENARIO ...]");
  process.exit(2);
}

const Scenarios = require(LIBRARIES[library]);

async function main() {
  const at = address.lastIndexOf(":");
  const words = {
    host: address.slice(0, at), port: Number(address.slice(at + 1)), prefix: values.prefix ?? `${library}:`,
    resp: values.resp && Number(values.resp), user: values.user,
  };
  let failed = false;
  for (const name of chosen.length ? chosen : all(words)) {
    const scenarios = new Scenarios(words);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("did not end in time")), PATIENCE);
    });
    try {
      await Promise.race([scenarios[name](), late]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      console.log(`failed ${name}: ${error.stack ?? error}`.replace(/\s+/g, " ").slice(0, 500));
    } finally {
      clearTimeout(timer);
      scenarios.end();
    }
  }
  process.exit(failed ? 1 : 0);
}

/** Every method of the class that is a scenario, in the order in which they stand. */
function all(words) {
  const names = Object.getOwnPropertyNames(Scenarios.prototype).filter((name) => !Scenarios.OTHERS.includes(name));
  return names.filter((name) => (name !== "auth" || words.user) && !(words.resp === 2 && Scenarios.RESP3.includes(name)));
}

main();
