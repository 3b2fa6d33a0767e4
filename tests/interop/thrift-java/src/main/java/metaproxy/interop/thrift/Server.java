package metaproxy.interop.thrift;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import metaproxy.interop.thrift.gen.Greeter;
import metaproxy.interop.thrift.gen.Shop;
import org.apache.thrift.TMultiplexedProcessor;
import org.apache.thrift.TProcessor;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;

/** Serves interop.thrift, once per wire. */
final class Server {
    private Server() {}

    static void run(String label, List<String> names) throws Exception {
        Handler handler = new Handler(label);
        for (String name : names) {
            Wire wire = Wire.parse(name);
            TServerSocket socket = new TServerSocket(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            TThreadPoolServer server = new TThreadPoolServer(new TThreadPoolServer.Args(socket)
                    .processor(processor(handler, wire.isMultiplexed()))
                    .transportFactory(wire.transports())
                    .protocolFactory(wire.protocols()));
            Thread thread = new Thread(server::serve, name);
            thread.setDaemon(true);
            thread.start();
            System.out.println("listening " + name + " " + socket.getServerSocket().getLocalPort());
        }
        System.out.println("ready");
        // Whoever started it keeps its standard input open.
        System.in.transferTo(java.io.OutputStream.nullOutputStream());
        System.exit(0);
    }

    private static TProcessor processor(Handler handler, boolean isMultiplexed) {
        if (!isMultiplexed) {
            return new Shop.Processor<>(handler);
        }
        TMultiplexedProcessor multiplexed = new TMultiplexedProcessor();
        multiplexed.registerProcessor("Shop", new Shop.Processor<>(handler));
        multiplexed.registerProcessor("Greeter", new Greeter.Processor<>(handler));
        return multiplexed;
    }
}
