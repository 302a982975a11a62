package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;
import static slsmock.Bed.log;

import com.aliyun.openservices.aliyun.log.producer.LogProducer;
import com.aliyun.openservices.aliyun.log.producer.ProducerConfig;
import com.aliyun.openservices.aliyun.log.producer.ProjectConfig;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.http.signer.SignVersion;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the SDK and its producer do when a write goes wrong, and how many requests came of it. */
class FaultsTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    @AfterEach
    void removeFaults() throws Exception {
        emulator.ask("DELETE", "faults", "");
    }

    /** Adds a fault of writes that acts once. */
    private static void fault(String what) throws Exception {
        emulator.ask("POST", "faults", "{\"when\":{\"operation\":\"write\"},\"what\":" + what + ",\"times\":1}");
    }

    /** The statuses of the writes to a project, in order; none for a request without answer. */
    private static List<String> answers(Bed bed) throws Exception {
        List<String> answers = new ArrayList<>();
        for (String entry : emulator.ask("GET", "journal?operation=write&project=" + bed.project, "").split("\\{\"seq\"")) {
            if (entry.contains("\"lost\":true")) {
                answers.add("none");
            } else if (entry.contains("\"status\":")) {
                answers.add(entry.replaceAll("(?s).*\"status\":(\\d+).*", "$1"));
            }
        }
        return answers;
    }

    private static void check(Bed bed, List<String> answers, int stored) throws Exception {
        assertEquals(answers, answers(bed));
        assertEquals(stored, bed.rows("*").size());
    }

    @ParameterizedTest
    @CsvSource({"500,InternalServerError", "503,ServerBusy", "403,WriteQuotaExceed", "429,WriteQuotaExceed"})
    void anErrorOfTheServiceIsThrownAtOnce(String status, String code) throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            fault("{\"error\":" + status + "}");
            assertCode(code, () -> bed.put("n", "1"));
            check(bed, List.of(status), 0);
        }
    }

    @ParameterizedTest
    @CsvSource({"before,1", "after,2"})
    void aResetIsTriedAgainSoThatALostAnswerStoresLogsTwice(String when, int stored) throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            fault("{\"reset\":\"" + when + "\"}");
            bed.put("n", "1");
            check(bed, List.of("none", "200"), stored);
        }
    }

    @Test
    void aTimeOutIsTriedAgain() throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V4)) {
            ClientConfiguration configuration = emulator.configuration();
            configuration.setSocketTimeout(1_000);
            Client hasty = new Client(Emulator.ENDPOINT, Emulator.KEY_ID, Emulator.KEY_SECRET, configuration);
            fault("{\"hang\":{}}");
            hasty.PutLogs(bed.project, STORE, "", new ArrayList<>(List.of(log("n", "1"))), "");
            emulator.ask("GET", "journal?follow_ms=60000&status=none&project=" + bed.project, "");
            assertEquals(2, answers(bed).size());
            assertEquals(1, bed.rows("*").size());
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "{\"error\":500}|500|1", "{\"quota\":\"write\"}|403|1", "{\"reset\":\"before\"}|none|1", "{\"reset\":\"after\"}|none|2"
    })
    void theProducerSendsAgainAndAfterALostAnswerTwice(String what, String first, int stored) throws Exception {
        try (Bed bed = new Bed(emulator, SignVersion.V1)) {
            fault(what);
            ProducerConfig config = new ProducerConfig();
            config.setLingerMs(ProducerConfig.LINGER_MS_LOWER_LIMIT);
            LogProducer producer = new LogProducer(config);
            ProjectConfig project = new ProjectConfig(bed.project, Emulator.ENDPOINT, Emulator.KEY_ID, Emulator.KEY_SECRET);
            project.setProxyIp(emulator.address());
            producer.putProjectConfig(project);
            assertTrue(producer.send(bed.project, STORE, log("n", "1")).get().isSuccessful());
            producer.close();
            check(bed, List.of(first, "200"), stored);
        }
    }
}
