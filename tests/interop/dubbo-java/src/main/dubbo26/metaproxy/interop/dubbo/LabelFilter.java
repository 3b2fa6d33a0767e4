package metaproxy.interop.dubbo;

import com.alibaba.dubbo.common.Constants;
import com.alibaba.dubbo.common.extension.Activate;
import com.alibaba.dubbo.rpc.Filter;
import com.alibaba.dubbo.rpc.Invocation;
import com.alibaba.dubbo.rpc.Invoker;
import com.alibaba.dubbo.rpc.Result;
import com.alibaba.dubbo.rpc.RpcResult;

/** Adds the provider's label to every reply, as the response attachment {@code served-by}. */
@Activate(group = Constants.PROVIDER)
public final class LabelFilter implements Filter {
    private static volatile Label label = new Label("");

    /** Dubbo makes the filter itself, so the label comes by this way. */
    static void label(Label ofThisProcess) {
        label = ofThisProcess;
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        Result result = invoker.invoke(invocation);
        if (result instanceof RpcResult reply) {
            reply.setAttachment("served-by", label.text());
        }
        return result;
    }
}
