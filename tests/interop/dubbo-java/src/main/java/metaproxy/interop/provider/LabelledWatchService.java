package metaproxy.interop.provider;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import metaproxy.interop.api.WatchService;
import metaproxy.interop.dubbo.Label;

/** Calls back in the name of one provider. */
final class LabelledWatchService implements WatchService {
    private final Label label;
    private final Map<String, List<Watcher>> watchers = new ConcurrentHashMap<>();

    LabelledWatchService(Label label) {
        this.label = label;
    }

    @Override
    public String watch(String topic, Watcher watcher) {
        watchers.computeIfAbsent(topic, name -> new CopyOnWriteArrayList<>()).add(watcher);
        return watcher.changed("welcome to " + topic + " from " + label.text());
    }

    @Override
    public int tell(String topic, String text) {
        List<Watcher> all = watchers.getOrDefault(topic, List.of());
        all.forEach(watcher -> watcher.changed(text));
        return all.size();
    }

    @Override
    public void unwatch(String topic, Watcher watcher) {
        watchers.remove(topic);
    }
}
