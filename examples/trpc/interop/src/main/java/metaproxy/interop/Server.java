package metaproxy.interop;

import com.google.protobuf.StringValue;
import com.tencent.trpc.core.common.ConfigManager;
import com.tencent.trpc.core.common.config.ProviderConfig;
import com.tencent.trpc.core.common.config.ServiceConfig;
import com.tencent.trpc.core.exception.TRpcException;
import com.tencent.trpc.core.rpc.RpcContext;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A server that names itself in each reply. */
final class Server implements Greeter {
    private static final String HOST = "127.0.0.1";

    private final String label;
    private final BlockingQueue<String> notes = new LinkedBlockingQueue<>();

    private Server(String label) {
        this.label = label;
    }

    /** Serves on a free port, says which, and ends when standard input does. */
    static void run(String label) throws Exception {
        ConfigManager.startTest();
        // A bound socket that does not listen keeps the port from being given to others until the server has it.
        try (Socket holder = new Socket()) {
            holder.setReuseAddress(true);
            holder.bind(new InetSocketAddress(HOST, 0));
            ProviderConfig<Greeter> provider = new ProviderConfig<>();
            provider.setServiceInterface(Greeter.class);
            provider.setRef(new Server(label));
            ServiceConfig service = new ServiceConfig();
            service.setName("trpc.example.greeter.Greeter");
            service.setIp(HOST);
            service.setPort(holder.getLocalPort());
            service.addProviderConfig(provider);
            service.export();
            System.out.println("ready " + holder.getLocalPort());
        }
        while (System.in.read() >= 0) {
            // What is said is not meant for us.
        }
    }

    @Override
    public StringValue greet(RpcContext context, StringValue name) {
        Map<String, String> keys = new TreeMap<>();
        context.getReqAttachMap().forEach((key, value) -> keys.put(key, text(value)));
        return StringValue.of(label + " greets " + name.getValue() + " " + keys);
    }

    /** A key's value, as text. */
    static String text(Object value) {
        return value instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : String.valueOf(value);
    }

    @Override
    public StringValue fail(RpcContext context, StringValue reason) {
        String text = reason.getValue();
        if (text.chars().allMatch(Character::isDigit)) {
            throw TRpcException.newBizException(Integer.parseInt(text), "refused with " + text);
        }
        throw new IllegalStateException(text);
    }

    @Override
    public StringValue silent(RpcContext context, StringValue name) {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
        return name;
    }

    @Override
    public StringValue note(RpcContext context, StringValue text) {
        notes.add(text.getValue());
        return text;
    }

    @Override
    public StringValue notes(RpcContext context, StringValue name) {
        try {
            return StringValue.of(label + " noted " + notes.poll(10, TimeUnit.SECONDS));
        } catch (InterruptedException end) {
            throw new IllegalStateException(end);
        }
    }

    @Override
    public StringValue unrouted(RpcContext context, StringValue name) {
        return greet(context, name);
    }
}
