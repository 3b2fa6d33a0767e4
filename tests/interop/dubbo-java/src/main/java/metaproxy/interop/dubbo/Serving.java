package metaproxy.interop.dubbo;

/** A provider that listens; {@code serialization} is empty where Dubbo decides, {@code heartbeat} is in milliseconds. */
public record Serving(String host, int port, String serialization, int heartbeat, String shutdownWait, Label label) {}
