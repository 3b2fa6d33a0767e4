package metaproxy.interop.provider;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;

/**
 * A port that the system picked and that stays ours until the server listens on it: a bound socket that does not
 * listen keeps others from being given the port, and with SO_REUSEADDR on both the server may still bind it.
 */
final class ReservedPort implements AutoCloseable {
    private final Socket holder = new Socket();

    ReservedPort(String host) throws IOException {
        holder.setReuseAddress(true);
        holder.bind(new InetSocketAddress(host, 0));
    }

    int number() {
        return holder.getLocalPort();
    }

    @Override
    public void close() throws IOException {
        holder.close();
    }
}
