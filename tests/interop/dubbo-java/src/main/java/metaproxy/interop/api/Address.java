package metaproxy.interop.api;

import java.io.Serializable;

/** A leaf; one address may be referred to from several places of an {@link Order}. */
public class Address implements Serializable {
    private String street;
    private String city;
    private String zip;

    public String getStreet() {
        return street;
    }

    public void setStreet(String street) {
        this.street = street;
    }

    public String getCity() {
        return city;
    }

    public void setCity(String city) {
        this.city = city;
    }

    public String getZip() {
        return zip;
    }

    public void setZip(String zip) {
        this.zip = zip;
    }
}
