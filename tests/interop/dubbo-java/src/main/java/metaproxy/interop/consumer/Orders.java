package metaproxy.interop.consumer;

import java.math.BigDecimal;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import metaproxy.interop.api.Address;
import metaproxy.interop.api.Customer;
import metaproxy.interop.api.Order;
import metaproxy.interop.api.OrderLine;
import metaproxy.interop.api.OrderState;

/** Orders to send, and the comparison of what came back. */
final class Orders {
    private Orders() {}

    /** An order with null fields, one address in two places, lines that point back to it, and its own inviter. */
    static Order order(long id) {
        Address home = new Address();
        home.setStreet("Lange Straße 7");
        home.setCity("東京");
        home.setZip("01234");

        Customer customer = new Customer();
        customer.setName("Zoë 🛒");
        customer.setVip(true);
        customer.setHome(home);
        customer.setBilling(home);
        customer.setInvitedBy(customer);

        Order order = new Order();
        order.setId(id);
        order.setTitle("order " + id);
        order.setState(OrderState.PAID);
        order.setTotal(new BigDecimal("12345678901234567890.0123"));
        order.setCreatedAt(new Date(1_700_000_000_123L));
        order.setDueOn(LocalDate.of(2024, 2, 29));
        order.setCustomer(customer);
        order.setLines(new ArrayList<>(List.of(line(order, "apple", 3, "0.99"), line(order, "pear", -1, "1E+3"))));
        order.setLabels(new LinkedHashMap<>(Map.of("colour", "grün")));
        return order;
    }

    private static OrderLine line(Order order, String sku, int quantity, String price) {
        OrderLine line = new OrderLine();
        line.setSku(sku);
        line.setQuantity(quantity);
        line.setPrice(new BigDecimal(price));
        line.setOrder(order);
        return line;
    }

    /** Requires that {@code actual} is {@code sent} with the label of a provider. */
    static void requireAnswered(Order sent, Order actual) {
        requireSame(sent, actual);
        Require.that(actual.getServedBy() != null, "the order was not labelled by a provider");
    }

    /** Requires equal values and the same shape: what was one object is still one object. */
    static void requireSame(Order sent, Order actual) {
        Require.that(actual != null, "there is no order");
        Require.equal("id", sent.getId(), actual.getId());
        Require.equal("title", sent.getTitle(), actual.getTitle());
        Require.equal("note", null, actual.getNote());
        Require.equal("state", sent.getState(), actual.getState());
        Require.equal("total", sent.getTotal(), actual.getTotal());
        Require.equal("createdAt", sent.getCreatedAt(), actual.getCreatedAt());
        Require.equal("dueOn", sent.getDueOn(), actual.getDueOn());
        Require.equal("labels", sent.getLabels(), actual.getLabels());
        requireSameCustomer(sent.getCustomer(), actual.getCustomer());
        Require.equal("number of lines", sent.getLines().size(), actual.getLines().size());
        for (int at = 0; at < sent.getLines().size(); at++) {
            requireSameLine(sent.getLines().get(at), actual.getLines().get(at));
            Require.that(actual.getLines().get(at).getOrder() == actual, "a line does not point back to its order");
        }
    }

    private static void requireSameCustomer(Customer sent, Customer actual) {
        Require.equal("customer.name", sent.getName(), actual.getName());
        Require.equal("customer.vip", sent.isVip(), actual.isVip());
        Require.equal("customer.home.street", sent.getHome().getStreet(), actual.getHome().getStreet());
        Require.equal("customer.home.city", sent.getHome().getCity(), actual.getHome().getCity());
        Require.equal("customer.home.zip", sent.getHome().getZip(), actual.getHome().getZip());
        Require.that(actual.getHome() == actual.getBilling(), "home and billing are no longer one object");
        Require.that(actual.getInvitedBy() == actual, "the customer no longer invited itself");
    }

    private static void requireSameLine(OrderLine sent, OrderLine actual) {
        Require.equal("line.sku", sent.getSku(), actual.getSku());
        Require.equal("line.quantity", sent.getQuantity(), actual.getQuantity());
        Require.equal("line.price", 0, sent.getPrice().compareTo(actual.getPrice()));
    }
}
