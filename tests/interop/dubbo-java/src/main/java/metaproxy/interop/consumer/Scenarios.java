package metaproxy.interop.consumer;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import metaproxy.interop.UsageException;

/** All scenarios by name. */
final class Scenarios {
    private static final Map<String, Scenario> ALL = new LinkedHashMap<>();

    /** Those that need nothing but a provider; run when none is named. */
    static final List<String> DIRECT = List.of(
            "pojo", "sample", "arguments", "list", "map", "business-exception", "runtime-exception", "null", "void",
            "oneway", "async", "future", "generic", "generic-async", "attachments", "payload-4m", "group-version", "concurrent");

    static {
        ALL.put("pojo", DataScenarios::pojo);
        ALL.put("sample", DataScenarios::sample);
        ALL.put("arguments", DataScenarios::arguments);
        ALL.put("list", DataScenarios::list);
        ALL.put("map", DataScenarios::map);
        ALL.put("business-exception", ExceptionScenarios::business);
        ALL.put("runtime-exception", ExceptionScenarios::runtime);
        ALL.put("null", DataScenarios::nothing);
        ALL.put("void", DataScenarios::voidResult);
        ALL.put("oneway", AsyncScenarios::oneway);
        ALL.put("async", AsyncScenarios::async);
        ALL.put("future", AsyncScenarios::future);
        ALL.put("generic", GenericScenarios::sync);
        ALL.put("generic-async", GenericScenarios::async);
        ALL.put("attachments", AttachmentScenarios::attachments);
        ALL.put("payload-4m", DataScenarios::payload);
        ALL.put("group-version", DataScenarios::groupVersion);
        ALL.put("concurrent", AsyncScenarios::concurrent);
        ALL.put("callback", CallbackScenarios::callback);
        ALL.put("who", ProxyScenarios::who);
        ALL.put("call-error", ProxyScenarios::callError);
        ALL.put("replied", ProxyScenarios::replied);
        ALL.put("load", LoadScenarios::load);
        ALL.put("idle", LoadScenarios::idle);
    }

    private Scenarios() {}

    static Scenario named(String name) {
        Scenario scenario = ALL.get(name);
        if (scenario == null) {
            throw new UsageException("unknown scenario `" + name + "`; known: " + ALL.keySet());
        }
        return scenario;
    }
}
