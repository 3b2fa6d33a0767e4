package metaproxy.interop;

/** A command line that cannot be obeyed; its message tells the person who typed it why. */
public final class UsageException extends RuntimeException {
    public UsageException(String message) {
        super(message);
    }
}
