package metaproxy.interop.consumer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.function.Function;
import metaproxy.interop.CallbackMethods;
import metaproxy.interop.Loopback;
import metaproxy.interop.UsageException;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.GreetingService;
import metaproxy.interop.api.WatchService;
import metaproxy.interop.dubbo.Embedded;
import metaproxy.interop.dubbo.Generic;
import metaproxy.interop.dubbo.Wanted;

/**
 * Proxies of the services, each made once per set of options. All name the address directly, so they share one
 * connection to it, and none looks anything up.
 */
final class References {
    /** Dubbo decides about the serialization. */
    private static final String DEFAULT = "default";

    private final String address;
    private final Map<List<String>, Object> made = new HashMap<>();

    /** {@code address} is HOST:PORT, and exactly that is connected to. */
    References(String address) {
        int colon = address.lastIndexOf(':');
        if (colon < 1 || !address.substring(colon + 1).matches("\\d{1,5}")) {
            throw new UsageException("`--address` is HOST:PORT, not `" + address + "`");
        }
        this.address = Loopback.asNumber(address.substring(0, colon)) + address.substring(colon);
    }

    DemoService demo(Options options) {
        return get(DemoService.class, service(DemoService.class, "", "", options), Embedded::refer);
    }

    GreetingService greeting(Options options) {
        return get(
                GreetingService.class, service(GreetingService.class, "interop", "1.2.0", options), Embedded::refer);
    }

    WatchService watching(Options options) {
        return get(WatchService.class, service(WatchService.class, "", "", options), Embedded::refer);
    }

    Generic generic(Options options) {
        return get(Generic.class, service(DemoService.class, "", "", options), Embedded::generic);
    }

    private synchronized <T, S> T get(Class<T> type, Wanted<S> wanted, Function<Wanted<S>, T> refer) {
        List<String> key = List.of(type.getName(), wanted.toString());
        Object proxy = made.get(key);
        if (proxy == null) {
            proxy = refer.apply(wanted);
            made.put(key, proxy);
        }
        return type.cast(proxy);
    }

    private <T> Wanted<T> service(Class<T> type, String group, String version, Options options) {
        return new Wanted<>(
                type,
                url(options),
                options.text("group", group),
                options.text("version", version),
                options.number("timeout", 10_000),
                options.number("retries", 0),
                type == WatchService.class ? CallbackMethods.PARAMETERS : Map.of(),
                type == DemoService.class ? Set.of("note") : Set.of());
    }

    private String url(Options options) {
        StringJoiner query = new StringJoiner("&");
        String serialization = options.text("serialization", DEFAULT);
        if (!serialization.equals(DEFAULT)) {
            query.add("serialization=" + serialization).add("prefer.serialization=" + serialization);
        }
        options.pairs("parameter").forEach((name, value) -> query.add(name + "=" + value));
        String once = "dubbo://" + address + "?" + query;
        // Dubbo 2 tries again only where it was given several addresses.
        return options.number("retries", 0) == 0 ? once : once + "&cluster=failover;" + once + "&cluster=failover";
    }
}
