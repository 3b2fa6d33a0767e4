package metaproxy.interop.thrift;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import metaproxy.interop.thrift.gen.Greeter;
import metaproxy.interop.thrift.gen.Refused;
import metaproxy.interop.thrift.gen.Sample;
import metaproxy.interop.thrift.gen.Shop;
import metaproxy.interop.thrift.ident.Ident;
import org.apache.thrift.TException;

/** Both services of interop.thrift. */
final class Handler implements Shop.Iface, Greeter.Iface {
    private final String label;
    private final Map<String, Integer> notes = new ConcurrentHashMap<>();

    Handler(String label) {
        this.label = label;
    }

    @Override
    public String whoAmI() {
        return label;
    }

    @Override
    public String sleep(int millis) throws TException {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException interrupted) {
            throw new TException(interrupted);
        }
        return label;
    }

    @Override
    public Sample echo(Sample sample) {
        return sample;
    }

    @Override
    public ByteBuffer bytes(ByteBuffer payload) {
        return payload;
    }

    @Override
    public Ident ident(Ident ident) {
        return ident;
    }

    @Override
    public void nothing() {}

    @Override
    public String refuse(String reason) throws Refused {
        throw new Refused(reason, 42);
    }

    @Override
    public String fail(String text) {
        throw new IllegalStateException(text);
    }

    @Override
    public void note(String key) {
        notes.merge(key, 1, Integer::sum);
    }

    @Override
    public int noted(String key) {
        return notes.getOrDefault(key, 0);
    }

    @Override
    public Map<String, String> headers() {
        return Map.of();
    }

    @Override
    public String greet(String name) {
        return "hello " + name + ", this is " + label;
    }
}
