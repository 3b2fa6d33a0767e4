// Apache Thrift's Node library as server and client; see the README beside the folder.
"use strict";

const { parseArgs } = require("node:util");

const text = { type: "string" };
const texts = { type: "string", multiple: true, default: [] };
const options = { label: text, serve: texts, target: texts, scenario: texts, header: texts };
const { values, positionals } = parseArgs({ options, allowPositionals: true });

if (positionals[0] === "server") {
  require("./server").serve(values.label, values.serve);
} else if (positionals[0] === "client") {
  const pair = (header) => [header.slice(0, header.indexOf("=")), header.slice(header.indexOf("=") + 1)];
  require("./client").run(values.target, values.scenario, values.header.map(pair));
} else {
  console.error("usage: main.js server --label L --serve WIRE ... | client --target NAME=WIRE@HOST:PORT ...");
  process.exit(2);
}
