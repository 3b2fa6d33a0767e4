package metaproxy.interop.consumer;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import metaproxy.interop.CommandLine;
import metaproxy.interop.UsageException;
import metaproxy.interop.dubbo.Attachments;
import metaproxy.interop.dubbo.Embedded;

/** Runs scenarios against one target after the other and prints {@code ok NAME} or {@code FAIL NAME: reason} for each. */
public final class Consumer {
    private static final Set<String> FLAGS = Set.of("address", "target", "serialization", "scenario", "option");
    private static final int LONGEST_REASON = 1_000;

    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    private Consumer() {}

    /** Exit code 1 when anything failed. */
    public static int run(CommandLine flags) {
        List<Target> targets = targets(flags.allow(FLAGS));
        Consumer consumer = new Consumer();
        Embedded.startConsumer();
        int failed = 0;
        for (Target target : targets) {
            if (!target.name().isEmpty()) {
                consumer.out.println("target " + target.name());
            }
            for (Step step : target.steps()) {
                failed += consumer.passes(step, target.references()) ? 0 : 1;
            }
        }
        return failed == 0 ? 0 : 1;
    }

    /**
     * A scenario belongs to the target before it; an option to the scenario before it, or else to all scenarios of its
     * target, or else to all.
     */
    private static List<Target> targets(CommandLine flags) {
        String serialization = flags.value("serialization", "hessian2");
        Options all = new Options();
        all.add("serialization=" + serialization);
        List<Target> targets = new ArrayList<>();
        for (CommandLine.Flag flag : flags.flags()) {
            Target last = targets.isEmpty() ? null : targets.get(targets.size() - 1);
            switch (flag.name()) {
                case "address" -> targets.add(Target.at("", flag.value(), all));
                case "target" -> targets.add(Target.named(flag.value(), all));
                case "scenario" -> {
                    if (last == null) {
                        throw new UsageException("`--scenario` stands before any `--address` or `--target`");
                    }
                    last.add(flag.value());
                }
                case "option" -> (last == null ? all : last.options()).add(flag.value());
                default -> {
                    // The serialization, which was read above.
                }
            }
        }
        if (targets.isEmpty()) {
            throw new UsageException("`--address` is missing");
        }
        targets.forEach(Target::complete);
        return targets;
    }

    private boolean passes(Step step, References references) {
        try {
            step.scenario().run(new Session(references, step.options(), out));
        } catch (UsageException wrong) {
            throw wrong;
        } catch (Throwable failure) {
            String reason = failure instanceof AssertionError ? failure.getMessage() : failure.toString();
            out.println("FAIL " + step.name() + ": " + oneLine(String.valueOf(reason)));
            return false;
        } finally {
            Attachments.forget();
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

    /** An address, and what is done there; {@code all} are options of all its scenarios. */
    private record Target(String name, References references, Options all, List<Step> steps) {
        static Target at(String name, String address, Options all) {
            return new Target(name, new References(address), new Options(all), new ArrayList<>());
        }

        static Target named(String text, Options all) {
            int equals = text.indexOf('=');
            if (equals < 1) {
                throw new UsageException("`--target` is NAME=HOST:PORT, not `" + text + "`");
            }
            return at(text.substring(0, equals), text.substring(equals + 1), all);
        }

        void add(String scenario) {
            steps.add(new Step(scenario, Scenarios.named(scenario), new Options(all)));
        }

        Options options() {
            return steps.isEmpty() ? all : steps.get(steps.size() - 1).options();
        }

        /** Where no scenario is named, all that this Dubbo can run are. */
        void complete() {
            if (steps.isEmpty()) {
                Scenarios.DIRECT.stream().filter(name -> !Embedded.LACKS.contains(name)).forEach(this::add);
            }
        }
    }
}
