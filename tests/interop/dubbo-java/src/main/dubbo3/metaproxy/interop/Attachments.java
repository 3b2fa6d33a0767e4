package metaproxy.interop;

import java.util.Map;
import java.util.TreeMap;
import org.apache.dubbo.rpc.RpcContext;

/** The four places where attachments are read or written; with Dubbo 3's names for them. */
public final class Attachments {
    private Attachments() {}

    /** Consumer: sends {@code value} with the next call of this thread. */
    public static void send(String name, Object value) {
        RpcContext.getClientAttachment().setObjectAttachment(name, value);
    }

    /** Consumer: what came back with the last reply to this thread. */
    public static Map<String, Object> replied() {
        return new TreeMap<>(RpcContext.getClientResponseContext().getObjectAttachments());
    }

    /** Provider: what arrived with the call that is being served. */
    public static Map<String, Object> received() {
        return new TreeMap<>(RpcContext.getServerAttachment().getObjectAttachments());
    }

    /** Provider: sends {@code value} back with the reply to the call that is being served. */
    public static void reply(String name, Object value) {
        RpcContext.getServerResponseContext().setObjectAttachment(name, value);
    }
}
