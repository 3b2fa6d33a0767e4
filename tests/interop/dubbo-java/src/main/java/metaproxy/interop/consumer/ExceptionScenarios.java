package metaproxy.interop.consumer;

import java.math.BigDecimal;
import metaproxy.interop.api.PaymentRefused;

/** Exceptions of the provider arrive as themselves. */
final class ExceptionScenarios {
    private ExceptionScenarios() {}

    static void business(Session session) throws PaymentRefused {
        PaymentRefused refused = Require.thrown(
                PaymentRefused.class, () -> session.demo().pay("order-1", new BigDecimal("1000.01")));
        Require.that(refused.getMessage().endsWith(" refuses 1000.01"), "unexpected message: " + refused.getMessage());
        Require.equal("orderId", "order-1", refused.getOrderId());
        Require.equal("limit", new BigDecimal("1000.00"), refused.getLimit());
        String taken = session.demo().pay("order-1", new BigDecimal("5"));
        Require.that(taken.endsWith(" took 5"), "unexpected receipt: " + taken);
    }

    static void runtime(Session session) {
        IllegalStateException failure = Require.thrown(
                IllegalStateException.class, () -> session.demo().fail("kaputt ✗"));
        Require.equal("message", "kaputt ✗", failure.getMessage());
    }
}
