package metaproxy.interop.consumer;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import metaproxy.interop.CommandLine;
import metaproxy.interop.Embedded;
import metaproxy.interop.UsageException;

/** Runs scenarios against one address and prints {@code ok NAME} or {@code FAIL NAME: reason} for each. */
public final class Consumer {
    private static final Set<String> FLAGS = Set.of("address", "serialization", "scenario", "option");
    private static final Set<String> SERIALIZATIONS = Set.of("hessian2", "fastjson2", References.DEFAULT);
    private static final int LONGEST_REASON = 1_000;

    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private final References references;

    private Consumer(References references) {
        this.references = references;
    }

    /** Exit code 1 when anything failed. */
    public static int run(CommandLine flags) {
        String address = flags.allow(FLAGS).required("address");
        String serialization = flags.value("serialization", "hessian2");
        if (!SERIALIZATIONS.contains(serialization)) {
            throw new UsageException("`--serialization` is one of " + SERIALIZATIONS + ", not `" + serialization + "`");
        }
        List<Step> steps = steps(flags);
        Consumer consumer = new Consumer(new References(address, serialization));
        Embedded.bootstrap("interop-consumer", "1000").start();
        int failed = 0;
        for (Step step : steps) {
            failed += consumer.passes(step) ? 0 : 1;
        }
        return failed == 0 ? 0 : 1;
    }

    /** An option before the first scenario belongs to all, one after a scenario belongs to that scenario. */
    private static List<Step> steps(CommandLine flags) {
        Options all = new Options();
        List<Step> steps = new ArrayList<>();
        for (CommandLine.Flag flag : flags.flags()) {
            if (flag.name().equals("scenario")) {
                steps.add(new Step(flag.value(), Scenarios.named(flag.value()), new Options(all)));
            } else if (flag.name().equals("option")) {
                (steps.isEmpty() ? all : steps.get(steps.size() - 1).options()).add(flag.value());
            }
        }
        if (steps.isEmpty()) {
            Scenarios.DIRECT.forEach(name -> steps.add(new Step(name, Scenarios.named(name), all)));
        }
        return steps;
    }

    private boolean passes(Step step) {
        try {
            step.scenario().run(new Session(references, step.options(), out));
        } catch (UsageException wrong) {
            throw wrong;
        } catch (Throwable failure) {
            String reason = failure instanceof AssertionError ? failure.getMessage() : failure.toString();
            out.println("FAIL " + step.name() + ": " + oneLine(String.valueOf(reason)));
            return false;
        }
        out.println("ok " + step.name());
        return true;
    }

    /** Some messages of Dubbo are whole stack traces. */
    private static String oneLine(String reason) {
        String line = reason.replaceAll("\\s*\\R\\s*", " ");
        return line.length() <= LONGEST_REASON ? line : line.substring(0, LONGEST_REASON) + "…";
    }

    /** One scenario of the command line. */
    private record Step(String name, Scenario scenario, Options options) {}
}
