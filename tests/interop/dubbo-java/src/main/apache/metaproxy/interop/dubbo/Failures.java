package metaproxy.interop.dubbo;

import org.apache.dubbo.rpc.RpcException;
import org.apache.dubbo.rpc.service.GenericException;

/** What a failed call tells. */
public final class Failures {
    private Failures() {}

    /** The code of an {@code RpcException}; null for anything else. */
    public static Integer code(Throwable failure) {
        return failure instanceof RpcException rpc ? rpc.getCode() : null;
    }

    /** The class that the provider threw, where a generic call tells only its name; null for anything else. */
    public static String thrownByName(Throwable failure) {
        if (failure instanceof com.alibaba.dubbo.rpc.service.GenericException generic) {
            // What providers of every version send.
            return generic.getExceptionClass();
        }
        return failure instanceof GenericException generic ? generic.getExceptionClass() : null;
    }
}
