package consumers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.ConsumerGroup;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.exception.LogException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java consumer library: several processes of one group. */
class ConsumersTest {
    private static final String PROJECT = "consumers-java";
    private static final String LOGSTORE = "consumed";
    /** How long a test may wait for what must happen: a guard against hanging, no measure. */
    private static final long HANG_GUARD_NANOS = 600_000_000_000L;

    private Emulator emulator;
    private Client client;

    @BeforeEach
    void start() throws Exception {
        emulator = new Emulator();
        client = emulator.client();
        client.CreateProject(PROJECT, "consumers of the Java SDK");
        client.CreateLogStore(PROJECT, new LogStore(LOGSTORE, 1, 4));
    }

    @AfterEach
    void stop() throws Exception {
        client.shutdown();
        emulator.close();
    }

    @Test
    void nothingIsLostWhenOneOfThreeWorkersIsKilled(@TempDir Path folder) throws Exception {
        Path hosts = Files.writeString(folder.resolve("hosts"), "127.0.0.1 " + PROJECT + ".sls.test\n");
        try (Detour detour = new Detour(emulator.port);
                Worker one = new Worker(emulator, detour, hosts, PROJECT, LOGSTORE, "one");
                Worker two = new Worker(emulator, detour, hosts, PROJECT, LOGSTORE, "two");
                Worker three = new Worker(emulator, detour, hosts, PROJECT, LOGSTORE, "three")) {
            List<Worker> workers = List.of(one, two, three);
            List<String> sent = new ArrayList<>(put("before", 200));
            untilRead(sent, workers);
            // Logs for every shard until each worker has some: the shards are spread by now.
            for (int round = 0; workers.stream().anyMatch(worker -> worker.texts.isEmpty()); round++) {
                List<String> more = put("spread-" + round, 8);
                untilRead(more, workers);
                sent.addAll(more);
            }

            one.kill();
            untilRead(put("after", 200), List.of(two, three));
            untilRead(sent, workers);
        }
    }

    @Test
    void errorsHaveTheCodesThatTheLibraryLooksFor() throws Exception {
        ConsumerGroup group = new ConsumerGroup("workers", 60, false);
        client.CreateConsumerGroup(PROJECT, LOGSTORE, group);
        assertEquals(
                "ConsumerGroupAlreadyExist",
                code(() -> client.CreateConsumerGroup(PROJECT, LOGSTORE, group)));
        assertEquals(
                "NotExistConsumerWithBody",
                code(() -> client.HeartBeat(
                        PROJECT, LOGSTORE, "workers", "unknown", new ArrayList<>(List.of(0)))));
        assertEquals(
                "ConsumerGroupNotExist",
                code(() -> client.HeartBeat(PROJECT, LOGSTORE, "nobody", "unknown", new ArrayList<>())));
        assertEquals(
                "ConsumerNotExist",
                code(() -> client.UpdateCheckPoint(PROJECT, LOGSTORE, "workers", "unknown", 0, "MQ==")));
    }

    private interface Call {
        void run() throws LogException;
    }

    private static String code(Call call) {
        return assertThrows(LogException.class, call::run).GetErrorCode();
    }

    private List<String> put(String prefix, int count) throws LogException {
        List<String> texts = IntStream.range(0, count).mapToObj(n -> prefix + "-" + n).toList();
        for (String text : texts) {
            LogItem item = new LogItem();
            item.PushBack("text", text);
            client.PutLogs(PROJECT, LOGSTORE, "", List.of(item), "");
        }
        return texts;
    }

    private static void untilRead(Collection<String> expected, List<Worker> workers) throws InterruptedException {
        long began = System.nanoTime();
        Set<String> missing = new HashSet<>(expected);
        while (!missing.isEmpty()) {
            assertTrue(System.nanoTime() - began < HANG_GUARD_NANOS, () -> "not read: " + missing);
            Thread.sleep(100);
            workers.forEach(worker -> missing.removeAll(new HashSet<>(worker.texts)));
        }
    }
}
