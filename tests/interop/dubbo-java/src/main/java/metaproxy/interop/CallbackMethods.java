package metaproxy.interop;

import java.util.Map;

/** Arguments that are called back, as parameters of a service's URL; provider and consumer must both have them. */
public final class CallbackMethods {
    /**
     * From the one call on, and up to the other. Dubbo 3.3.6 ({@code URLParam.hasMethodParameter}) looks at a method's
     * arguments only if it finds its name in another parameter as well: a consumer in one that begins with it, a
     * provider in one of another method that ends with it.
     */
    public static final Map<String, String> PARAMETERS = Map.of(
            "watch.1.callback", "true",
            "watch.retries", "0",
            "tell.watch", "true",
            "unwatch.1.callback", "false",
            "unwatch.retries", "0",
            "tell.unwatch", "true");

    private CallbackMethods() {}
}
