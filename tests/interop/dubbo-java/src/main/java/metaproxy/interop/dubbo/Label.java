package metaproxy.interop.dubbo;

/** The name of one provider process, by which tests tell who answered. */
public record Label(String text) {}
