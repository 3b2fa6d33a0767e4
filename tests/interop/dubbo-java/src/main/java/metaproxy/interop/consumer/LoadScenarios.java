package metaproxy.interop.consumer;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import metaproxy.interop.api.DemoService;

/** Calls for as long as somebody else says, or none for a while. */
final class LoadScenarios {
    private LoadScenarios() {}

    /** Calls {@code whoAmI} from several threads until standard input ends, and prints who answered and what failed. */
    static void load(Session session) throws Exception {
        DemoService demo = session.demo();
        int threads = session.options().number("threads", 4);
        int pause = session.options().number("pause", 2);
        Map<String, Integer> counts = new ConcurrentHashMap<>();
        ConcurrentLinkedQueue<Object> failures = new ConcurrentLinkedQueue<>();
        AtomicBoolean isOver = new AtomicBoolean();
        ExecutorService callers = Executors.newFixedThreadPool(threads);
        for (int thread = 0; thread < threads; thread++) {
            callers.submit(() -> {
                while (!isOver.get()) {
                    try {
                        counts.merge(demo.whoAmI(), 1, Integer::sum);
                    } catch (Throwable failure) {
                        failures.add(ProxyScenarios.withCauses(failure));
                    }
                    TimeUnit.MILLISECONDS.sleep(pause);
                }
                return null;
            });
        }
        session.out().println(Json.text(Map.of("load", "running")));
        while (System.in.read() >= 0) {
            // Only the end counts.
        }
        isOver.set(true);
        callers.shutdown();
        Require.that(callers.awaitTermination(30, TimeUnit.SECONDS), "a call did not end");
        List<Object> first = new ArrayList<>(failures).subList(0, Math.min(5, failures.size()));
        Map<String, Object> ending = Map.of("by", new TreeMap<>(counts), "failed", failures.size(), "failures", first);
        session.out().println(Json.text(Map.of("load", ending)));
        Require.equal("calls that failed", 0, failures.size());
    }

    /** Calls, does nothing for {@code millis}, and calls again. */
    static void idle(Session session) throws InterruptedException {
        DemoService demo = session.demo();
        String before = demo.whoAmI();
        Thread.sleep(session.options().number("millis", 2_000));
        Require.equal("who answered afterwards", before, demo.whoAmI());
    }
}
