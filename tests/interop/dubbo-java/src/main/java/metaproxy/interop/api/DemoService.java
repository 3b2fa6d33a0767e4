package metaproxy.interop.api;

import java.math.BigDecimal;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** One method for each shape of call that a proxy between two Dubbo applications has to carry. */
public interface DemoService {
    /** The label of the provider that answers. */
    String whoAmI();

    /** The same order, with {@code servedBy} set to the provider's label. */
    Order placeOrder(Order order);

    /** The same sample. */
    Sample echoSample(Sample sample);

    /** All arguments as one text. */
    String join(
            boolean flag, int number, long big, double real, String text, Date when, BigDecimal amount, byte[] bytes,
            String[] words);

    /** The same orders, each with {@code servedBy} set. */
    List<Order> echoOrders(List<Order> orders);

    /** The same items, of whatever types. */
    List<Object> echoItems(List<Object> items);

    /** The same orders under the same keys, each with {@code servedBy} set. */
    Map<String, Order> echoOrdersByKey(Map<String, Order> orders);

    /** The same entries, of whatever types. */
    Map<Object, Object> echoEntries(Map<Object, Object> entries);

    /** Refuses every amount above 1000. */
    String pay(String orderId, BigDecimal amount) throws PaymentRefused;

    /** Always throws an {@link IllegalStateException} with this message, which no signature declares. */
    String fail(String message);

    /** Finds nothing: the result is always null. */
    Order findOrder(String id);

    /** Adds one to the counter and returns nothing. */
    void touch(String counter);

    /** Like {@link #touch}; consumers call it one way, without waiting for a reply. */
    void note(String counter);

    /** How often {@link #touch} and {@link #note} were called with this counter. */
    int count(String counter);

    /** The text, after some time, answered from another thread. */
    CompletableFuture<String> later(String text, int millis);

    /** The provider's label, after some time. */
    String sleep(int millis);

    /** The same bytes. */
    byte[] echoBytes(byte[] bytes);

    /** The same text. */
    String echoText(String text);

    /** The attachments that arrived; each {@code x-…} comes back as a response attachment {@code reply-x-…} too. */
    Map<String, Object> echoAttachments();

    /** A method that nobody serves: consumers may call it, providers throw {@link IllegalStateException}. */
    String unknown();
}
