package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;
import static slsmock.Bed.fields;
import static slsmock.Bed.log;
import static slsmock.Bed.now;

import com.aliyun.openservices.log.common.ConsumerGroup;
import com.aliyun.openservices.log.common.ConsumerGroupShardCheckPoint;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLogGroup;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.common.TagContent;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.GetLogsRequest;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.aliyun.openservices.log.response.GetContextLogsResponse;
import com.aliyun.openservices.log.response.PullLogsResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Logs written, found, counted, analysed, seen in context and pulled. */
class DataTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    private static PutLogsRequest write(Bed bed, LogItem log) {
        return new PutLogsRequest(bed.project, STORE, "topic-a", "10.0.0.9", new ArrayList<>(List.of(log)));
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aWrittenLogIsFoundWithItsFieldsInEveryCompression(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            for (Consts.CompressType compression : Consts.CompressType.values()) {
                PutLogsRequest request = write(bed, log("method", "GET", "status", "404", "path", "/中 文"));
                request.SetTags(List.of(new TagContent("pod", "web-0")));
                request.setCompressType(compression);
                bed.client.PutLogs(request);
            }
            List<Map<String, String>> found = bed.rows("method: GET and status = 404");
            assertEquals(Consts.CompressType.values().length, found.size());
            assertEquals("/中 文", found.get(0).get("path"));
            assertEquals("topic-a", found.get(0).get("__topic__"));
            assertEquals("web-0", found.get(0).get("__tag__:pod"));
            assertEquals("10.0.0.9", bed.query("GET").GetLogs().get(0).GetSource());
            assertEquals(0, bed.rows("method: POST").size());
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void logsAreCountedAnalysedAndPaged(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            for (int n = 0; n < 3; n++) {
                bed.put("method", "GET", "status", Integer.toString(200 + n));
            }
            assertEquals("3", bed.rows("* | select count(*) as n").get(0).get("n"));
            assertEquals(
                    "202",
                    fields(bed.client
                                    .executeLogstoreSql(
                                            bed.project, STORE, now() - 600, now() + 600, "* | select max(status) as m", false)
                                    .GetLogs()
                                    .get(0))
                            .get("m"));
            String sql = "select count(*) as n from " + STORE + " where __time__ > " + (now() - 600);
            assertEquals(
                    "3",
                    fields(bed.client.GetProjectLogs(bed.project, sql).GetLogs().get(0)).get("n"));
            assertEquals(
                    2,
                    bed.client
                            .GetHistograms(bed.project, STORE, now() - 600, now() + 600, "", "status > 200")
                            .GetTotalCount());
            GetLogsRequest page =
                    new GetLogsRequest(bed.project, STORE, now() - 600, now() + 600, "", "GET", 2, 2, true);
            assertEquals(1, bed.client.GetLogs(page).GetLogs().size());
            assertCode(
                    "InvalidTimeRange", () -> bed.client.GetLogs(bed.project, STORE, now(), now() - 600, "", "*"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aLogIsSeenInItsContext(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            for (int part = 0; part < 3; part++) {
                PutLogsRequest request = write(bed, log("n", Integer.toString(part)));
                request.SetTags(List.of(new TagContent("__pack_id__", "5F2E7B1C9A3D4E60-" + part)));
                bed.client.PutLogs(request);
            }
            Map<String, String> row = bed.rows("1 | with_pack_meta").get(0);
            String id = row.get("__tag__:__pack_id__");
            String meta = row.get("__pack_meta__");
            GetContextLogsResponse context = bed.client.getContextLogs(bed.project, STORE, id, meta, 5, 5);
            assertTrue(context.isCompleted());
            assertEquals(
                    List.of(3, 1, 1),
                    List.of(context.getTotalLines(), context.getBackLines(), context.getForwardLines()));
            assertEquals(
                    List.of("0", "1", "2"),
                    context.getLogs().stream().map(log -> fields(log).get("n")).toList());
            assertCode(
                    "InvalidParameter", () -> bed.client.getContextLogs(bed.project, STORE, id, "none", 5, 5));
        }
    }

    private static void collect(List<LogGroupData> groups, TreeSet<String> values) {
        for (LogGroupData data : groups) {
            FastLogGroup group = data.GetFastLogGroup();
            assertEquals("topic-a", group.getTopic());
            for (int n = 0; n < group.getLogsCount(); n++) {
                values.add(group.getLogs(n).getContents(0).getValue());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void writtenLogsArePulledFromTheirShards(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            TreeSet<String> written = new TreeSet<>(List.of("0", "1", "2", "3"));
            for (String n : written) {
                bed.put("n", n);
            }
            PutLogsRequest keyed = write(bed, log("n", "keyed"));
            keyed.setHashKey("f".repeat(32));
            bed.client.PutLogs(keyed);
            written.add("keyed");
            TreeSet<String> pulled = new TreeSet<>();
            for (Shard shard : bed.client.ListShard(bed.project, STORE).GetShards()) {
                int id = shard.getShardId();
                String begin = bed.client
                        .GetCursor(bed.project, STORE, id, Consts.CursorMode.BEGIN)
                        .GetCursor();
                collect(bed.client.BatchGetLog(bed.project, STORE, id, 100, begin).GetLogGroups(), pulled);
            }
            assertEquals(written, pulled);

            String begin =
                    bed.client.GetCursor(bed.project, STORE, 1, Consts.CursorMode.BEGIN).GetCursor();
            String end = bed.client.GetCursor(bed.project, STORE, 1, Consts.CursorMode.END).GetCursor();
            // By lz4, its default: it asks for deflate and for no compression too, but reads neither answer.
            PullLogsRequest request = new PullLogsRequest(bed.project, STORE, 1, 100, begin);
            request.setQuery("keyed");
            PullLogsResponse answer = bed.client.pullLogs(request);
            TreeSet<String> found = new TreeSet<>();
            collect(answer.getLogGroups(), found);
            assertEquals(new TreeSet<>(List.of("keyed")), found);
            assertEquals(end, answer.getNextCursor());
            int received = bed.client.GetCursorTime(bed.project, STORE, 1, begin).GetCursorTime();
            assertTrue(Math.abs(received - now()) < 600);
            assertEquals(received, bed.client.GetPrevCursorTime(bed.project, STORE, 1, end).GetCursorTime(), 600);
            assertEquals("127.0.0.1", bed.client.GetServerIpAddress(bed.project));
            assertCode("ParameterInvalid", () -> bed.client.BatchGetLog(bed.project, STORE, 0, 1, "no cursor"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aConsumerGroupKeepsCheckpoints(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            ConsumerGroup group = new ConsumerGroup("readers", 30, true);
            bed.client.CreateConsumerGroup(bed.project, STORE, group);
            bed.client.UpdateConsumerGroup(bed.project, STORE, "readers", false, 60);
            ConsumerGroup kept = bed.client
                    .ListConsumerGroup(bed.project, STORE)
                    .GetConsumerGroups()
                    .get(0);
            assertEquals(60, kept.getTimeout());
            assertFalse(kept.isInOrder());
            assertEquals(
                    List.of(0, 1),
                    bed.client
                            .HeartBeat(bed.project, STORE, "readers", "one", new ArrayList<>())
                            .getShards());
            String cursor =
                    bed.client.GetCursor(bed.project, STORE, 0, Consts.CursorMode.END).GetCursor();
            bed.client.UpdateCheckPoint(bed.project, STORE, "readers", "one", 0, cursor);
            ConsumerGroupShardCheckPoint point = bed.client
                    .GetCheckPoint(bed.project, STORE, "readers", 0)
                    .getCheckPoints()
                    .get(0);
            assertEquals(cursor + " one", point.getCheckPoint() + " " + point.getConsumer());
            assertCode("ConsumerGroupAlreadyExist", () -> bed.client.CreateConsumerGroup(bed.project, STORE, group));
            bed.client.DeleteConsumerGroup(bed.project, STORE, "readers");
            assertCode("ConsumerGroupNotExist", () -> bed.client.GetCheckPoint(bed.project, STORE, "readers"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void whatCannotBeALogIsRefused(SignVersion version) throws LogException {
        try (Bed bed = new Bed(emulator, version)) {
            assertCode("InvalidKey", () -> bed.put("k".repeat(129), "v"));
            PutLogsRequest keyed = write(bed, log("k", "v"));
            keyed.setHashKey("no key");
            assertCode("ParameterInvalid", () -> bed.client.PutLogs(keyed));
        }
    }
}
