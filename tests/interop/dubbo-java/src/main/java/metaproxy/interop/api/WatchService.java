package metaproxy.interop.api;

/** Calls that go the other way: a client hands over an object, and the provider calls it. */
public interface WatchService {
    /** Calls {@code watcher} at once, keeps it for {@link #tell}, and returns what it answered. */
    String watch(String topic, Watcher watcher);

    /** Calls all that watch {@code topic}, and returns their number. */
    int tell(String topic, String text);

    /** Forgets the watcher. */
    void unwatch(String topic, Watcher watcher);

    /** What a client hands over. */
    interface Watcher {
        /** Something about the text that shows that it was this client who answered. */
        String changed(String text);
    }
}
