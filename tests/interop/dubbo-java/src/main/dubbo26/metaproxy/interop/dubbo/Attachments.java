package metaproxy.interop.dubbo;

import com.alibaba.dubbo.rpc.RpcContext;
import java.util.Map;
import java.util.TreeMap;

/** The places where attachments are read or written; in Dubbo 2.6 they are texts. */
public final class Attachments {
    private Attachments() {}

    /** Whether a value may be anything else than a text. */
    public static final boolean ARE_TYPED = false;

    /** Consumer: sends {@code value} with the next call of this thread. */
    public static void send(String name, Object value) {
        RpcContext.getContext().setAttachment(name, String.valueOf(value));
    }

    /** Consumer: forgets what was sent with the last call of this thread. */
    public static void forget() {
        // Dubbo does.
    }

    /** Consumer: what came back with the last reply to this thread. */
    public static Map<String, Object> replied() {
        return new TreeMap<>(RpcContext.getServerContext().getAttachments());
    }

    /** Provider: what arrived with the call that is being served. */
    public static Map<String, Object> received() {
        return new TreeMap<>(RpcContext.getContext().getAttachments());
    }

    /** Provider: sends {@code value} back with the reply to the call that is being served. */
    public static void reply(String name, Object value) {
        RpcContext.getServerContext().setAttachment(name, String.valueOf(value));
    }
}
