package metaproxy.interop.dubbo;

import java.util.concurrent.CompletableFuture;

/** Calls by name, without the interface; objects are maps. */
public interface Generic {
    Object invoke(String method, String[] types, Object[] arguments);

    CompletableFuture<Object> invokeAsync(String method, String[] types, Object[] arguments);
}
