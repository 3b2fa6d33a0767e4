package metaproxy.interop;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** Dubbo as an embedded library: no registry, no QoS port, no metadata service, no file cache. */
public final class Embedded {
    private Embedded() {}

    /** The process-wide bootstrap, not started yet; {@code shutdownWait} is how long stopping may take, in milliseconds. */
    public static DubboBootstrap bootstrap(String applicationName, String shutdownWait) {
        ApplicationConfig application = new ApplicationConfig(applicationName);
        application.setQosEnable(false);
        application.setEnableFileCache(false);
        application.setRegisterConsumer(false);
        // Any other mode exports Dubbo's own MetadataService beside ours.
        application.setRegisterMode("interface");
        application.setShutwait(shutdownWait);
        return DubboBootstrap.getInstance()
                .application(application)
                .registry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
    }
}
