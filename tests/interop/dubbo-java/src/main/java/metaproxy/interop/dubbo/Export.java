package metaproxy.interop.dubbo;

import java.util.Map;

/** A service as a provider exports it; an empty group or version is none. */
public record Export<T>(Class<T> type, T service, String group, String version, Map<String, String> parameters) {}
