package metaproxy.interop.consumer;

import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import metaproxy.interop.api.WatchService;

/** Calls that the provider makes to an object of ours. */
final class CallbackScenarios {
    private CallbackScenarios() {}

    static void callback(Session session) {
        WatchService service = session.watching();
        String topic = UUID.randomUUID().toString();
        List<String> heard = new CopyOnWriteArrayList<>();
        WatchService.Watcher watcher = text -> {
            heard.add(text);
            return "heard " + text;
        };
        String answer = service.watch(topic, watcher);
        Require.that(
                answer.startsWith("heard welcome to " + topic + " from "), "our own answer did not come back: " + answer);
        int calls = session.options().number("calls", 5);
        for (int call = 0; call < calls; call++) {
            Require.equal("watchers", 1, service.tell(topic, "news " + call));
            Require.equal("the last that was heard", "news " + call, heard.get(heard.size() - 1));
        }
        Require.equal("calls that came back", calls + 1, heard.size());
        service.unwatch(topic, watcher);
        Require.equal("watchers after all", 0, service.tell(topic, "nobody hears it"));
        Require.equal("calls that came back in the end", calls + 1, heard.size());
    }
}
