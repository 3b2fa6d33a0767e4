package metaproxy.interop;

import com.google.protobuf.StringValue;
import com.tencent.trpc.core.rpc.RpcContext;
import com.tencent.trpc.core.rpc.anno.TRpcMethod;
import com.tencent.trpc.core.rpc.anno.TRpcService;

/** What server and client agree upon. */
@TRpcService(name = "example.Greeter")
public interface Greeter {
    /** Answers with the server's label, the name, and the keys that came with the request. */
    @TRpcMethod(name = "Greet")
    StringValue greet(RpcContext context, StringValue name);

    /** Fails: with an error of the application if the reason is a number, else with what nobody expected. */
    @TRpcMethod(name = "Fail")
    StringValue fail(RpcContext context, StringValue reason);

    /** Never answers. */
    @TRpcMethod(name = "Silent")
    StringValue silent(RpcContext context, StringValue name);

    /** Is noted; a client asks for no answer. */
    @TRpcMethod(name = "Note")
    StringValue note(RpcContext context, StringValue text);

    /** Answers with what was noted, once there is something. */
    @TRpcMethod(name = "Notes")
    StringValue notes(RpcContext context, StringValue name);

    /** Answers as greet does; there is no route for it. */
    @TRpcMethod(name = "Unrouted")
    StringValue unrouted(RpcContext context, StringValue name);
}
