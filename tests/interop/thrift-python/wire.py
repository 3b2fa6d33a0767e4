"""What a name such as `framed/binary` or `header/compact/multiplexed` means in Apache Thrift's Python library."""

from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.protocol.TCompactProtocol import TCompactProtocolFactory
from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.transport.THeaderTransport import THeaderSubprotocolID
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransportFactory, TFramedTransportFactory, TTransportBase

# The library's own limit is 16,384,000 bytes, less than a payload of 16 MiB.
LIMIT = 64 << 20
# Milliseconds that a client waits for what it reads.
PATIENCE = 60_000


class Plain:
    """A transport factory that leaves the transport as it is: the header transport wraps a socket itself."""

    def getTransport(self, transport):
        return transport


class Header(THeaderProtocolFactory):
    """The library's factory with its limits raised."""

    def getProtocol(self, transport):
        protocol = super().getProtocol(transport)
        protocol.trans.set_max_frame_size(LIMIT)
        protocol.trans.set_max_decompressed_size(LIMIT)
        return protocol


class Wire:
    def __init__(self, name):
        self.transport, self.protocol, *multiplexed = name.split('/')
        self.is_multiplexed = multiplexed == ['multiplexed']
        if multiplexed and not self.is_multiplexed:
            raise SystemExit(f'{name}: not TRANSPORT/PROTOCOL[/multiplexed]')
        self.transports = {
            'framed': TFramedTransportFactory(LIMIT), 'buffered': TBufferedTransportFactory(), 'header': Plain(),
        }[self.transport]
        binary = TBinaryProtocolFactory(strictRead=True, string_length_limit=LIMIT)
        compact = TCompactProtocolFactory(string_length_limit=LIMIT)
        self.protocols = {'binary': binary, 'compact': compact}[self.protocol]
        if self.transport == 'header':
            names = {'binary': THeaderSubprotocolID.BINARY, 'compact': THeaderSubprotocolID.COMPACT}
            self.protocols = Header(default_protocol=names[self.protocol])

    def over(self, transport):
        """The protocol over a socket or what stands for one."""
        return self.protocols.getProtocol(self.transports.getTransport(transport))


class Connection:
    """A client's connection, closed at the end of its block."""

    def __init__(self, wire, address):
        host, port = address.rsplit(':', 1)
        self.wire = wire
        self.socket = TSocket(host, int(port))
        self.socket.setTimeout(PATIENCE)
        self.socket.open()
        self.protocol = wire.over(self.socket)

    def client(self, service):
        """A client of a generated service."""
        protocol = self.protocol
        if self.wire.is_multiplexed:
            protocol = TMultiplexedProtocol(protocol, service.__name__.rsplit('.', 1)[-1])
        return service.Client(protocol)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Sink(TTransportBase):
    """Keeps what is written, so that a test can send many calls at once."""

    def __init__(self):
        self.written = bytearray()

    def write(self, buf):
        self.written += buf

    def flush(self):
        pass
