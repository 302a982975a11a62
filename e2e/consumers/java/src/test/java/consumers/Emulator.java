package consumers;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import java.io.BufferedReader;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A running emulator and what opens it. Clients that take a configuration reach it as their proxy;
 * the consumer library takes none and goes through {@link Detour}.
 */
final class Emulator implements AutoCloseable {
    /** A made-up name: the SDK refuses ports and addresses in its endpoint. */
    static final String ENDPOINT = "http://sls.test";

    final int port;
    final String keyId;
    final String secret;
    private final Process process;

    Emulator() throws IOException {
        process = new ProcessBuilder(
                        System.getenv("MOCK_SLS_BIN"), "serve", "--listen", "127.0.0.1:0", "--output", "json")
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader output = process.inputReader();
        String started = output.readLine();
        port = Integer.parseInt(field(started, "endpoint").replaceFirst(".*:", ""));
        keyId = field(started, "accessKeyId");
        secret = field(started, "accessKeySecret");
    }

    private static String field(String json, String name) {
        Matcher field = Pattern.compile("\"" + name + "\":\"([^\"]*)\"").matcher(json);
        if (!field.find()) {
            throw new IllegalStateException("no " + name + " in " + json);
        }
        return field.group(1);
    }

    Client client() {
        ClientConfiguration configuration = new ClientConfiguration();
        configuration.setProxyHost("127.0.0.1");
        configuration.setProxyPort(port);
        return new Client(ENDPOINT, keyId, secret, configuration);
    }

    @Override
    public void close() throws InterruptedException {
        process.destroy();
        process.waitFor();
    }
}
