package consumers;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/**
 * A SOCKS 5 server that takes every connection to the emulator, whatever address it asks for. The
 * JVM of a consumer uses it for all its sockets ({@code -DsocksProxyHost}).
 */
final class Detour implements AutoCloseable {
    private static final byte[] NO_AUTHENTICATION = {5, 0};
    private static final byte[] CONNECTED = {5, 0, 0, 1, 0, 0, 0, 0, 0, 0};

    private final ServerSocket listener;
    private final int target;

    Detour(int target) throws IOException {
        this.target = target;
        listener = new ServerSocket(0, 0, InetAddress.getLoopbackAddress());
        daemon(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                daemon(() -> serve(client));
            }
        } catch (IOException closed) {
            // The end of the test.
        }
    }

    private void serve(Socket client) {
        try (client;
                Socket emulator = new Socket(InetAddress.getLoopbackAddress(), target)) {
            DataInputStream in = new DataInputStream(client.getInputStream());
            OutputStream out = client.getOutputStream();
            in.readByte();
            in.skipNBytes(in.readUnsignedByte());
            out.write(NO_AUTHENTICATION);
            in.skipNBytes(3);
            int kind = in.readUnsignedByte();
            in.skipNBytes(2 + (kind == 3 ? in.readUnsignedByte() : kind == 1 ? 4 : 16));
            out.write(CONNECTED);
            daemon(() -> copy(emulator, client));
            in.transferTo(emulator.getOutputStream());
        } catch (IOException broken) {
            // A consumer that was killed, or an idle connection that one side closed.
        }
    }

    private static void copy(Socket from, Socket to) {
        try (to;
                InputStream in = from.getInputStream()) {
            in.transferTo(to.getOutputStream());
        } catch (IOException broken) {
            // As above.
        }
    }

    private static void daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public void close() throws IOException {
        listener.close();
    }
}
