package metaproxy.interop.consumer;

/** One named check; it fails by throwing. */
interface Scenario {
    void run(Session session) throws Exception;
}
