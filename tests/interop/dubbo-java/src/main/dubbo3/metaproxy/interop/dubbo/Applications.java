package metaproxy.interop.dubbo;

import org.apache.dubbo.config.ApplicationConfig;

/** Dubbo 3 as an embedded library: no QoS port, no metadata service, no file cache. */
final class Applications {
    private Applications() {}

    static ApplicationConfig embedded(String name) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        application.setEnableFileCache(false);
        application.setRegisterConsumer(false);
        // Any other mode exports Dubbo's own MetadataService beside ours.
        application.setRegisterMode("interface");
        return application;
    }
}
