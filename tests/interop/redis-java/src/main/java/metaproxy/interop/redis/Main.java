package metaproxy.interop.redis;

import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** Jedis and Lettuce as clients; see redis.md beside the folder. */
public final class Main {
    static final int PATIENCE = 30;

    /** What a scenario is told. */
    record Words(String host, int port, String prefix, int resp, String user, String password) {
        String key(String name) {
            return prefix + name;
        }

        String[] keys(String... names) {
            String[] made = names.clone();
            for (int n = 0; n < made.length; n++) {
                made[n] = key(made[n]);
            }
            return made;
        }
    }

    private static final List<String> SCENARIOS = List.of("client", "strings", "binary", "large", "pipeline", "transaction",
            "watch", "pubsub", "sharded", "blocking", "streams", "scripts", "functions", "resp3", "caching", "select", "auth",
            "scan", "hashes", "sets", "sorted", "geo", "hyperloglog", "expire", "encoding", "errors", "pool", "monitor", "reset");

    private Main() {}

    public static void main(String[] words) throws Exception {
        if (words.length < 2 || !List.of("jedis", "lettuce").contains(words[0])) {
            System.err.println("jedis|lettuce HOST:PORT [--prefix P] [--resp 2|3] [--user NAME:PASSWORD] [SCENARIO ...]");
            System.exit(2);
        }
        Map<String, String> flags = new HashMap<>(Map.of("--prefix", words[0] + ":", "--resp", "0", "--user", ":"));
        List<String> chosen = new ArrayList<>();
        for (int n = 2; n < words.length; n++) {
            if (flags.containsKey(words[n])) {
                flags.put(words[n], words[++n]);
            } else {
                chosen.add(words[n]);
            }
        }
        int colon = words[1].lastIndexOf(':');
        String[] user = flags.get("--user").split(":", 2);
        Words told = new Words(words[1].substring(0, colon), Integer.parseInt(words[1].substring(colon + 1)),
                flags.get("--prefix"), Integer.parseInt(flags.get("--resp")), user[0], user[1]);
        Object scenarios = words[0].equals("jedis") ? new JedisScenarios(told) : new LettuceScenarios(told);
        System.exit(run(scenarios, chosen.isEmpty() ? all(scenarios, told) : chosen));
    }

    /** All that the library can do. */
    private static List<String> all(Object scenarios, Words told) {
        List<String> names = new ArrayList<>(SCENARIOS);
        names.removeIf(name -> method(scenarios, name) == null);
        names.removeIf(name -> told.resp() == 2 && List.of("resp3", "caching").contains(name));
        names.removeIf(name -> told.user().isEmpty() && name.equals("auth"));
        return names;
    }

    private static java.lang.reflect.Method method(Object scenarios, String name) {
        try {
            return scenarios.getClass().getDeclaredMethod(name + "Scenario");
        } catch (NoSuchMethodException none) {
            return null;
        }
    }

    private static int run(Object scenarios, List<String> names) {
        ExecutorService one = Executors.newCachedThreadPool();
        int code = 0;
        for (String name : names) {
            try {
                Future<?> ended = one.submit(() -> method(scenarios, name).invoke(scenarios));
                ended.get(PATIENCE, TimeUnit.SECONDS);
                System.out.println("ok " + name);
            } catch (Exception failure) {
                code = 1;
                Throwable why = failure;
                while (why.getCause() != null
                        && (why instanceof InvocationTargetException || why instanceof java.util.concurrent.ExecutionException)) {
                    why = why.getCause();
                }
                String text = (why + " at " + List.of(why.getStackTrace()).stream()
                        .filter(at -> at.getClassName().startsWith("metaproxy")).limit(3).toList()).replaceAll("\\s+", " ");
                System.out.println("failed " + name + ": " + text.substring(0, Math.min(500, text.length())));
            }
        }
        return code;
    }

    /** Fails unless both are equal, or are written alike. */
    static void same(Object came, Object expected) {
        boolean alike = came instanceof byte[] one && expected instanceof byte[] other
                ? java.util.Arrays.equals(one, other)
                : Objects.equals(came, expected) || String.valueOf(came).equals(String.valueOf(expected));
        if (!alike) {
            throw new AssertionError(came + " came, not " + expected);
        }
    }

    /** Something that may fail. */
    interface Attempt {
        void run() throws Exception;
    }

    /** Fails unless that fails with such a text. */
    static void refused(String text, Attempt attempt) {
        try {
            attempt.run();
        } catch (Exception failure) {
            for (Throwable why = failure; why != null; why = why.getCause()) {
                if (String.valueOf(why.getMessage()).contains(text)) {
                    return;
                }
            }
            throw new AssertionError(failure + " came, not " + text);
        }
        throw new AssertionError("it went well, though it ought to say " + text);
    }

    /** 0 to 255, and what looks like RESP. */
    static byte[] raw() {
        byte[] tail = "\r\n$5\r\n*1\r\n".getBytes(java.nio.charset.StandardCharsets.UTF_8);
        byte[] raw = new byte[256 + tail.length];
        for (int n = 0; n < 256; n++) {
            raw[n] = (byte) n;
        }
        System.arraycopy(tail, 0, raw, 256, tail.length);
        return raw;
    }

    static byte[] large(int size) {
        byte[] value = new byte[size];
        for (int n = 0; n < size; n++) {
            value[n] = (byte) (n * 31 >> 3);
        }
        return value;
    }
}
