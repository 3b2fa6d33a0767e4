package metaproxy.interop.consumer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import metaproxy.interop.UsageException;

/** The {@code --option k=v} of one scenario; an option may be given several times. */
final class Options {
    private static final Set<String> KNOWN = Set.of(
            "argument", "attachment", "calls", "expect", "expect-code", "expect-message", "generic", "group", "method",
            "millis", "parallel", "parameter", "pause", "plain", "retries", "serialization", "size", "texts", "threads",
            "timeout", "version");

    private final Map<String, List<String>> values = new LinkedHashMap<>();

    Options() {}

    /** A copy, to which options of one scenario are added. */
    Options(Options all) {
        all.values.forEach((name, texts) -> values.put(name, new ArrayList<>(texts)));
    }

    void add(String pair) {
        Map.Entry<String, String> option = split(pair);
        if (!KNOWN.contains(option.getKey())) {
            throw new UsageException("unknown option `" + option.getKey() + "`; known: " + KNOWN.stream().sorted().toList());
        }
        values.computeIfAbsent(option.getKey(), name -> new ArrayList<>()).add(option.getValue());
    }

    /** The last value, or {@code otherwise}. */
    String text(String name, String otherwise) {
        List<String> texts = all(name);
        return texts.isEmpty() ? otherwise : texts.get(texts.size() - 1);
    }

    int number(String name, int otherwise) {
        String text = text(name, null);
        try {
            return text == null ? otherwise : Integer.parseInt(text);
        } catch (NumberFormatException wrong) {
            throw new UsageException("option `" + name + "` is a number, not `" + text + "`");
        }
    }

    List<String> all(String name) {
        return values.getOrDefault(name, List.of());
    }

    /** The values of an option whose values are themselves {@code k=v}. */
    Map<String, String> pairs(String name) {
        Map<String, String> pairs = new LinkedHashMap<>();
        for (String text : all(name)) {
            Map.Entry<String, String> pair = split(text);
            pairs.put(pair.getKey(), pair.getValue());
        }
        return pairs;
    }

    private static Map.Entry<String, String> split(String pair) {
        int equals = pair.indexOf('=');
        if (equals < 1) {
            throw new UsageException("expected `name=value`, found `" + pair + "`");
        }
        return Map.entry(pair.substring(0, equals), pair.substring(equals + 1));
    }
}
