package metaproxy.interop;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.server.RpcServer;
import com.baidu.brpc.server.RpcServerOptions;
import com.google.protobuf.StringValue;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;

/** A server that names itself in each reply. */
final class Server implements Greeter {
    private static final String HOST = "127.0.0.1";

    private final String label;

    private Server(String label) {
        this.label = label;
    }

    /** Serves on a free port, says which, and ends when standard input does. */
    static void run(String label) throws Exception {
        // A bound socket that does not listen keeps the port from being given to others until the server has it.
        try (Socket holder = new Socket()) {
            holder.setReuseAddress(true);
            holder.bind(new InetSocketAddress(HOST, 0));
            RpcServerOptions options = new RpcServerOptions();
            options.setIoThreadNum(1);
            options.setWorkThreadNum(4);
            RpcServer server = new RpcServer(HOST, holder.getLocalPort(), options);
            server.registerService(new Server(label));
            server.start();
            System.out.println("ready " + holder.getLocalPort());
        }
        while (System.in.read() >= 0) {
            // What is said is not meant for us.
        }
    }

    @Override
    public StringValue greet(StringValue name) {
        Map<String, Object> fields = RpcContext.getContext().getRequestKvAttachment();
        Object sorted = fields == null ? Map.of() : new TreeMap<>(fields);
        return StringValue.of(label + " greets " + name.getValue() + " " + sorted);
    }

    @Override
    public StringValue fail(StringValue reason) {
        throw new IllegalStateException(reason.getValue());
    }

    @Override
    public StringValue silent(StringValue name) {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
        return name;
    }

    @Override
    public StringValue unrouted(StringValue name) {
        return greet(name);
    }
}
