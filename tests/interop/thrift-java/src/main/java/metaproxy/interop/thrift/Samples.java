package metaproxy.interop.thrift;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import metaproxy.interop.thrift.gen.Basic;
import metaproxy.interop.thrift.gen.Containers;
import metaproxy.interop.thrift.gen.Line;
import metaproxy.interop.thrift.gen.Order;
import metaproxy.interop.thrift.gen.Sample;
import metaproxy.interop.thrift.gen.State;

/** What is echoed. */
final class Samples {
    static final Map<String, Sample> ALL = Map.of(
            "basic", new Sample().setBasic(basic()),
            "nested", new Sample().setOrder(new Order()
                    .setNumber(7)
                    .setLines(List.of(new Line("a").setCount(1).setPrice(0.5), new Line("b"), new Line("c").setCount(-3)))
                    .setGift(new Line("gift"))
                    .setNote("thanks")),
            "truths", new Sample().setTruths(List.of(true, false, true)),
            "containers", new Sample().setContainers(new Containers()
                    .setTags(Set.of("x", "y", ""))
                    .setNames(Map.of(-1, "minus", 70000, "much"))
                    .setDeep(Map.of("k", List.of(Map.of((short) 1, new Line("d").setCount(2)), Map.of())))
                    .setNothing(List.of())
                    .setNobody(Map.of())
                    .setMany(DoubleStream.iterate(0, n -> n + 0.125).limit(1000).boxed().toList())));

    private Samples() {}

    static ByteBuffer bytes(int count) {
        byte[] bytes = new byte[count];
        IntStream.range(0, count).forEach(n -> bytes[n] = (byte) n);
        return ByteBuffer.wrap(bytes);
    }

    private static Basic basic() {
        return new Basic()
                .setYes(true)
                .setNo(false)
                .setTiny(Byte.MIN_VALUE)
                .setSmall(Short.MIN_VALUE)
                .setMiddling(Integer.MAX_VALUE)
                .setLarge(Long.MIN_VALUE)
                .setReal(-0.1)
                .setText("a\u00e4\u20ac\ud83d\ude00")
                .setRaw(bytes(256))
                .setState(State.SHIPPED);
    }
}
