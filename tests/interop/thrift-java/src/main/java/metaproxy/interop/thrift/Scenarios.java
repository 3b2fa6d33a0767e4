package metaproxy.interop.thrift;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import metaproxy.interop.thrift.gen.Ghost;
import metaproxy.interop.thrift.gen.Greeter;
import metaproxy.interop.thrift.gen.Refused;
import metaproxy.interop.thrift.gen.Sample;
import metaproxy.interop.thrift.gen.Shop;
import metaproxy.interop.thrift.ident.Ident;
import org.apache.thrift.TApplicationException;
import org.apache.thrift.TException;

/** Scenarios against one address; each returns what it has to tell, or the empty text, and throws if it fails. */
final class Scenarios {
    private static final int LARGE = 16 << 20;
    private static final List<String> ORDER = List.of(
            "basic", "nested", "truths", "containers", "uuid", "uuids", "large", "void", "declared", "undeclared", "unknown",
            "oneway", "concurrent");

    private static final List<UUID> UUIDS =
            List.of(new UUID(0, 0), UUID.fromString("80000000-0000-4000-8000-000000000001"));

    private final Wire wire;
    private final String address;

    Scenarios(Wire wire, String address) {
        this.wire = wire;
        this.address = address;
    }

    List<String> all() {
        return wire.isMultiplexed() ? List.of("multiplexed", "basic") : ORDER;
    }

    String run(String scenario) throws Exception {
        String[] words = scenario.split(":", 2);
        if (words[0].equals("concurrent")) {
            return concurrent();
        }
        try (Wire.Connection connection = wire.connect(address)) {
            Shop.Client shop = new Shop.Client(connection.service("Shop"));
            return switch (words[0]) {
                case "basic", "nested", "truths", "containers" -> sample(shop, Samples.ALL.get(words[0]));
                case "uuid" -> ident(shop, new Ident(UUID.fromString("00112233-4455-4677-8899-aabbccddeeff"), null));
                case "uuids" -> ident(shop, new Ident(UUIDS.get(1), UUIDS));
                case "large" -> large(shop);
                case "void" -> nothing(shop);
                case "declared" -> declared(shop);
                case "undeclared" -> application(shop, () -> shop.fail("broken"));
                case "unknown" -> application(shop, new Ghost.Client(connection.service("Ghost"))::vanish);
                case "oneway" -> oneway(shop);
                case "multiplexed" -> multiplexed(connection, shop);
                case "outcome" -> outcome(connection, shop, words[1]);
                default -> throw new IllegalArgumentException("no such scenario");
            };
        }
    }

    private static void require(boolean held, String why) {
        if (!held) {
            throw new AssertionError(why);
        }
    }

    private static String sample(Shop.Client shop, Sample sample) throws TException {
        Sample came = shop.echo(sample);
        require(came.equals(sample), came + " came back for " + sample);
        return "";
    }

    private static String ident(Shop.Client shop, Ident ident) throws TException {
        Ident came = shop.ident(ident);
        require(came.equals(ident), came + " came back for " + ident);
        return "";
    }

    private static String large(Shop.Client shop) throws TException {
        ByteBuffer payload = Samples.bytes(LARGE);
        require(shop.bytes(payload).equals(payload), "another payload came back");
        return "";
    }

    private static String nothing(Shop.Client shop) throws TException {
        shop.nothing();
        return "";
    }

    private static String declared(Shop.Client shop) throws TException {
        try {
            throw new AssertionError(shop.refuse("too much") + " came back");
        } catch (Refused refused) {
            require(refused.getReason().equals("too much") && refused.getCode() == 42, refused.toString());
        }
        shop.whoAmI();
        return "";
    }

    private interface Call {
        String make() throws TException;
    }

    /** Tells of a TApplicationException, after which the connection is still of use. */
    private static String application(Shop.Client shop, Call call) throws TException {
        try {
            throw new AssertionError(call.make() + " came back");
        } catch (TApplicationException exception) {
            shop.whoAmI();
            return exception.getType() + " " + exception.getMessage();
        }
    }

    private static String oneway(Shop.Client shop) throws TException {
        String key = UUID.randomUUID().toString();
        for (int n = 0; n < 5; n++) {
            shop.note(key);
        }
        long end = System.nanoTime() + 10_000_000_000L;
        while (shop.noted(key) < 5) {
            require(System.nanoTime() < end, "the notes did not arrive");
        }
        return "";
    }

    private String concurrent() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                int number = thread;
                all.add(pool.submit(() -> some(number)));
            }
            for (Future<?> one : all) {
                one.get();
            }
        } finally {
            pool.shutdownNow();
        }
        return "";
    }

    private Void some(int thread) throws TException {
        try (Wire.Connection connection = wire.connect(address)) {
            Shop.Client shop = new Shop.Client(connection.service("Shop"));
            for (int number = 0; number < 25; number++) {
                byte[] payload = (thread + "/" + number).getBytes(StandardCharsets.UTF_8);
                ByteBuffer came = shop.bytes(ByteBuffer.wrap(payload));
                require(came.equals(ByteBuffer.wrap(payload)), "another payload came back");
            }
        }
        return null;
    }

    private static String multiplexed(Wire.Connection connection, Shop.Client shop) throws TException {
        String label = shop.whoAmI();
        String greeting = new Greeter.Client(connection.service("Greeter")).greet("you");
        require(greeting.startsWith("hello you, this is "), greeting);
        return label;
    }

    /** What became of one call, in words. */
    private static String outcome(Wire.Connection connection, Shop.Client shop, String words) throws TException {
        String[] parts = words.split(",");
        try {
            return "reply " + switch (parts[0]) {
                case "whoAmI" -> shop.whoAmI();
                case "nothing" -> nothing(shop);
                case "sleep" -> shop.sleep(Integer.parseInt(parts[1]));
                case "greet" -> new Greeter.Client(connection.service("Greeter")).greet(parts[1]);
                case "vanish" -> new Ghost.Client(connection.service("Ghost")).vanish();
                default -> throw new IllegalArgumentException("no such method");
            };
        } catch (TApplicationException exception) {
            return "exception " + exception.getType() + " " + exception.getMessage();
        }
    }
}
