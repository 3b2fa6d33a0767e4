package metaproxy.interop.thrift;

import org.apache.thrift.TConfiguration;
import org.apache.thrift.TException;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TCompactProtocol;
import org.apache.thrift.protocol.TMultiplexedProtocol;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.protocol.TProtocolFactory;
import org.apache.thrift.transport.TSocket;
import org.apache.thrift.transport.TTransportFactory;
import org.apache.thrift.transport.layered.TFramedTransport;

/** What a name such as {@code framed/binary} or {@code buffered/compact/multiplexed} means in this library. */
record Wire(TTransportFactory transports, TProtocolFactory protocols, boolean isMultiplexed) {
    /** The library's own limit for frames is 16,384,000 bytes, less than a payload of 16 MiB. */
    private static final int LIMIT = 64 << 20;

    /** Milliseconds that a client waits for what it reads. */
    private static final int PATIENCE = 60_000;

    static Wire parse(String name) {
        String[] parts = name.split("/");
        boolean isMultiplexed = parts.length == 3 && parts[2].equals("multiplexed");
        if (parts.length < 2 || parts.length > 3 || (parts.length == 3 && !isMultiplexed)) {
            throw new IllegalArgumentException(name + ": not TRANSPORT/PROTOCOL[/multiplexed]");
        }
        TTransportFactory transports = switch (parts[0]) {
            case "framed" -> new TFramedTransport.Factory(LIMIT);
            case "buffered" -> new TTransportFactory();
            default -> throw new IllegalArgumentException(name + ": the library has no such transport");
        };
        TProtocolFactory protocols = switch (parts[1]) {
            case "binary" -> new TBinaryProtocol.Factory(true, true);
            case "compact" -> new TCompactProtocol.Factory();
            default -> throw new IllegalArgumentException(name + ": the library has no such protocol");
        };
        return new Wire(transports, protocols, isMultiplexed);
    }

    /** The library's configuration with its limits raised. */
    static TConfiguration configuration() {
        TConfiguration configuration = new TConfiguration();
        configuration.setMaxFrameSize(LIMIT);
        return configuration;
    }

    Connection connect(String address) throws TException {
        int colon = address.lastIndexOf(':');
        String host = address.substring(0, colon);
        int port = Integer.parseInt(address.substring(colon + 1));
        TSocket socket = new TSocket(configuration(), host, port, PATIENCE);
        socket.open();
        return new Connection(socket, protocols.getProtocol(transports.getTransport(socket)), isMultiplexed);
    }

    /** A client's connection. */
    record Connection(TSocket socket, TProtocol protocol, boolean isMultiplexed) implements AutoCloseable {
        /** The protocol for one of the services of this port. */
        TProtocol service(String name) {
            return isMultiplexed ? new TMultiplexedProtocol(protocol, name) : protocol;
        }

        @Override
        public void close() {
            socket.close();
        }
    }
}
