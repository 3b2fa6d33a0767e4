package metaproxy.interop;

import com.baidu.brpc.RpcContext;
import com.baidu.brpc.client.BrpcProxy;
import com.baidu.brpc.client.RpcClient;
import com.baidu.brpc.client.RpcClientOptions;
import com.baidu.brpc.exceptions.RpcException;
import com.google.protobuf.StringValue;
import java.util.Arrays;
import java.util.List;

/** Makes calls, one after the other, and tells how each went. */
final class Client {
    private Client() {}

    /** Each call is METHOD/ARGUMENT, then /NAME=VALUE for each field that goes with it; log-id is none of them. */
    static void run(String address, List<String> calls) {
        RpcClientOptions options = new RpcClientOptions();
        options.setReadTimeoutMillis(20_000);
        options.setWriteTimeoutMillis(20_000);
        options.setMaxTryTimes(1);
        options.setIoThreadNum(1);
        options.setWorkThreadNum(2);
        RpcClient client = new RpcClient("list://" + address, options);
        Greeter greeter = BrpcProxy.getProxy(client, Greeter.class);
        for (String call : calls) {
            System.out.println(one(greeter, Arrays.asList(call.split("/"))));
        }
        client.stop();
    }

    private static String one(Greeter greeter, List<String> call) {
        RpcContext context = RpcContext.getContext();
        context.reset();
        for (String field : call.subList(2, call.size())) {
            String[] pair = field.split("=", 2);
            if (pair[0].equals("log-id")) {
                context.setLogId(Long.valueOf(pair[1]));
            } else {
                context.setRequestKvAttachment(pair[0], pair[1]);
            }
        }
        StringValue argument = StringValue.of(call.get(1));
        try {
            StringValue reply = switch (call.get(0)) {
                case "greet" -> greeter.greet(argument);
                case "fail" -> greeter.fail(argument);
                case "silent" -> greeter.silent(argument);
                case "unrouted" -> greeter.unrouted(argument);
                default -> throw new IllegalArgumentException("there is no method " + call.get(0));
            };
            return "reply " + reply.getValue();
        } catch (RpcException failure) {
            return "error " + failure.getCode() + " " + failure.getMessage();
        }
    }
}
