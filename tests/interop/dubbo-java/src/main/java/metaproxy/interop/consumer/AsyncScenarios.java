package metaproxy.interop.consumer;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.dubbo.Embedded;

/** Calls that do not wait their turn: one way, asynchronous, many at once. */
final class AsyncScenarios {
    private static final long WAIT_SECONDS = 20;

    private AsyncScenarios() {}

    static void oneway(Session session) throws InterruptedException {
        DemoService demo = session.demo();
        String counter = UUID.randomUUID().toString();
        int sent = session.options().number("calls", 5);
        for (int call = 0; call < sent; call++) {
            demo.note(counter);
        }
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (demo.count(counter) < sent && System.nanoTime() < deadline) {
            Thread.sleep(20);
        }
        Require.equal("one-way calls received", sent, demo.count(counter));
    }

    /** The consumer does not wait, though the method returns no future. */
    static void async(Session session) throws Exception {
        DemoService demo = session.demo();
        inOrder(Embedded.async(() -> demo.sleep(500)), Embedded.async(() -> demo.sleep(1)));
    }

    /** The method returns a future, which the provider completes from another thread. */
    static void future(Session session) throws Exception {
        DemoService demo = session.demo();
        inOrder(demo.later("slow", 500), demo.later("fast", 1));
    }

    private static void inOrder(CompletableFuture<String> slow, CompletableFuture<String> fast) throws Exception {
        List<String> order = new ArrayList<>();
        CompletableFuture<Void> second = slow.thenAccept(text -> record(order, "slow"));
        CompletableFuture<Void> first = fast.thenAccept(text -> record(order, "fast"));
        CompletableFuture.allOf(first, second).get(WAIT_SECONDS, TimeUnit.SECONDS);
        Require.equal("order of the answers", List.of("fast", "slow"), order);
    }

    private static void record(List<String> order, String text) {
        synchronized (order) {
            order.add(text);
        }
    }

    static void concurrent(Session session) throws Exception {
        DemoService demo = session.demo();
        int calls = session.options().number("calls", 200);
        ExecutorService threads = Executors.newFixedThreadPool(session.options().number("threads", 8));
        try {
            List<Future<String>> answers = new ArrayList<>();
            for (int call = 0; call < calls; call++) {
                String text = text(call);
                answers.add(threads.submit(() -> demo.echoText(text)));
            }
            for (int call = 0; call < calls; call++) {
                Require.equal("answer " + call, text(call), answers.get(call).get(WAIT_SECONDS, TimeUnit.SECONDS));
            }
        } finally {
            threads.shutdownNow();
        }
    }

    /** Texts of 7 to about 6,500 characters, no two alike. */
    private static String text(int call) {
        return "call " + call + "-" + "x".repeat(call * 37 % 6_500);
    }
}
