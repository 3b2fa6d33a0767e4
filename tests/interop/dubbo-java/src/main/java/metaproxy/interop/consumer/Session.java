package metaproxy.interop.consumer;

import java.io.PrintStream;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.api.GreetingService;
import metaproxy.interop.api.WatchService;
import metaproxy.interop.dubbo.Generic;

/** What one scenario works with: its options, the services at the given address, and where its JSON lines go. */
record Session(References references, Options options, PrintStream out) {
    DemoService demo() {
        return references.demo(options);
    }

    Generic generic() {
        return references.generic(options);
    }

    WatchService watching() {
        return references.watching(options);
    }

    GreetingService greeting() {
        return references.greeting(options);
    }
}
