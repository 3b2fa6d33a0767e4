package metaproxy.interop.consumer;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import metaproxy.interop.UsageException;
import metaproxy.interop.api.DemoService;
import metaproxy.interop.dubbo.Attachments;

/**
 * A call chosen by the options {@code method}, {@code argument} and {@code attachment}. The method is one of
 * {@link DemoService} whose parameters are texts and numbers; with {@code generic=true} it is any name, and the
 * arguments are texts.
 */
record NamedCall(String method, Target target, Map<String, String> attachments) {
    /** What is called once the attachments are set. */
    private interface Target {
        Object call() throws Throwable;
    }

    static NamedCall of(Session session) {
        Options options = session.options();
        String name = options.text("method", "whoAmI");
        List<String> texts = options.all("argument");
        boolean generic = Boolean.parseBoolean(options.text("generic", "false"));
        Target target = generic ? generic(session, name, texts) : typed(session, name, texts);
        return new NamedCall(name, target, options.pairs("attachment"));
    }

    Object make() throws Throwable {
        attachments.forEach(Attachments::send);
        return target.call();
    }

    private static Target generic(Session session, String name, List<String> texts) {
        var service = session.generic();
        String[] types = texts.stream().map(text -> String.class.getName()).toArray(String[]::new);
        return () -> service.invoke(name, types, texts.toArray());
    }

    private static Target typed(Session session, String name, List<String> texts) {
        DemoService service = session.demo();
        Method method = Arrays.stream(DemoService.class.getMethods())
                .filter(one -> one.getName().equals(name) && one.getParameterCount() == texts.size())
                .findFirst()
                .orElseThrow(() -> new UsageException("DemoService has no `" + name + "` of " + texts.size() + " arguments"));
        Object[] arguments = new Object[texts.size()];
        for (int at = 0; at < arguments.length; at++) {
            arguments[at] = argument(method.getParameterTypes()[at], texts.get(at));
        }
        return () -> {
            try {
                return method.invoke(service, arguments);
            } catch (InvocationTargetException failure) {
                throw failure.getCause();
            }
        };
    }

    private static Object argument(Class<?> type, String text) {
        if (type == String.class) {
            return text;
        }
        if (type == int.class) {
            return Integer.valueOf(text);
        }
        if (type == java.math.BigDecimal.class) {
            return new java.math.BigDecimal(text);
        }
        throw new UsageException("arguments of type " + type.getName() + " cannot be written on a command line");
    }
}
