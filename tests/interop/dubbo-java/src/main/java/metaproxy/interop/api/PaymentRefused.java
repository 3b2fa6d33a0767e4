package metaproxy.interop.api;

import java.math.BigDecimal;

/** The declared business exception. */
public class PaymentRefused extends Exception {
    private String orderId;
    private BigDecimal limit;

    public PaymentRefused(String message, String orderId, BigDecimal limit) {
        super(message);
        this.orderId = orderId;
        this.limit = limit;
    }

    public String getOrderId() {
        return orderId;
    }

    public void setOrderId(String orderId) {
        this.orderId = orderId;
    }

    public BigDecimal getLimit() {
        return limit;
    }

    public void setLimit(BigDecimal limit) {
        this.limit = limit;
    }
}
