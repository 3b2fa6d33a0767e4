package metaproxy.interop.dubbo;

import java.util.Map;
import java.util.Set;

/** A service as a consumer refers to it: where, how, and which of its methods it calls one way. */
public record Wanted<T>(
        Class<T> type,
        String url,
        String group,
        String version,
        int timeout,
        int retries,
        Map<String, String> parameters,
        Set<String> oneway) {}
