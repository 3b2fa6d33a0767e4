package metaproxy.interop.provider;

import java.io.IOException;
import java.util.Set;
import metaproxy.interop.CallbackMethods;
import metaproxy.interop.CommandLine;
import metaproxy.interop.Embedded;
import metaproxy.interop.Loopback;
import metaproxy.interop.UsageException;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.GreetingService;
import metaproxy.interop.api.WatchService;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** Exports all services on one port, prints {@code ready PORT}, and runs until standard input closes or SIGTERM. */
public final class Provider {
    private static final Set<String> FLAGS = Set.of("port", "label", "group", "version", "shutdown-wait");
    private static final String HOST = "127.0.0.1";

    private final CommandLine flags;
    private final Label label;

    private Provider(CommandLine flags) {
        this.flags = flags;
        this.label = new Label(flags.required("label"));
    }

    public static int run(CommandLine flags) throws Exception {
        new Provider(flags.allow(FLAGS)).serve();
        return 0;
    }

    private void serve() throws IOException {
        int wanted = wantedPort();
        DubboBootstrap bootstrap;
        int port;
        if (wanted == 0) {
            try (ReservedPort reserved = new ReservedPort(HOST)) {
                port = reserved.number();
                bootstrap = export(port);
            }
        } else {
            port = wanted;
            bootstrap = export(port);
        }
        System.out.println("ready " + port);
        System.out.flush();
        while (System.in.read() >= 0) {
            // Whatever is typed has no meaning; only the end counts.
        }
        bootstrap.stop();
    }

    private int wantedPort() {
        String text = flags.value("port", "0");
        try {
            int port = Integer.parseInt(text);
            if (port >= 0 && port <= 65535) {
                return port;
            }
        } catch (NumberFormatException notANumber) {
            // Told below, like a number that is no port.
        }
        throw new UsageException("`--port` is a number from 0 to 65535, not `" + text + "`");
    }

    private DubboBootstrap export(int port) {
        ProtocolConfig protocol = new ProtocolConfig("dubbo", port);
        protocol.setHost(Loopback.asNumber(HOST));

        ServiceConfig<DemoService> demo = new ServiceConfig<>();
        demo.setInterface(DemoService.class);
        demo.setRef(new LabelledDemoService(label));

        ServiceConfig<GreetingService> greeting = new ServiceConfig<>();
        greeting.setId("greeting");
        greeting.setInterface(GreetingService.class);
        greeting.setRef(new LabelledGreetingService(label));
        greeting.setGroup(flags.value("group", "interop"));
        greeting.setVersion(flags.value("version", "1.2.0"));

        ServiceConfig<WatchService> watching = new ServiceConfig<>();
        watching.setId("watching");
        watching.setInterface(WatchService.class);
        watching.setRef(new LabelledWatchService(label));
        watching.setParameters(CallbackMethods.PARAMETERS);

        LabelFilter.label(label);
        return Embedded.bootstrap("interop-provider", flags.value("shutdown-wait", "1000"))
                .protocol(protocol)
                .service(demo)
                .service(greeting)
                .service(watching)
                .start();
    }
}
