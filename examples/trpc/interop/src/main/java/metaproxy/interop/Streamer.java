package metaproxy.interop;

import com.google.protobuf.StringValue;
import com.tencent.trpc.core.rpc.RpcContext;
import com.tencent.trpc.core.rpc.anno.TRpcMethod;
import com.tencent.trpc.core.rpc.anno.TRpcService;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;

/** Streams, which the proxy does not serve yet. */
@TRpcService(name = "example.Streamer")
public interface Streamer {
    /** Answers a name with several. */
    @TRpcMethod(name = "Stream")
    Flux<StringValue> stream(RpcContext context, Publisher<StringValue> names);
}
