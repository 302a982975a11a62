package assertions;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Orders as the Java SDK writes them, expected of the emulator at MOCK_SLS_ENDPOINT. */
class OrdersTest {
    private static final URI EMULATOR = URI.create(System.getenv("MOCK_SLS_ENDPOINT"));
    private static final String STORE = "orders";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http = HttpClient.newHttpClient();
    private final String project = "java-" + Long.toString(System.nanoTime(), 36);
    private Client client;

    @BeforeEach
    void makeLogstore() throws LogException {
        ClientConfiguration configuration = new ClientConfiguration();
        configuration.setProxyHost(EMULATOR.getHost());
        configuration.setProxyPort(EMULATOR.getPort());
        client = new Client("http://sls.test", "mockAccessKeyId", "mockAccessKeySecret", configuration);
        client.CreateProject(project, "orders");
        client.CreateLogStore(project, new LogStore(STORE, 1, 2));
        String key = "{\"type\": \"text\", \"token\": [\" \"], \"caseSensitive\": false, \"doc_value\": true}";
        Index index = new Index();
        index.FromJsonString("{\"ttl\": 1, \"keys\": {\"order\": " + key + ", \"status\": " + key + "}}");
        client.CreateIndex(project, STORE, index);
    }

    @AfterEach
    void removeProject() throws LogException {
        client.DeleteProject(project);
    }

    private void put(String order, String status) throws LogException {
        LogItem log = new LogItem((int) (System.currentTimeMillis() / 1000));
        log.PushBack("order", order);
        log.PushBack("status", status);
        client.PutLogs(project, STORE, "", new ArrayList<>(List.of(log)), "");
    }

    /** Calls the emulator; a verdict that something does not hold comes with status 417. */
    private CompletableFuture<JsonNode> post(String path, String body) {
        HttpRequest request = HttpRequest.newBuilder(EMULATOR.resolve("/_mock/v1/" + path))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return http.sendAsync(request, HttpResponse.BodyHandlers.ofString()).thenApply(answer -> {
            assertTrue(answer.statusCode() == 200 || answer.statusCode() == 417, answer.body());
            return parsed(answer.body());
        });
    }

    /** Asks for the verdict on an expectation of these members, which are JSON. */
    private CompletableFuture<JsonNode> expect(String members) {
        ObjectNode asked = (ObjectNode) parsed(members);
        return post("expect", asked.put("project", project).put("logstore", STORE).toString());
    }

    private static JsonNode parsed(String json) {
        try {
            return JSON.readTree(json);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Test
    void everyPaidOrderArrivesOnce() throws Exception {
        put("1000", "paid"); // before this test's scope
        String scope = post("scopes", "").get().get("scope").asText();
        CompletableFuture<JsonNode> asked = expect("""
                {"query": "status:paid", "scope": "%s", "count": {"op": "exactly", "n": 2},
                 "each": [{"field": "order", "matches": "^100[12]$"}]}""".formatted(scope));
        put("1001", "paid");
        put("1002", "paid");
        put("1003", "refused");
        assertTrue(asked.get().get("ok").asBoolean(), asked.get().get("text").asText());
    }

    @Test
    void aMissingOrderIsNamed() throws Exception {
        put("1001", "paid");
        JsonNode verdict = expect("{\"query\": \"order:1004 and status:paid\", \"timeout_ms\": 100}").get();
        assertFalse(verdict.get("ok").asBoolean());
        String text = verdict.get("text").asText();
        assertTrue(text.contains("1 log is missing"), text);
        assertTrue(text.contains("does not hold: order:1004 (it is \"1001\")"), text);
    }
}
