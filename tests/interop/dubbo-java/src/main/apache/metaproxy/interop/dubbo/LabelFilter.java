package metaproxy.interop.dubbo;

import org.apache.dubbo.common.constants.CommonConstants;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/** Adds the provider's label to every reply, as the response attachment {@code served-by}. */
@Activate(group = CommonConstants.PROVIDER)
public final class LabelFilter implements Filter, Filter.Listener {
    private static volatile Label label = new Label("");

    /** Dubbo makes the filter itself, so the label comes by this way. */
    static void label(Label ofThisProcess) {
        label = ofThisProcess;
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        return invoker.invoke(invocation);
    }

    @Override
    public void onResponse(Result response, Invoker<?> invoker, Invocation invocation) {
        response.setAttachment("served-by", label.text());
    }

    @Override
    public void onError(Throwable failure, Invoker<?> invoker, Invocation invocation) {
        // There is no reply of ours to put the label on.
    }
}
