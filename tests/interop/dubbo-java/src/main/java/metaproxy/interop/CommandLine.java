package metaproxy.interop;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** A command line of {@code --flag value} pairs, in the order in which they were written. */
public record CommandLine(List<Flag> flags) {
    /** One {@code --name value}. */
    public record Flag(String name, String value) {}

    public static CommandLine parse(String[] words) {
        List<Flag> flags = new ArrayList<>();
        for (int at = 0; at < words.length; at += 2) {
            if (!words[at].startsWith("--")) {
                throw new UsageException("expected a flag such as `--port`, found `" + words[at] + "`");
            }
            if (at + 1 == words.length) {
                throw new UsageException("`" + words[at] + "` needs a value");
            }
            flags.add(new Flag(words[at].substring(2), words[at + 1]));
        }
        return new CommandLine(List.copyOf(flags));
    }

    /** Refuses every flag that is not among {@code names}. */
    public CommandLine allow(Set<String> names) {
        for (Flag flag : flags) {
            if (!names.contains(flag.name())) {
                throw new UsageException("unknown flag `--" + flag.name() + "`; known: " + names.stream().sorted().toList());
            }
        }
        return this;
    }

    /** The value of the last {@code --name}, or {@code otherwise}. */
    public String value(String name, String otherwise) {
        String value = otherwise;
        for (Flag flag : flags) {
            if (flag.name().equals(name)) {
                value = flag.value();
            }
        }
        return value;
    }

    /** Like {@link #value}, for numbers from 0 to {@code most}. */
    public int number(String name, int otherwise, int most) {
        String text = value(name, String.valueOf(otherwise));
        try {
            int number = Integer.parseInt(text);
            if (number >= 0 && number <= most) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Told below, like a number that is out of bounds.
        }
        throw new UsageException("`--" + name + "` is a number from 0 to " + most + ", not `" + text + "`");
    }

    /** Like {@link #value}, for flags that must be given. */
    public String required(String name) {
        String value = value(name, null);
        if (value == null) {
            throw new UsageException("`--" + name + "` is missing");
        }
        return value;
    }
}
