package metaproxy.interop.provider;

/** The name of one provider process, by which tests tell who answered. */
record Label(String text) {}
