package metaproxy.interop.dubbo;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.service.GenericService;

/** Dubbo of the packages {@code org.apache.dubbo}, from 2.7 on, without a registry. */
public final class Embedded {
    /** Scenarios that this Dubbo cannot run. */
    public static final Set<String> LACKS = Set.of();

    private Embedded() {}

    /** Must be called once, before the first reference is made. */
    public static void startConsumer() {
        bootstrap("interop-consumer", "1000").start();
    }

    /** Exports the services and returns what stops them. */
    public static Runnable serve(Serving serving, List<Export<?>> exports) {
        ProtocolConfig protocol = new ProtocolConfig("dubbo", serving.port());
        protocol.setHost(serving.host());
        if (!serving.serialization().isEmpty()) {
            protocol.setSerialization(serving.serialization());
        }
        if (serving.heartbeat() > 0) {
            protocol.setHeartbeat(serving.heartbeat());
        }
        LabelFilter.label(serving.label());
        DubboBootstrap bootstrap = bootstrap("interop-provider", serving.shutdownWait()).protocol(protocol);
        exports.forEach(export -> bootstrap.service(service(export)));
        return bootstrap.start()::stop;
    }

    /** The process-wide bootstrap, not started yet; {@code shutdownWait} is how long stopping may take, in milliseconds. */
    private static DubboBootstrap bootstrap(String name, String shutdownWait) {
        ApplicationConfig application = Applications.embedded(name);
        application.setShutwait(shutdownWait);
        return DubboBootstrap.getInstance()
                .application(application)
                .registry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
    }

    private static <T> ServiceConfig<T> service(Export<T> export) {
        ServiceConfig<T> service = new ServiceConfig<>();
        service.setId(export.type().getSimpleName());
        service.setInterface(export.type());
        service.setRef(export.service());
        service.setGroup(orNone(export.group()));
        service.setVersion(orNone(export.version()));
        service.setParameters(export.parameters());
        return service;
    }

    /** A proxy of the service. */
    public static <T> T refer(Wanted<T> wanted) {
        ReferenceConfig<T> reference = reference(wanted);
        reference.setInterface(wanted.type());
        return reference.get();
    }

    /** The service, to be called by name. */
    public static Generic generic(Wanted<?> wanted) {
        ReferenceConfig<GenericService> reference = reference(wanted);
        reference.setInterface(wanted.type().getName());
        reference.setGeneric("true");
        GenericService service = reference.get();
        return new Generic() {
            @Override
            public Object invoke(String method, String[] types, Object[] arguments) {
                return service.$invoke(method, types, arguments);
            }

            @Override
            public CompletableFuture<Object> invokeAsync(String method, String[] types, Object[] arguments) {
                return service.$invokeAsync(method, types, arguments);
            }
        };
    }

    private static <T> ReferenceConfig<T> reference(Wanted<?> wanted) {
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setUrl(wanted.url());
        reference.setGroup(orNone(wanted.group()));
        reference.setVersion(orNone(wanted.version()));
        reference.setTimeout(wanted.timeout());
        reference.setRetries(wanted.retries());
        reference.setCheck(false);
        reference.setScope("remote");
        if (!wanted.parameters().isEmpty()) {
            reference.setParameters(Map.copyOf(wanted.parameters()));
        }
        List<MethodConfig> methods = new ArrayList<>();
        wanted.oneway().forEach(name -> methods.add(oneway(name)));
        if (!methods.isEmpty()) {
            reference.setMethods(methods);
        }
        return reference;
    }

    private static MethodConfig oneway(String name) {
        MethodConfig method = new MethodConfig();
        method.setName(name);
        method.setAsync(true);
        method.setSent(true);
        method.setReturn(false);
        return method;
    }

    /** Makes a call whose answer nobody waits for yet. */
    public static <T> CompletableFuture<T> async(Callable<T> call) {
        return RpcContext.getContext().asyncCall(call);
    }

    private static String orNone(String text) {
        return text.isEmpty() ? null : text;
    }
}
