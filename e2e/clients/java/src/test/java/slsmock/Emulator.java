package slsmock;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.http.signer.SignVersion;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A running emulator, the program that MOCK_SLS_BIN names, on a free port. */
final class Emulator implements AutoCloseable {
    static final String KEY_ID = "mockAccessKeyId";
    static final String KEY_SECRET = "mockAccessKeySecret";
    /** A made-up name: the emulator is the proxy that all plain-http names lead to. */
    static final String ENDPOINT = "http://sls.test";

    private static final Pattern ADDRESS = Pattern.compile("\"endpoint\":\"http://([^:\"]+):(\\d+)\"");

    private final Process process;
    private final String host;
    private final int port;
    private final String client;

    /** Starts an emulator; its calls are counted under the name of the client. */
    Emulator(String client) throws IOException {
        String program = System.getenv("MOCK_SLS_BIN");
        if (program == null) {
            throw new IllegalStateException("set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls");
        }
        this.client = client;
        process = new ProcessBuilder(program, "serve", "--listen", "127.0.0.1:0", "-o", "json", "--endpoint-host", "sls.test")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = out.readLine();
        Matcher address = ADDRESS.matcher(line == null ? "" : line);
        if (!address.find()) {
            throw new IllegalStateException("the emulator ended before it answered: " + line);
        }
        host = address.group(1);
        port = Integer.parseInt(address.group(2));
    }

    /** Where it listens, as HOST:PORT. */
    String address() {
        return host + ":" + port;
    }

    /** A call of the emulator itself, below /_mock/v1; what it answers. */
    String ask(String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + address() + "/_mock/v1/" + path))
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .build();
        HttpResponse<String> answer =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(method + " " + path + ": " + answer.body());
        }
        return answer.body();
    }

    /** What makes a client use the emulator: this SDK refuses endpoints with a port. */
    ClientConfiguration configuration() {
        ClientConfiguration configuration = new ClientConfiguration();
        configuration.setProxyHost(host);
        configuration.setProxyPort(port);
        return configuration;
    }

    Client client(String keyId, String secret, SignVersion version) {
        ClientConfiguration configuration = configuration();
        configuration.setSignatureVersion(version);
        configuration.setRegion("cn-hangzhou");
        return new Client(ENDPOINT, keyId, secret, configuration);
    }

    /** Ends the emulator and leaves its counts for the table if a folder is named for them. */
    @Override
    public void close() throws IOException, InterruptedException {
        String folder = System.getenv("MOCK_SLS_OPERATIONS_DIR");
        if (folder != null) {
            URL url = URI.create("http://" + host + ":" + port + "/_mock/v1/operations").toURL();
            try (InputStream counts = url.openStream()) {
                Files.copy(counts, Path.of(folder, client + "-" + UUID.randomUUID() + ".json"));
            }
        }
        process.destroy();
        process.waitFor();
    }
}
