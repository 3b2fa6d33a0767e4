package metaproxy.interop.provider;

import metaproxy.interop.api.GreetingService;
import metaproxy.interop.dubbo.Label;

/** Greets in the name of one provider. */
record LabelledGreetingService(Label label) implements GreetingService {
    @Override
    public String greet(String name) {
        return "Hello " + name + " from " + label.text();
    }
}
