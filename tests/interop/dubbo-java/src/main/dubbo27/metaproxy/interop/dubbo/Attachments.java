package metaproxy.interop.dubbo;

import java.util.Map;
import java.util.TreeMap;
import org.apache.dubbo.rpc.RpcContext;

/** The places where attachments are read or written; with Dubbo 2.7's names for them. */
public final class Attachments {
    private Attachments() {}

    /** Whether a value may be anything else than a text. */
    public static final boolean ARE_TYPED = true;

    /** Consumer: sends {@code value} with the next call of this thread. */
    public static void send(String name, Object value) {
        RpcContext.getContext().setObjectAttachment(name, value);
    }

    /** Consumer: forgets what was sent with the last call of this thread. */
    public static void forget() {
        RpcContext.getContext().clearAttachments();
    }

    /** Consumer: what came back with the last reply to this thread. */
    public static Map<String, Object> replied() {
        return RepliedFilter.ofThisThread();
    }

    /** Provider: what arrived with the call that is being served. */
    public static Map<String, Object> received() {
        return new TreeMap<>(RpcContext.getContext().getObjectAttachments());
    }

    /** Provider: sends {@code value} back with the reply to the call that is being served. */
    public static void reply(String name, Object value) {
        RpcContext.getServerContext().setObjectAttachment(name, value);
    }
}
