package metaproxy.interop.provider;

import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.Order;
import metaproxy.interop.api.PaymentRefused;
import metaproxy.interop.api.Sample;
import metaproxy.interop.dubbo.Attachments;
import metaproxy.interop.dubbo.Label;

/** Serves {@link DemoService} in the name of one provider. */
final class LabelledDemoService implements DemoService {
    private static final BigDecimal LIMIT = new BigDecimal("1000.00");

    private final Label label;
    private final Map<String, Integer> counters = new ConcurrentHashMap<>();

    LabelledDemoService(Label label) {
        this.label = label;
    }

    @Override
    public String whoAmI() {
        return label.text();
    }

    @Override
    public Order placeOrder(Order order) {
        order.setServedBy(label.text());
        return order;
    }

    @Override
    public Sample echoSample(Sample sample) {
        return sample;
    }

    @Override
    public String join(
            boolean flag, int number, long big, double real, String text, Date when, BigDecimal amount, byte[] bytes,
            String[] words) {
        return String.join(
                "|",
                String.valueOf(flag),
                String.valueOf(number),
                String.valueOf(big),
                String.valueOf(real),
                text,
                String.valueOf(when.getTime()),
                amount.toPlainString(),
                Arrays.toString(bytes),
                Arrays.toString(words));
    }

    @Override
    public List<Order> echoOrders(List<Order> orders) {
        orders.forEach(this::placeOrder);
        return orders;
    }

    @Override
    public List<Object> echoItems(List<Object> items) {
        return items;
    }

    @Override
    public Map<String, Order> echoOrdersByKey(Map<String, Order> orders) {
        orders.values().forEach(this::placeOrder);
        return orders;
    }

    @Override
    public Map<Object, Object> echoEntries(Map<Object, Object> entries) {
        return entries;
    }

    @Override
    public String pay(String orderId, BigDecimal amount) throws PaymentRefused {
        if (amount.compareTo(LIMIT) > 0) {
            throw new PaymentRefused(label.text() + " refuses " + amount.toPlainString(), orderId, LIMIT);
        }
        return label.text() + " took " + amount.toPlainString();
    }

    @Override
    public String fail(String message) {
        throw new IllegalStateException(message);
    }

    @Override
    public Order findOrder(String id) {
        return null;
    }

    @Override
    public void touch(String counter) {
        counters.merge(counter, 1, Integer::sum);
    }

    @Override
    public void note(String counter) {
        touch(counter);
    }

    @Override
    public int count(String counter) {
        return counters.getOrDefault(counter, 0);
    }

    @Override
    public CompletableFuture<String> later(String text, int millis) {
        return CompletableFuture.supplyAsync(
                () -> text, CompletableFuture.delayedExecutor(millis, TimeUnit.MILLISECONDS));
    }

    @Override
    public String sleep(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        return label.text();
    }

    @Override
    public byte[] echoBytes(byte[] bytes) {
        return bytes;
    }

    @Override
    public String echoText(String text) {
        return text;
    }

    @Override
    public Map<String, Object> echoAttachments() {
        Map<String, Object> received = Attachments.received();
        received.forEach((name, value) -> {
            if (name.startsWith("x-")) {
                Attachments.reply("reply-" + name, value);
            }
        });
        return received;
    }

    @Override
    public String unknown() {
        throw new IllegalStateException("DemoService.unknown is served by nobody");
    }
}
