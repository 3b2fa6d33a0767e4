package metaproxy.interop.consumer;

import java.util.Objects;

/** Fails a scenario with a sentence that says what was wrong. */
final class Require {
    private Require() {}

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(String what, Object expected, Object actual) {
        that(Objects.deepEquals(expected, actual), what + " is " + shown(actual) + ", expected " + shown(expected));
    }

    private static String shown(Object value) {
        String text = value + (value == null ? "" : " (" + value.getClass().getSimpleName() + ")");
        return text.length() <= 200 ? text : text.substring(0, 200) + "…";
    }

    /** Runs what must throw a {@code type}, and returns the exception. */
    static <T extends Throwable> T thrown(Class<T> type, Call call) {
        try {
            call.run();
        } catch (Throwable failure) {
            that(type.isInstance(failure), "expected " + type.getName() + ", caught " + failure);
            return type.cast(failure);
        }
        throw new AssertionError("expected " + type.getName() + ", but the call succeeded");
    }

    /** A call that may throw. */
    interface Call {
        void run() throws Throwable;
    }
}
