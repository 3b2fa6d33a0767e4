package metaproxy.interop.dubbo;

import org.apache.dubbo.config.ApplicationConfig;

/** Dubbo 2.7 as an embedded library: no QoS port, no metadata service. */
final class Applications {
    private Applications() {}

    static ApplicationConfig embedded(String name) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        application.setRegisterConsumer(false);
        return application;
    }
}
