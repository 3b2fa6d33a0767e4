package metaproxy.interop.api;

import java.io.Serializable;

/** Who ordered; home and billing are often the same object, and a customer may have invited itself. */
public class Customer implements Serializable {
    private String name;
    private boolean vip;
    private Address home;
    private Address billing;
    private Customer invitedBy;

    public String getName() {
        return name;
    }

    public void setName(String name) {
        this.name = name;
    }

    public boolean isVip() {
        return vip;
    }

    public void setVip(boolean vip) {
        this.vip = vip;
    }

    public Address getHome() {
        return home;
    }

    public void setHome(Address home) {
        this.home = home;
    }

    public Address getBilling() {
        return billing;
    }

    public void setBilling(Address billing) {
        this.billing = billing;
    }

    public Customer getInvitedBy() {
        return invitedBy;
    }

    public void setInvitedBy(Customer invitedBy) {
        this.invitedBy = invitedBy;
    }
}
