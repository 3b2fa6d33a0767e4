package metaproxy.interop;

import java.util.List;

/** {@code server LABEL} or {@code client HOST:PORT CALL...} */
public final class Main {
    private Main() {}

    public static void main(String[] words) throws Exception {
        List<String> all = List.of(words);
        if (all.size() == 2 && all.get(0).equals("server")) {
            Server.run(all.get(1));
        } else if (all.size() > 2 && all.get(0).equals("client")) {
            Client.run(all.get(1), all.subList(2, all.size()));
        } else {
            System.err.println("server LABEL, or client HOST:PORT METHOD/ARGUMENT[/NAME=VALUE...]...");
            System.exit(2);
        }
        // Threads of the libraries would keep it alive.
        System.exit(0);
    }
}
