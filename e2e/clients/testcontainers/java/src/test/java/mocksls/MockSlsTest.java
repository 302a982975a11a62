package mocksls;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.IndexLine;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/**
 * Log Service in a container, for a Java test: testcontainers and the official SDK. Run by {@code just
 * testcontainers}; explained in docs/testcontainers.md.
 */
class MockSlsTest {
    private static final int PORT = 8080;
    private static final GenericContainer<?> SLS = new GenericContainer<>(image())
            .withExposedPorts(PORT)
            .waitingFor(Wait.forHttp("/_mock/v1/health").forPort(PORT).forStatusCode(200));

    private static DockerImageName image() {
        String name = System.getenv("MOCK_SLS_IMAGE");
        return DockerImageName.parse(name == null ? "sls-bed/mock-sls:dev" : name);
    }

    @BeforeAll
    static void start() {
        SLS.start();
    }

    @AfterAll
    static void stop() {
        SLS.stop();
    }

    /** A client that sends everything to the container. */
    private static Client client() {
        // The SDK puts the project before the host name, which no DNS server knows; as its proxy the
        // emulator gets the whole name and reads the project there.
        ClientConfiguration config = new ClientConfiguration();
        config.setProxyHost(SLS.getHost());
        config.setProxyPort(SLS.getMappedPort(PORT));
        return new Client("http://sls.test", "mockAccessKeyId", "mockAccessKeySecret", config);
    }

    @Test
    void aLogThatWasPutIsFound() throws Exception {
        String project = "java-project";
        String store = "app";
        Client client = client();
        client.CreateProject(project, "test");
        client.CreateLogStore(project, new LogStore(store, 1, 2));
        Index index = new Index();
        index.SetLine(new IndexLine(List.of(" "), false));
        client.CreateIndex(project, store, index);

        int now = (int) Instant.now().getEpochSecond();
        LogItem log = new LogItem(now);
        log.PushBack("content", "hello from java");
        client.PutLogs(project, store, "", List.of(log), "");

        var found = client.GetLogs(project, store, now - 60, now + 60, "", "java").getLogs();
        assertEquals(1, found.size());
        var content = found.get(0).GetLogItem().GetLogContents().stream()
                .filter(field -> field.GetKey().equals("content"))
                .findFirst();
        assertEquals("hello from java", content.orElseThrow().GetValue());
    }
}
