package metaproxy.interop;

import java.util.Arrays;
import metaproxy.interop.consumer.Consumer;
import metaproxy.interop.provider.Provider;

/** Entry point of the jar: {@code provider …} or {@code consumer …}; exit code 2 for a wrong command line. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        String role = arguments.length == 0 ? "" : arguments[0];
        String[] rest = Arrays.copyOfRange(arguments, Math.min(1, arguments.length), arguments.length);
        System.setProperty("dubbo.application.logger", "jdk");
        int code;
        try {
            code = switch (role) {
                case "provider" -> Provider.run(CommandLine.parse(rest));
                case "consumer" -> Consumer.run(CommandLine.parse(rest));
                default -> throw new UsageException("the first argument is `provider` or `consumer`, not `" + role + "`");
            };
        } catch (UsageException wrong) {
            System.err.println(wrong.getMessage());
            code = 2;
        } catch (Exception failure) {
            failure.printStackTrace();
            code = 1;
        }
        System.exit(code);
    }
}
