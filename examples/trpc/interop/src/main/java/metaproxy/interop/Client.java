package metaproxy.interop;

import com.google.protobuf.StringValue;
import com.tencent.trpc.core.common.ConfigManager;
import com.tencent.trpc.core.common.config.BackendConfig;
import com.tencent.trpc.core.exception.TRpcException;
import com.tencent.trpc.core.rpc.RpcClientContext;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import reactor.core.publisher.Mono;

/** Makes calls, one after the other, and tells how each went. */
final class Client {
    private static final int TIMEOUT = 20_000;

    private final String address;
    private final Greeter greeter;

    private Client(String address) {
        this.address = address;
        this.greeter = backend("greeter").getProxy(Greeter.class);
    }

    /** Each call is METHOD/ARGUMENT, then /NAME=VALUE for each key that goes with it. */
    static void run(String address, List<String> calls) {
        ConfigManager.startTest();
        Client client = new Client(address);
        for (String call : calls) {
            System.out.println(client.one(Arrays.asList(call.split("/"))));
        }
    }

    private BackendConfig backend(String server) {
        BackendConfig backend = new BackendConfig();
        backend.setName(server);
        backend.setNamingUrl("ip://" + address);
        backend.setRequestTimeout(TIMEOUT);
        backend.setCalleeApp("example");
        backend.setCalleeServer(server);
        backend.setCalleeService("Greeter");
        return backend;
    }

    private String one(List<String> call) {
        RpcClientContext context = new RpcClientContext();
        context.setTimeoutMills(TIMEOUT);
        context.getCallInfo().setCallerApp("example").setCallerServer("client").setCallerService("Caller");
        for (String key : call.subList(2, call.size())) {
            String[] pair = key.split("=", 2);
            context.getReqAttachMap().put(pair[0], pair[1]);
        }
        StringValue argument = StringValue.of(call.get(1));
        try {
            StringValue reply = switch (call.get(0)) {
                case "greet" -> greeter.greet(context, argument);
                case "fail" -> greeter.fail(context, argument);
                case "silent" -> greeter.silent(context, argument);
                case "notes" -> greeter.notes(context, argument);
                case "unrouted" -> greeter.unrouted(context, argument);
                case "note" -> {
                    context.setOneWay(true);
                    greeter.note(context, argument);
                    yield StringValue.of("none, as asked for");
                }
                case "stream" -> backend("streamer").getProxy(Streamer.class)
                        .stream(context, Mono.just(argument)).blockFirst(Duration.ofMillis(TIMEOUT));
                default -> throw new IllegalArgumentException("there is no method " + call.get(0));
            };
            Map<String, String> keys = new TreeMap<>();
            context.getRspAttachMap().forEach((key, value) -> keys.put(key, Server.text(value)));
            return "reply " + reply.getValue() + ", keys " + keys;
        } catch (TRpcException failure) {
            return "error " + failure.getCode() + " " + failure.getBizCode() + " " + failure.getMessage();
        } catch (IllegalStateException failure) {
            return "timeout " + failure.getMessage();
        }
    }
}
