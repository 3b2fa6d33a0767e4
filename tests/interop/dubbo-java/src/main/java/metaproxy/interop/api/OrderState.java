package metaproxy.interop.api;

/** The states of an {@link Order}. */
public enum OrderState {
    OPEN,
    PAID,
    SHIPPED
}
