package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Config;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.MachineGroup;
import com.aliyun.openservices.log.common.QueriedLog;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.response.GetLogsResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The Java SDK, from a new project to its removal, with both versions of signatures. */
class SmokeTest {
    private static final String STORE = "access";
    private static Emulator emulator;

    private Client client;
    private String project;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    private interface Walk {
        void go() throws Exception;
    }

    /** Runs a test in a project of its own with a Logstore, and removes both. */
    private void inProject(SignVersion version, Walk walk) throws Exception {
        client = emulator.client(Emulator.KEY_ID, Emulator.KEY_SECRET, version);
        project = "java-" + Long.toString(System.nanoTime(), 36);
        client.CreateProject(project, "made by the Java SDK");
        LogStore store = new LogStore(STORE, 30, 2);
        client.CreateLogStore(project, store);
        Index index = new Index();
        index.FromJsonString("{\"ttl\":30,\"line\":{\"token\":[\" \",\",\"],\"caseSensitive\":false},"
                + "\"keys\":{\"method\":{\"type\":\"text\",\"token\":[\" \"],\"caseSensitive\":false,"
                + "\"doc_value\":true}}}");
        client.CreateIndex(project, STORE, index);
        walk.go();
        client.DeleteLogStore(project, STORE);
        client.DeleteProject(project);
        assertCode("ProjectNotExist", () -> client.GetProject(project));
    }

    private static void assertCode(String code, Executable call) {
        LogException refused = assertThrows(LogException.class, call);
        assertEquals(code, refused.GetErrorCode());
        assertEquals(24, refused.GetRequestId().length());
    }

    private static int now() {
        return (int) (System.currentTimeMillis() / 1000);
    }

    private void put(String... fields) throws LogException {
        LogItem item = new LogItem(now());
        for (int n = 0; n + 1 < fields.length; n += 2) {
            item.PushBack(fields[n], fields[n + 1]);
        }
        client.PutLogs(project, STORE, "topic-a", List.of(item), "10.0.0.9");
    }

    private static Map<String, String> fields(QueriedLog log) {
        Map<String, String> fields = new TreeMap<>();
        log.GetLogItem().GetLogContents().forEach(content -> fields.put(content.GetKey(), content.GetValue()));
        return fields;
    }

    private GetLogsResponse query(String query) throws LogException {
        return client.GetLogs(project, STORE, now() - 600, now() + 600, "", query, 100, 0, false);
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aWrittenLogIsFoundWithItsFields(SignVersion version) throws Exception {
        inProject(version, () -> {
            assertEquals("made by the Java SDK", client.GetProject(project).GetProjectDescription());
            put("method", "GET", "status", "404", "path", "/中 文");
            GetLogsResponse found = query("method: GET and 404");
            assertEquals(1, found.GetCount());
            assertEquals("10.0.0.9", found.GetLogs().get(0).GetSource());
            Map<String, String> fields = fields(found.GetLogs().get(0));
            assertEquals("/中 文", fields.get("path"));
            assertEquals("topic-a", fields.get("__topic__"));
            assertEquals(0, query("method: POST").GetCount());
        });
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void sqlAndHistogramCountEveryLog(SignVersion version) throws Exception {
        inProject(version, () -> {
            for (int n = 0; n < 3; n++) {
                put("method", "GET");
            }
            QueriedLog row = query("* | select count(*) as n").GetLogs().get(0);
            assertEquals("3", fields(row).get("n"));
            assertEquals(
                    3,
                    client.GetHistograms(project, STORE, now() - 600, now() + 600, "", "GET").GetTotalCount());
        });
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void writtenLogsArePulledFromTheirShards(SignVersion version) throws Exception {
        inProject(version, () -> {
            TreeSet<String> written = new TreeSet<>(List.of("0", "1", "2", "3"));
            for (String n : written) {
                put("n", n);
            }
            TreeSet<String> pulled = new TreeSet<>();
            for (Shard shard : client.ListShard(project, STORE).GetShards()) {
                int id = shard.GetShardId();
                String cursor =
                        client.GetCursor(project, STORE, id, Consts.CursorMode.BEGIN).GetCursor();
                for (LogGroupData data : client.BatchGetLog(project, STORE, id, 100, cursor).GetLogGroups()) {
                    FastLogGroup group = data.GetFastLogGroup();
                    assertEquals("topic-a", group.getTopic());
                    for (int n = 0; n < group.getLogsCount(); n++) {
                        FastLog log = group.getLogs(n);
                        pulled.add(log.getContents(0).getValue());
                    }
                }
            }
            assertEquals(written, pulled);
        });
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aConfigIsAppliedToAMachineGroup(SignVersion version) throws Exception {
        inProject(version, () -> {
            ArrayList<String> ids = new ArrayList<>(List.of("web-id"));
            client.CreateMachineGroup(project, new MachineGroup("web", "userdefined", ids));
            Config config = new Config("nginx");
            config.FromJsonString("{\"configName\":\"nginx\",\"inputType\":\"file\",\"inputDetail\":{"
                    + "\"logType\":\"common_reg_log\",\"logPath\":\"/var/log/nginx\",\"filePattern\":\"*.log\","
                    + "\"topicFormat\":\"none\",\"localStorage\":true,\"timeFormat\":\"\",\"logBeginRegex\":\".*\","
                    + "\"regex\":\"(.*)\",\"key\":[\"content\"],\"filterKey\":[],\"filterRegex\":[]},"
                    + "\"outputType\":\"LogService\",\"outputDetail\":{\"projectName\":\"" + project
                    + "\",\"logstoreName\":\"" + STORE + "\"}}");
            client.CreateConfig(project, config);
            client.ApplyConfigToMachineGroup(project, "web", "nginx");
            assertEquals(
                    List.of("nginx"), client.GetAppliedConfig(project, "web").Getconfigs());
            assertEquals(ids, client.GetMachineGroup(project, "web").GetMachineGroup().GetMachineList());
            client.RemoveConfigFromMachineGroup(project, "web", "nginx");
            assertTrue(client.GetAppliedConfig(project, "web").Getconfigs().isEmpty());
            client.DeleteConfig(project, "nginx");
            client.DeleteMachineGroup(project, "web");
        });
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void errorsHaveTheCodesOfTheService(SignVersion version) throws Exception {
        inProject(version, () -> {
            Client wrong = emulator.client(Emulator.KEY_ID, "wrong", version);
            Client nobody = emulator.client("nobody", Emulator.KEY_SECRET, version);
            assertCode("LogStoreNotExist", () -> client.GetLogStore(project, "missing"));
            assertCode("ProjectNotExist", () -> client.GetProject("missing-project"));
            assertCode("ProjectAlreadyExist", () -> client.CreateProject(project, ""));
            assertCode("SignatureNotMatch", () -> wrong.GetLogStore(project, STORE));
            assertCode("Unauthorized", () -> nobody.GetLogStore(project, STORE));
        });
    }
}
