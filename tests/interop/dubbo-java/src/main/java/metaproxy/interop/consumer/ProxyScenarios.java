package metaproxy.interop.consumer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import metaproxy.interop.dubbo.Attachments;
import metaproxy.interop.dubbo.Failures;

/** What only a proxy decides: who answers, and what a call that it does not let through looks like. */
final class ProxyScenarios {
    private ProxyScenarios() {}

    /** Calls {@code whoAmI} several times and prints how often each provider answered. */
    static void who(Session session) {
        int calls = session.options().number("calls", 10);
        Map<String, Integer> counts = new TreeMap<>();
        for (int call = 0; call < calls; call++) {
            session.options().pairs("attachment").forEach(Attachments::send);
            counts.merge(session.demo().whoAmI(), 1, Integer::sum);
        }
        session.out().println(Json.text(Map.of("who", counts)));
        String expected = session.options().text("expect", null);
        if (expected != null) {
            Require.equal("who answered", Map.of(expected, calls), counts);
        }
    }

    /** Calls {@code whoAmI} and prints the attachments of its reply. */
    static void replied(Session session) {
        session.options().pairs("attachment").forEach(Attachments::send);
        session.demo().whoAmI();
        Map<String, Object> texts = new TreeMap<>();
        Attachments.replied().forEach((name, value) -> texts.put(name, String.valueOf(value)));
        session.out().println(Json.text(Map.of("replied", texts)));
    }

    /** Makes the same call {@code parallel} times at once, and prints how each ended. */
    static void callError(Session session) throws Exception {
        int parallel = session.options().number("parallel", 1);
        ExecutorService threads = Executors.newFixedThreadPool(parallel);
        List<Map<String, Object>> endings = new ArrayList<>();
        try {
            NamedCall call = NamedCall.of(session);
            List<Future<Map<String, Object>>> pending = new ArrayList<>();
            for (int one = 0; one < parallel; one++) {
                pending.add(threads.submit(() -> ending(call)));
            }
            for (Future<Map<String, Object>> one : pending) {
                Map<String, Object> ending = one.get(60, TimeUnit.SECONDS);
                session.out().println(Json.text(Map.of("call-error", ending)));
                endings.add(ending);
            }
        } finally {
            threads.shutdownNow();
        }
        requireExpected(session.options(), endings);
    }

    private static Map<String, Object> ending(NamedCall call) {
        Map<String, Object> ending = new LinkedHashMap<>();
        ending.put("method", call.method());
        long start = System.nanoTime();
        try {
            Object reply = call.make();
            ending.put("outcome", "reply");
            ending.put("reply", String.valueOf(reply));
        } catch (Throwable failure) {
            ending.put("outcome", "error");
            ending.putAll(withCauses(failure));
        }
        ending.put("millis", TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start));
        return ending;
    }

    /** A failure and all its causes. */
    static Map<String, Object> withCauses(Throwable failure) {
        Map<String, Object> description = described(failure);
        List<Map<String, Object>> causes = new ArrayList<>();
        for (Throwable cause = failure.getCause(); cause != null; cause = cause.getCause()) {
            causes.add(described(cause));
        }
        description.put("causes", causes);
        return description;
    }

    private static Map<String, Object> described(Throwable failure) {
        Map<String, Object> description = new LinkedHashMap<>();
        description.put("exception", failure.getClass().getName());
        description.put("code", Failures.code(failure));
        description.put("message", failure.getMessage());
        return description;
    }

    /** Dubbo wraps an RpcException that it received, so a cause may bear the expected code or message too. */
    private static void requireExpected(Options options, List<Map<String, Object>> endings) {
        String code = options.text("expect-code", null);
        String message = options.text("expect-message", null);
        for (Map<String, Object> ending : endings) {
            String shown = Json.text(ending);
            Require.that(code == null || shown.contains("\"code\":" + code + ","), "no code " + code + ": " + shown);
            Require.that(message == null || shown.contains(message), "no `" + message + "`: " + shown);
        }
    }
}
