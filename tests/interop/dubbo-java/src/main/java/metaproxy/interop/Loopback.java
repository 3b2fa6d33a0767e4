package metaproxy.interop;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;

/**
 * Keeps Dubbo on the loopback interface. A provider whose host looks like loopback listens on every interface, and a
 * consumer replaces such a host by the machine's own address; both go by the spelling and let a plain number pass.
 */
public final class Loopback {
    private Loopback() {}

    /** The IPv4 address of {@code host} spelled as one number, which Dubbo takes as it is. */
    public static String asNumber(String host) {
        try {
            for (InetAddress address : InetAddress.getAllByName(host)) {
                if (address instanceof Inet4Address) {
                    byte[] bytes = address.getAddress();
                    return Long.toString(Integer.toUnsignedLong(ByteBuffer.wrap(bytes).getInt()));
                }
            }
        } catch (UnknownHostException unknown) {
            throw new UsageException("the host `" + host + "` is not known");
        }
        throw new UsageException("the host `" + host + "` has no IPv4 address");
    }
}
