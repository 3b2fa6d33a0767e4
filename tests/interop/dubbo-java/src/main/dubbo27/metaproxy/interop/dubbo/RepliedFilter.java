package metaproxy.interop.dubbo;

import java.util.Map;
import java.util.TreeMap;
import org.apache.dubbo.common.constants.CommonConstants;
import org.apache.dubbo.common.extension.Activate;
import org.apache.dubbo.rpc.Filter;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;

/** Keeps the attachments of a thread's last reply: only filters of Dubbo 2.7 are shown them. */
@Activate(group = CommonConstants.CONSUMER)
public final class RepliedFilter implements Filter {
    private static final ThreadLocal<Map<String, Object>> LAST = ThreadLocal.withInitial(TreeMap::new);

    static Map<String, Object> ofThisThread() {
        return LAST.get();
    }

    @Override
    public Result invoke(Invoker<?> invoker, Invocation invocation) {
        Result result = invoker.invoke(invocation);
        LAST.set(new TreeMap<>(result.getObjectAttachments()));
        return result;
    }
}
