package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

// The library's own limit for frames is 16,384,000 bytes, less than a payload of 16 MiB.
const limit = 64 << 20

// How long a client waits for what it reads.
const patience = 60 * time.Second

// A wire is what a name such as `framed/binary` or `header/compact/multiplexed` means in this library.
type wire struct {
	conf          *thrift.TConfiguration
	transports    thrift.TTransportFactory
	protocols     thrift.TProtocolFactory
	hasHeader     bool
	isMultiplexed bool
}

func newWire(name string, socketTimeout time.Duration, transforms ...thrift.THeaderTransformID) (*wire, error) {
	parts := strings.Split(name, "/")
	if len(parts) < 2 || len(parts) > 3 || (len(parts) == 3 && parts[2] != "multiplexed") {
		return nil, fmt.Errorf("%s: not TRANSPORT/PROTOCOL[/multiplexed]", name)
	}
	w := &wire{isMultiplexed: len(parts) == 3}
	w.conf = &thrift.TConfiguration{
		MaxMessageSize:    limit,
		MaxFrameSize:      limit,
		SocketTimeout:     socketTimeout,
		TBinaryStrictRead: thrift.BoolPtr(true),
		THeaderTransforms: transforms,
	}
	switch parts[1] {
	case "binary":
		w.protocols = thrift.NewTBinaryProtocolFactoryConf(w.conf)
		w.conf.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolBinary)
	case "compact":
		w.protocols = thrift.NewTCompactProtocolFactoryConf(w.conf)
		w.conf.THeaderProtocolID = thrift.THeaderProtocolIDPtrMust(thrift.THeaderProtocolCompact)
	default:
		return nil, fmt.Errorf("%s: no such protocol", name)
	}
	switch parts[0] {
	case "framed":
		w.transports = thrift.NewTFramedTransportFactoryConf(thrift.NewTTransportFactory(), w.conf)
	case "buffered":
		w.transports = thrift.NewTBufferedTransportFactory(8192)
	case "header":
		w.hasHeader = true
		w.transports = thrift.NewTTransportFactory()
		w.protocols = thrift.NewTHeaderProtocolFactoryConf(w.conf)
	default:
		return nil, fmt.Errorf("%s: no such transport", name)
	}
	return w, nil
}

// A connection is a client's.
type connection struct {
	wire     *wire
	socket   *thrift.TSocket
	protocol thrift.TProtocol
	client   *thrift.TStandardClient
}

func (w *wire) connect(address string) (*connection, error) {
	socket := thrift.NewTSocketConf(address, w.conf)
	if err := socket.Open(); err != nil {
		return nil, err
	}
	transport, err := w.transports.GetTransport(socket)
	if err != nil {
		return nil, err
	}
	protocol := w.protocols.GetProtocol(transport)
	return &connection{wire: w, socket: socket, protocol: protocol}, nil
}

// service makes a client of one service of this port.
func (c *connection) service(name string) thrift.TClient {
	if c.wire.isMultiplexed {
		return thrift.NewTStandardClient(c.protocol, thrift.NewTMultiplexedProtocol(c.protocol, name))
	}
	if c.client == nil {
		c.client = thrift.NewTStandardClient(c.protocol, c.protocol)
	}
	return c.client
}
