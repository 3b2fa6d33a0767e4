package metaproxy.interop.consumer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import metaproxy.interop.CallbackMethods;
import metaproxy.interop.Loopback;
import metaproxy.interop.UsageException;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.GreetingService;
import metaproxy.interop.api.WatchService;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.service.GenericService;

/**
 * Proxies of the services, each made once per set of options. All name the address directly, so they share one
 * connection to it, and none looks anything up.
 */
final class References {
    /** Dubbo decides about the serialization. */
    static final String DEFAULT = "default";

    private final String address;
    private final String serialization;
    private final Map<List<String>, Object> made = new HashMap<>();

    /** {@code address} is HOST:PORT, and exactly that is connected to. */
    References(String address, String serialization) {
        int colon = address.lastIndexOf(':');
        if (colon < 1 || !address.substring(colon + 1).matches("\\d{1,5}")) {
            throw new UsageException("`--address` is HOST:PORT, not `" + address + "`");
        }
        this.address = Loopback.asNumber(address.substring(0, colon)) + address.substring(colon);
        this.serialization = serialization;
    }

    DemoService demo(Options options) {
        return get(DemoService.class, "", "", options, () -> {
            ReferenceConfig<DemoService> reference = new ReferenceConfig<>();
            reference.setInterface(DemoService.class);
            reference.setMethods(List.of(oneway("note")));
            return reference;
        });
    }

    GreetingService greeting(Options options) {
        return get(GreetingService.class, "interop", "1.2.0", options, () -> {
            ReferenceConfig<GreetingService> reference = new ReferenceConfig<>();
            reference.setInterface(GreetingService.class);
            return reference;
        });
    }

    WatchService watching(Options options) {
        return get(WatchService.class, "", "", options, () -> {
            ReferenceConfig<WatchService> reference = new ReferenceConfig<>();
            reference.setInterface(WatchService.class);
            reference.setParameters(CallbackMethods.PARAMETERS);
            return reference;
        });
    }

    GenericService generic(Options options) {
        return get(GenericService.class, "", "", options, () -> {
            ReferenceConfig<GenericService> reference = new ReferenceConfig<>();
            reference.setInterface(DemoService.class.getName());
            reference.setGeneric("true");
            return reference;
        });
    }

    private synchronized <T> T get(Class<T> type, String group, String version, Options options, Blueprint<T> blueprint) {
        int timeout = options.number("timeout", 10_000);
        int retries = options.number("retries", 0);
        String inGroup = options.text("group", group);
        String inVersion = options.text("version", version);
        String url = url(options.pairs("parameter"));
        List<String> key = List.of(type.getName(), inGroup, inVersion, url, timeout + "/" + retries);
        Object proxy = made.get(key);
        if (proxy == null) {
            ReferenceConfig<T> reference = blueprint.draw();
            reference.setUrl(url);
            reference.setGroup(inGroup.isEmpty() ? null : inGroup);
            reference.setVersion(inVersion.isEmpty() ? null : inVersion);
            reference.setTimeout(timeout);
            reference.setRetries(retries);
            reference.setCheck(false);
            reference.setScope("remote");
            proxy = reference.get();
            made.put(key, proxy);
        }
        return type.cast(proxy);
    }

    private String url(Map<String, String> parameters) {
        StringJoiner query = new StringJoiner("&");
        if (!serialization.equals(DEFAULT)) {
            query.add("serialization=" + serialization).add("prefer.serialization=" + serialization);
        }
        parameters.forEach((name, value) -> query.add(name + "=" + value));
        return "dubbo://" + address + "?" + query;
    }

    private static MethodConfig oneway(String name) {
        MethodConfig method = new MethodConfig();
        method.setName(name);
        method.setAsync(true);
        method.setSent(true);
        method.setReturn(false);
        return method;
    }

    /** Draws a reference that has its interface and nothing else yet. */
    private interface Blueprint<T> {
        ReferenceConfig<T> draw();
    }
}
