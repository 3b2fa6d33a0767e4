package metaproxy.interop.provider;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import metaproxy.interop.CallbackMethods;
import metaproxy.interop.CommandLine;
import metaproxy.interop.Loopback;
import metaproxy.interop.UsageException;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.GreetingService;
import metaproxy.interop.api.WatchService;
import metaproxy.interop.dubbo.Embedded;
import metaproxy.interop.dubbo.Export;
import metaproxy.interop.dubbo.Label;
import metaproxy.interop.dubbo.Serving;

/** Exports all services on one port, prints {@code ready PORT}, and runs until standard input closes or SIGTERM. */
public final class Provider {
    private static final Set<String> FLAGS =
            Set.of("port", "label", "group", "version", "serialization", "heartbeat", "shutdown-wait");
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
        int port = flags.number("port", 0, 65_535);
        Runnable stop;
        if (port == 0) {
            try (ReservedPort reserved = new ReservedPort(HOST)) {
                port = reserved.number();
                stop = export(port);
            }
        } else {
            stop = export(port);
        }
        System.out.println("ready " + port);
        System.out.flush();
        while (System.in.read() >= 0) {
            // Whatever is typed has no meaning; only the end counts.
        }
        stop.run();
    }

    private Runnable export(int port) {
        String wait = flags.value("shutdown-wait", "1000");
        Serving serving = new Serving(
                Loopback.asNumber(HOST), port, flags.value("serialization", ""), flags.number("heartbeat", 0, 3_600_000),
                wait, label);
        return Embedded.serve(serving, List.of(
                new Export<>(DemoService.class, new LabelledDemoService(label), "", "", Map.of()),
                new Export<>(
                        GreetingService.class, new LabelledGreetingService(label), flags.value("group", "interop"),
                        flags.value("version", "1.2.0"), Map.of()),
                new Export<>(
                        WatchService.class, new LabelledWatchService(label), "", "", CallbackMethods.PARAMETERS)));
    }
}
