package metaproxy.interop.api;

import java.io.Serializable;
import java.math.BigDecimal;

/** One position of an {@link Order}; refers back to it, which makes a cycle. */
public class OrderLine implements Serializable {
    private String sku;
    private int quantity;
    private BigDecimal price;
    private Order order;

    public String getSku() {
        return sku;
    }

    public void setSku(String sku) {
        this.sku = sku;
    }

    public int getQuantity() {
        return quantity;
    }

    public void setQuantity(int quantity) {
        this.quantity = quantity;
    }

    public BigDecimal getPrice() {
        return price;
    }

    public void setPrice(BigDecimal price) {
        this.price = price;
    }

    public Order getOrder() {
        return order;
    }

    public void setOrder(Order order) {
        this.order = order;
    }
}
