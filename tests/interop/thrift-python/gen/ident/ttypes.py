# Written by hand in the manner of the compiler's output: struct Ident of ident.thrift, with uuids.

from thrift.Thrift import TType
from thrift.transport import TTransport


class Ident(object):
    def __init__(self, id=None, more=None):
        self.id = id
        self.more = more

    def read(self, iprot):
        if iprot._fast_decode is not None and isinstance(iprot.trans, TTransport.CReadableTransport):
            iprot._fast_decode(self, iprot, [self.__class__, self.thrift_spec])
            return
        iprot.readStructBegin()
        while True:
            (_, ftype, fid) = iprot.readFieldBegin()
            if ftype == TType.STOP:
                break
            if fid == 1 and ftype == TType.UUID:
                self.id = iprot.readUuid()
            elif fid == 2 and ftype == TType.LIST:
                (_, size) = iprot.readListBegin()
                self.more = [iprot.readUuid() for _ in range(size)]
                iprot.readListEnd()
            else:
                iprot.skip(ftype)
            iprot.readFieldEnd()
        iprot.readStructEnd()

    def write(self, oprot):
        if oprot._fast_encode is not None:
            oprot.trans.write(oprot._fast_encode(self, [self.__class__, self.thrift_spec]))
            return
        oprot.writeStructBegin('Ident')
        if self.id is not None:
            oprot.writeFieldBegin('id', TType.UUID, 1)
            oprot.writeUuid(self.id)
            oprot.writeFieldEnd()
        if self.more is not None:
            oprot.writeFieldBegin('more', TType.LIST, 2)
            oprot.writeListBegin(TType.UUID, len(self.more))
            for one in self.more:
                oprot.writeUuid(one)
            oprot.writeListEnd()
            oprot.writeFieldEnd()
        oprot.writeFieldStop()
        oprot.writeStructEnd()

    def __eq__(self, other):
        return isinstance(other, self.__class__) and self.__dict__ == other.__dict__

    def __repr__(self):
        return 'Ident(id=%r, more=%r)' % (self.id, self.more)


Ident.thrift_spec = (
    None,
    (1, TType.UUID, 'id', None, None),
    (2, TType.LIST, 'more', (TType.UUID, None, False), None),
)
