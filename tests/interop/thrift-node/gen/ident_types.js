// Written by hand in the manner of the compiler's output: struct Ident of ident.thrift, with uuids.
"use strict";

const { Thrift } = require("thrift");

exports.Ident = class {
  constructor(args) {
    this.id = args?.id ?? null;
    this.more = args?.more ?? null;
  }

  read(input) {
    input.readStructBegin();
    for (;;) {
      const { ftype, fid } = input.readFieldBegin();
      if (ftype === Thrift.Type.STOP) break;
      if (fid === 1 && ftype === Thrift.Type.UUID) {
        this.id = input.readUuid();
      } else if (fid === 2 && ftype === Thrift.Type.LIST) {
        this.more = [];
        const size = input.readListBegin().size || 0;
        for (let n = 0; n < size; ++n) this.more.push(input.readUuid());
        input.readListEnd();
      } else {
        input.skip(ftype);
      }
      input.readFieldEnd();
    }
    input.readStructEnd();
  }

  write(output) {
    output.writeStructBegin("Ident");
    if (this.id !== null) {
      output.writeFieldBegin("id", Thrift.Type.UUID, 1);
      output.writeUuid(this.id);
      output.writeFieldEnd();
    }
    if (this.more !== null) {
      output.writeFieldBegin("more", Thrift.Type.LIST, 2);
      output.writeListBegin(Thrift.Type.UUID, this.more.length);
      for (const one of this.more) output.writeUuid(one);
      output.writeListEnd();
      output.writeFieldEnd();
    }
    output.writeFieldStop();
    output.writeStructEnd();
  }
};
