package metaproxy.interop.dubbo;

import com.alibaba.dubbo.config.ApplicationConfig;
import com.alibaba.dubbo.config.DubboShutdownHook;
import com.alibaba.dubbo.config.MethodConfig;
import com.alibaba.dubbo.config.ProtocolConfig;
import com.alibaba.dubbo.config.ReferenceConfig;
import com.alibaba.dubbo.config.RegistryConfig;
import com.alibaba.dubbo.config.ServiceConfig;
import com.alibaba.dubbo.remoting.exchange.ResponseCallback;
import com.alibaba.dubbo.rpc.Result;
import com.alibaba.dubbo.rpc.RpcContext;
import com.alibaba.dubbo.rpc.protocol.dubbo.FutureAdapter;
import com.alibaba.dubbo.rpc.service.GenericService;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;

/** Dubbo of the packages {@code com.alibaba.dubbo}, 2.6, without a registry. */
public final class Embedded {
    /** Scenarios that this Dubbo cannot run: it knows no methods that return a future, and no {@code $invokeAsync}. */
    public static final Set<String> LACKS = Set.of("future", "generic-async");

    private static final ApplicationConfig CONSUMER = application("interop-consumer");

    private Embedded() {}

    /** Must be called once, before the first reference is made. */
    public static void startConsumer() {
        // Each reference starts what it needs.
    }

    /** Exports the services and returns what stops them. */
    public static Runnable serve(Serving serving, List<Export<?>> exports) {
        // Where Dubbo 2.6 reads how long its own shutdown hook may wait for calls, in milliseconds.
        System.setProperty("dubbo.service.shutdown.wait", serving.shutdownWait());
        ProtocolConfig protocol = new ProtocolConfig("dubbo", serving.port());
        protocol.setHost(serving.host());
        if (!serving.serialization().isEmpty()) {
            protocol.setSerialization(serving.serialization());
        }
        if (serving.heartbeat() > 0) {
            protocol.setHeartbeat(serving.heartbeat());
        }
        LabelFilter.label(serving.label());
        ApplicationConfig application = application("interop-provider");
        exports.forEach(export -> service(export, application, protocol).export());
        return DubboShutdownHook.getDubboShutdownHook()::destroyAll;
    }

    private static ApplicationConfig application(String name) {
        ApplicationConfig application = new ApplicationConfig(name);
        application.setQosEnable(false);
        return application;
    }

    private static <T> ServiceConfig<T> service(Export<T> export, ApplicationConfig application, ProtocolConfig protocol) {
        ServiceConfig<T> service = new ServiceConfig<>();
        service.setApplication(application);
        service.setRegistry(new RegistryConfig(RegistryConfig.NO_AVAILABLE));
        service.setProtocol(protocol);
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
                throw new UnsupportedOperationException("Dubbo 2.6 has no $invokeAsync");
            }
        };
    }

    private static <T> ReferenceConfig<T> reference(Wanted<?> wanted) {
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setApplication(CONSUMER);
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
        RpcContext.getContext().asyncCall(call);
        FutureAdapter<T> pending = (FutureAdapter<T>) RpcContext.getContext().<T>getFuture();
        CompletableFuture<T> future = new CompletableFuture<>();
        pending.getFuture().setCallback(new ResponseCallback() {
            @Override
            @SuppressWarnings("unchecked")
            public void done(Object response) {
                try {
                    future.complete((T) ((Result) response).recreate());
                } catch (Throwable failure) {
                    future.completeExceptionally(failure);
                }
            }

            @Override
            public void caught(Throwable failure) {
                future.completeExceptionally(failure);
            }
        });
        return future;
    }

    private static String orNone(String text) {
        return text.isEmpty() ? null : text;
    }
}
