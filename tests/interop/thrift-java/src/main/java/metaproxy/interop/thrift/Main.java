package metaproxy.interop.thrift;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Apache Thrift's Java library as server and client; see the README beside the folder. */
public final class Main {
    private static final List<String> FLAGS = List.of("--label", "--serve", "--target", "--scenario");

    private Main() {}

    public static void main(String[] words) throws Exception {
        Map<String, List<String>> flags = new HashMap<>();
        for (int n = 1; n + 1 < words.length; n += 2) {
            if (!FLAGS.contains(words[n])) {
                throw new IllegalArgumentException(words[n] + ": no such flag");
            }
            flags.computeIfAbsent(words[n], flag -> new ArrayList<>()).add(words[n + 1]);
        }
        String mode = words.length % 2 == 1 ? words[0] : "";
        switch (mode) {
            case "server" -> Server.run(flags.get("--label").get(0), flags.get("--serve"));
            case "client" -> System.exit(client(flags.get("--target"), flags.getOrDefault("--scenario", List.of())));
            default -> throw new IllegalArgumentException(
                    "server --label L --serve WIRE ... | client --target NAME=WIRE@HOST:PORT ...");
        }
    }

    private static int client(List<String> targets, List<String> chosen) {
        int code = 0;
        for (String target : targets) {
            String[] parts = target.split("[=@]");
            Scenarios scenarios = new Scenarios(Wire.parse(parts[1]), parts[2]);
            for (String scenario : chosen.isEmpty() ? scenarios.all() : chosen) {
                String about = parts[0] + " " + scenario;
                try {
                    System.out.println(("ok " + about + " " + scenarios.run(scenario)).stripTrailing());
                } catch (Exception | AssertionError failure) {
                    code = 1;
                    String text = String.valueOf(failure).replace('\n', ' ');
                    System.out.println("FAIL " + about + ": " + text.substring(0, Math.min(500, text.length())));
                }
            }
        }
        return code;
    }
}
