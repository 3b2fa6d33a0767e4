package metaproxy.interop.api;

/** The second service of the same provider; it is exported with a group and a version. */
public interface GreetingService {
    /** {@code Hello NAME from LABEL}. */
    String greet(String name);
}
