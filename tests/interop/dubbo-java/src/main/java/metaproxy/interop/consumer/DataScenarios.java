package metaproxy.interop.consumer;

import java.math.BigDecimal;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.Order;
import metaproxy.interop.api.Sample;
import metaproxy.interop.dubbo.Attachments;

/** What arguments and results may be: objects, lists, maps, nothing, much. */
final class DataScenarios {
    private DataScenarios() {}

    static void pojo(Session session) {
        Order order = Orders.order(1);
        Orders.requireAnswered(order, session.demo().placeOrder(order));
    }

    static void sample(Session session) throws Exception {
        Sample sent = sample();
        Sample actual = session.demo().echoSample(sent);
        for (var property : java.beans.Introspector.getBeanInfo(Sample.class, Object.class).getPropertyDescriptors()) {
            var getter = property.getReadMethod();
            Require.equal(property.getName(), getter.invoke(sent), getter.invoke(actual));
        }
    }

    private static Sample sample() {
        Sample sample = new Sample();
        sample.setFlag(true);
        sample.setTiny((byte) -128);
        sample.setSmall((short) 32_000);
        sample.setLetter('ß');
        sample.setNumber(Integer.MIN_VALUE);
        sample.setBig(Long.MAX_VALUE);
        sample.setSingle(0.1f);
        sample.setReal(-1234.5678e90);
        sample.setBytes(new byte[] {0, 1, -1});
        sample.setNumbers(new int[] {0, -17, 300_000});
        sample.setBigs(new long[] {-8, 2047, 1L << 40});
        sample.setReals(new double[] {0.0, 1.0, 127.0, 3.25});
        sample.setWords(new String[] {"", "one", null});
        sample.setLinked(new LinkedList<>(List.of(1L, 2L)));
        sample.setTags(new LinkedHashSet<>(List.of("a", "b")));
        sample.setSorted(new TreeMap<>(Map.of("k", 1)));
        sample.setAt(LocalDateTime.of(2024, 2, 29, 12, 30, 1, 5_000_000));
        sample.setAnything("a text in a field of type Object");
        return sample;
    }

    static void arguments(Session session) {
        String joined = session.demo().join(
                true, -7, 1L << 33, 2.5, "täxt", new Date(1_700_000_040_000L), new BigDecimal("9.90"),
                new byte[] {1, 2}, new String[] {"x", "y"});
        Require.equal("joined", "true|-7|8589934592|2.5|täxt|1700000040000|9.90|[1, 2]|[x, y]", joined);
    }

    static void list(Session session) {
        DemoService demo = session.demo();
        List<List<Order>> lists = isPlain(session)
                ? List.of(new ArrayList<>()) : List.of(new ArrayList<>(), new LinkedList<>());
        for (List<Order> sent : lists) {
            sent.addAll(List.of(Orders.order(1), Orders.order(2)));
            List<Order> actual = demo.echoOrders(sent);
            Require.equal("number of orders", sent.size(), actual.size());
            for (int at = 0; at < sent.size(); at++) {
                Orders.requireAnswered(sent.get(at), actual.get(at));
            }
        }
        List<Object> items = new ArrayList<>(Arrays.asList(
                1, "two", 3L << 40, 4.5, null, true, new Date(60_000), new ArrayList<>(List.of("nested")),
                new LinkedHashMap<>(Map.of("k", "v")), Orders.order(3), new BigDecimal("1.10")));
        List<Object> actual = demo.echoItems(items);
        Require.equal("number of items", items.size(), actual.size());
        Orders.requireSame((Order) items.remove(9), (Order) actual.remove(9));
        Require.equal("items", items, actual);
        Require.equal("an empty list", List.of(), demo.echoItems(new ArrayList<>()));
    }

    static void map(Session session) {
        DemoService demo = session.demo();
        List<Map<String, Order>> maps = isPlain(session)
                ? List.of(new HashMap<>()) : List.of(new HashMap<>(), new TreeMap<>());
        for (Map<String, Order> sent : maps) {
            sent.put("first", Orders.order(1));
            sent.put("second", Orders.order(2));
            Map<String, Order> actual = demo.echoOrdersByKey(sent);
            Require.equal("keys", sent.keySet(), actual.keySet());
            sent.forEach((key, order) -> Orders.requireAnswered(order, actual.get(key)));
        }
        Map<Object, Object> entries = new HashMap<>();
        entries.put("text", 1);
        entries.put("none", null);
        entries.put("list", new ArrayList<>(List.of(1, "two")));
        entries.put("order", Orders.order(3));
        Map<Object, Object> actual = demo.echoEntries(entries);
        Orders.requireSame((Order) entries.remove("order"), (Order) actual.remove("order"));
        Require.equal("entries", entries, actual);
    }

    /** Whether no collection shall bear its own type on the wire, which dubbo-go cannot read. */
    private static boolean isPlain(Session session) {
        return Boolean.parseBoolean(session.options().text("plain", "false"));
    }

    static void nothing(Session session) {
        Require.equal("result", null, session.demo().findOrder("none"));
        Require.equal("null for null", null, session.demo().echoText(null));
    }

    static void voidResult(Session session) {
        DemoService demo = session.demo();
        String counter = UUID.randomUUID().toString();
        demo.touch(counter);
        Require.that(Attachments.replied().get("served-by") != null, "the reply does not say who served it");
        Require.equal("count", 1, demo.count(counter));
    }

    static void payload(Session session) {
        int size = session.options().number("size", 4 << 20);
        byte[] bytes = new byte[size];
        for (int at = 0; at < size; at++) {
            bytes[at] = (byte) (at * 31 + at / 251);
        }
        Require.that(Arrays.equals(bytes, session.demo().echoBytes(bytes)), size + " bytes came back changed");
        String text = "0123456789abcde\n".repeat(size / 16);
        Require.that(text.equals(session.demo().echoText(text)), "a text of " + text.length() + " came back changed");
    }

    static void groupVersion(Session session) {
        String greeting = session.greeting().greet("Ann");
        String expected = "Hello Ann from " + session.options().text("expect", "");
        Require.that(greeting.startsWith(expected), "expected `" + expected + "…`, got: " + greeting);
    }
}
