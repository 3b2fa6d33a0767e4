// What a name such as `framed/binary` or `header/compact/multiplexed` means in Apache Thrift's Node library.
"use strict";

const thrift = require("thrift");

// The library's own limit for frames is 16,384,000 bytes, less than a payload of 16 MiB.
exports.LIMIT = 64 << 20;

const SUBPROTOCOLS = { binary: 0, compact: 2 };

/** Transport, protocol and whether several services share the port. */
exports.parse = (name) => {
  const [transport, protocol, multiplexed] = name.split("/");
  const transports = {
    framed: thrift.TFramedTransport,
    buffered: thrift.TBufferedTransport,
    // The header protocol frames by itself.
    header: thrift.TBufferedTransport,
  };
  const protocols = { binary: thrift.TBinaryProtocol, compact: thrift.TCompactProtocol };
  if (!(transport in transports) || !(protocol in protocols)) throw new Error(`${name}: not TRANSPORT/PROTOCOL`);
  const hasHeader = transport === "header";
  return {
    transport: transports[transport],
    protocol: hasHeader ? thrift.THeaderProtocol : protocols[protocol],
    subprotocol: SUBPROTOCOLS[protocol],
    hasHeader,
    isMultiplexed: multiplexed === "multiplexed",
  };
};
