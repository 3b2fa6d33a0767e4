"""Writes the vectors beside this file with Apache Thrift's own Python library.

    pip install --target site thrift==0.25.0
    PYTHONPATH=site python3 record.py

Every message is written through the library's transports and protocols into memory. The structs are written by hand,
call by call, as generated code would write them.
"""

import pathlib
import uuid

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID, THeaderTransformID
from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer

HERE = pathlib.Path(__file__).parent
KEYS = {b"tier": b"gold", b"User": "größe 🛒".encode(), b"empty": b""}

WRITERS = {
    TType.BOOL: "writeBool",
    TType.BYTE: "writeByte",
    TType.I16: "writeI16",
    TType.I32: "writeI32",
    TType.I64: "writeI64",
    TType.DOUBLE: "writeDouble",
    TType.STRING: "writeString",
    TType.UUID: "writeUuid",
}


def value(out, kind, what):
    if kind in WRITERS:
        getattr(out, WRITERS[kind])(what)
    elif kind == TType.STRUCT:
        struct(out, what)
    elif kind == TType.MAP:
        (keys, values, entries) = what
        out.writeMapBegin(keys, values, len(entries))
        for key, entry in entries:
            value(out, keys, key)
            value(out, values, entry)
        out.writeMapEnd()
    else:
        (elements, entries) = what
        begin, end = ("writeListBegin", "writeListEnd") if kind == TType.LIST else ("writeSetBegin", "writeSetEnd")
        getattr(out, begin)(elements, len(entries))
        for entry in entries:
            value(out, elements, entry)
        getattr(out, end)()


def struct(out, fields):
    out.writeStructBegin("")
    for number, kind, what in fields:
        out.writeFieldBegin("", kind, number)
        value(out, kind, what)
        out.writeFieldEnd()
    out.writeFieldStop()
    out.writeStructEnd()


ORDER = [
    (1, TType.STRING, "order-1"),
    (2, TType.I64, 1_700_000_040_000),
    (17, TType.STRUCT, [(1, TType.STRING, "größe 東京 🛒"), (2, TType.STRUCT, [])]),
]
EVERYTHING = [
    (1, TType.BOOL, True),
    (2, TType.BOOL, False),
    (3, TType.BYTE, -7),
    (4, TType.I16, -300),
    (5, TType.I32, 2_147_483_647),
    (6, TType.I64, -9_223_372_036_854_775_808),
    (7, TType.DOUBLE, 0.1),
    (8, TType.STRING, "x" * 300),
    (9, TType.STRUCT, ORDER),
    (10, TType.UUID, uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    (11, TType.LIST, (TType.I32, [0, -1, 1, 64, -65, 1_000_000])),
    (12, TType.LIST, (TType.BOOL, [True, False, True])),
    (13, TType.LIST, (TType.STRUCT, [ORDER, [], ORDER])),
    (14, TType.LIST, (TType.STRING, ["s%d" % i for i in range(20)])),
    (15, TType.SET, (TType.I64, list(range(15)))),
    (16, TType.SET, (TType.BYTE, [])),
    (17, TType.MAP, (TType.STRING, TType.STRUCT, [("a", ORDER), ("b", [])])),
    (18, TType.MAP, (TType.I32, TType.DOUBLE, [(1, 1.5), (2, -2.5)])),
    (19, TType.MAP, (TType.STRING, TType.STRING, [])),
    (20, TType.LIST, (TType.LIST, [(TType.LIST, [(TType.I16, [1, 2]), (TType.I16, [])])])),
    (21, TType.MAP, (TType.BOOL, TType.MAP, [(True, (TType.BYTE, TType.UUID, [(1, uuid.UUID(int=5))]))])),
    (200, TType.DOUBLE, -1.0),
    (100, TType.I32, 5),
    (-5, TType.STRING, "a field without a number"),
    (32767, TType.BOOL, True),
]


def exception(kind, text):
    return lambda out: TApplicationException(kind, text).write(out)


# name: message type, method, sequence id, struct
MESSAGES = {
    "call": (TMessageType.CALL, "add", 1, [(1, TType.STRING, "sku-1"), (2, TType.I32, 3)]),
    "call-empty": (TMessageType.CALL, "ping", 127, []),
    "call-everything": (TMessageType.CALL, "everything", 300, [(1, TType.STRUCT, EVERYTHING)]),
    "call-multiplexed": (TMessageType.CALL, "Cart:add", 2_147_483_647, [(1, TType.STRING, "sku-1")]),
    "call-large": (TMessageType.CALL, "put", 0, [(1, TType.STRING, "0123456789abcdef" * 1024)]),
    "oneway": (TMessageType.ONEWAY, "note", 2, [(1, TType.STRING, "seen")]),
    "reply": (TMessageType.REPLY, "add", 1, [(0, TType.I32, 4)]),
    "reply-void": (TMessageType.REPLY, "ping", 127, []),
    "reply-everything": (TMessageType.REPLY, "everything", 300, [(0, TType.STRUCT, EVERYTHING)]),
    "reply-declared": (TMessageType.REPLY, "add", 1, [(1, TType.STRUCT, [(1, TType.STRING, "sold out")])]),
    "exception-internal": (TMessageType.EXCEPTION, "add", 1, exception(6, "Internal error")),
    "exception-unknown-method": (TMessageType.EXCEPTION, "sub", 1, exception(1, "Unknown function sub")),
}


def write(out, message):
    (kind, method, seqid, body) = message
    out.writeMessageBegin(method, kind, seqid)
    if callable(body):
        body(out)
    else:
        struct(out, body)
    out.writeMessageEnd()


def strict(trans):
    return TBinaryProtocol(trans, strictWrite=True)


def lenient(trans):
    return TBinaryProtocol(trans, strictWrite=False)


ENCODINGS = {"strict": strict, "lenient": lenient, "compact": TCompactProtocol}
PROTOCOLS = {"strict": THeaderSubprotocolID.BINARY, "compact": THeaderSubprotocolID.COMPACT}


def plain(message, encoding, framed):
    memory = TMemoryBuffer()
    trans = TFramedTransport(memory) if framed else memory
    write(ENCODINGS[encoding](trans), message)
    trans.flush()
    return memory.getvalue()


def header(message, encoding, zlib):
    memory = TMemoryBuffer()
    out = THeaderProtocol(memory, (THeaderClientType.HEADERS,), PROTOCOLS[encoding])
    for key, entry in KEYS.items():
        out.set_header(key, entry)
    if zlib:
        out.add_transform(THeaderTransformID.ZLIB)
    write(out, message)
    out.trans.flush()
    return memory.getvalue()


def save(name, data):
    (HERE / (name + ".bin")).write_bytes(data)


for old in HERE.glob("*.bin"):
    old.unlink()
for name, message in MESSAGES.items():
    for encoding in ENCODINGS:
        save(f"{name}.framed-{encoding}", plain(message, encoding, True))
        save(f"{name}.buffered-{encoding}", plain(message, encoding, False))
    for encoding in PROTOCOLS:
        save(f"{name}.header-{encoding}", header(message, encoding, False))
        save(f"{name}.zlib-{encoding}", header(message, encoding, True))
