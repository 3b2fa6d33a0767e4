package metaproxy.interop.consumer;

import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import metaproxy.interop.api.Order;
import metaproxy.interop.api.PaymentRefused;
import metaproxy.interop.dubbo.Failures;
import metaproxy.interop.dubbo.Generic;

/** Calls without the interface: {@code $invoke} and {@code $invokeAsync}, objects as maps. */
final class GenericScenarios {
    private static final String[] ORDER = {Order.class.getName()};

    private GenericScenarios() {}

    static void sync(Session session) {
        Generic generic = session.generic();
        requireAnswered(generic.invoke("placeOrder", ORDER, new Object[] {order()}));
        String[] text = {"java.lang.String"};
        Require.equal("no result", null, generic.invoke("findOrder", text, new Object[] {"x"}));
        String[] textAndAmount = {"java.lang.String", "java.math.BigDecimal"};
        Object[] tooMuch = {"order-1", new BigDecimal("2000")};
        RuntimeException refused = Require.thrown(
                RuntimeException.class, () -> generic.invoke("pay", textAndAmount, tooMuch));
        Require.equal("exception class", PaymentRefused.class.getName(), Failures.thrownByName(refused));
    }

    static void async(Session session) throws Exception {
        requireAnswered(session.generic()
                .invokeAsync("placeOrder", ORDER, new Object[] {order()})
                .get(20, TimeUnit.SECONDS));
    }

    private static Map<String, Object> order() {
        Map<String, Object> home = new LinkedHashMap<>();
        home.put("class", "metaproxy.interop.api.Address");
        home.put("city", "東京");
        Map<String, Object> customer = new LinkedHashMap<>();
        customer.put("class", "metaproxy.interop.api.Customer");
        customer.put("name", "Zoë");
        customer.put("vip", true);
        customer.put("home", home);
        Map<String, Object> order = new LinkedHashMap<>();
        order.put("class", ORDER[0]);
        order.put("id", 42L);
        order.put("state", "SHIPPED");
        order.put("total", new BigDecimal("1.50"));
        order.put("customer", customer);
        order.put("labels", new LinkedHashMap<>(Map.of("k", "v")));
        return order;
    }

    private static void requireAnswered(Object answer) {
        Require.that(answer instanceof Map, "the answer is no map: " + answer);
        Map<?, ?> order = (Map<?, ?>) answer;
        Require.equal("class", ORDER[0], order.get("class"));
        Require.equal("id", 42L, order.get("id"));
        Require.equal("state", "SHIPPED", order.get("state"));
        Require.equal("total", new BigDecimal("1.50"), order.get("total"));
        Require.equal("labels", Map.of("k", "v"), order.get("labels"));
        Require.that(order.get("servedBy") != null, "the order was not labelled by a provider");
        Require.that(order.get("customer") instanceof Map, "the customer is no map: " + order.get("customer"));
        Map<?, ?> customer = (Map<?, ?>) order.get("customer");
        Require.equal("customer.name", "Zoë", customer.get("name"));
        Require.equal("customer.vip", true, customer.get("vip"));
        Require.that(customer.get("home") instanceof Map<?, ?> home && List.of("東京").contains(home.get("city")),
                "unexpected customer.home: " + customer.get("home"));
    }
}
