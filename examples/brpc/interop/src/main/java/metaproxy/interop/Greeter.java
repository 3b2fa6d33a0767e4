package metaproxy.interop;

import com.baidu.brpc.protocol.BrpcMeta;
import com.google.protobuf.StringValue;

/** What server and client agree upon. */
public interface Greeter {
    /** Answers with the server's label, the name, and the fields that came with the request. */
    @BrpcMeta(serviceName = "example.Greeter", methodName = "Greet")
    StringValue greet(StringValue name);

    /** Fails. */
    @BrpcMeta(serviceName = "example.Greeter", methodName = "Fail")
    StringValue fail(StringValue reason);

    /** Never answers. */
    @BrpcMeta(serviceName = "example.Greeter", methodName = "Silent")
    StringValue silent(StringValue name);

    /** Answers as {@link #greet} does; there is no route for it. */
    @BrpcMeta(serviceName = "example.Greeter", methodName = "Unrouted")
    StringValue unrouted(StringValue name);
}
