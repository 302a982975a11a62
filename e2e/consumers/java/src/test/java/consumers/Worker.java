package consumers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** A consumer process and what it has read. */
final class Worker implements AutoCloseable {
    final Queue<String> texts = new ConcurrentLinkedQueue<>();
    private final Process process;
    private final Thread reader;

    /** The consumer's host name is looked up in {@code hosts} and reached through the detour. */
    Worker(Emulator emulator, Detour detour, Path hosts, String project, String logstore, String name)
            throws IOException {
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djdk.net.hosts.file=" + hosts,
                "-DsocksProxyHost=127.0.0.1",
                "-DsocksProxyPort=" + detour.port(),
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                System.getProperty("java.class.path"),
                WorkerMain.class.getName(),
                emulator.keyId,
                emulator.secret,
                project,
                logstore,
                "workers",
                name);
        process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        reader = new Thread(this::collect);
        reader.start();
    }

    private void collect() {
        try (BufferedReader lines = process.inputReader()) {
            lines.lines().map(line -> line.substring(line.indexOf(' ') + 1)).forEach(texts::add);
        } catch (IOException | UncheckedIOException broken) {
            // It was killed.
        }
    }

    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
        reader.join();
    }

    @Override
    public void close() throws IOException, InterruptedException {
        process.getOutputStream().close();
        process.waitFor();
        reader.join();
    }
}
