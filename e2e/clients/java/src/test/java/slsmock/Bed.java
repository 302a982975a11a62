package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.QueriedLog;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.response.GetLogsResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.function.Executable;

/** A project with an indexed Logstore of two shards, and a client of one version of signatures. */
final class Bed implements AutoCloseable {
    static final String STORE = "access";

    final Client client;
    final String project;

    Bed(Emulator emulator, SignVersion version) throws LogException {
        client = emulator.client(Emulator.KEY_ID, Emulator.KEY_SECRET, version);
        project = "java-" + Long.toString(System.nanoTime(), 36);
        client.CreateProject(project, "made by the Java SDK");
        client.CreateLogStore(project, new LogStore(STORE, 30, 2));
        Index index = new Index();
        index.FromJsonString("{\"ttl\":30,\"line\":{\"token\":[\" \",\",\"],\"caseSensitive\":false},\"keys\":{"
                + "\"method\":{\"type\":\"text\",\"token\":[\" \"],\"caseSensitive\":false,\"doc_value\":true},"
                + "\"status\":{\"type\":\"long\",\"doc_value\":true}}}");
        client.CreateIndex(project, STORE, index);
    }

    static int now() {
        return (int) (System.currentTimeMillis() / 1000);
    }

    /** A log of names and values in turn. */
    static LogItem log(String... fields) {
        LogItem item = new LogItem(now());
        for (int n = 0; n + 1 < fields.length; n += 2) {
            item.PushBack(fields[n], fields[n + 1]);
        }
        return item;
    }

    void put(String... fields) throws LogException {
        client.PutLogs(project, STORE, "topic-a", new ArrayList<>(List.of(log(fields))), "10.0.0.9");
    }

    GetLogsResponse query(String query) throws LogException {
        return client.GetLogs(project, STORE, now() - 600, now() + 600, "", query, 100, 0, false);
    }

    /** What a query finds, each log as its fields. */
    List<Map<String, String>> rows(String query) throws LogException {
        return query(query).GetLogs().stream().map(Bed::fields).toList();
    }

    static Map<String, String> fields(QueriedLog log) {
        Map<String, String> fields = new TreeMap<>();
        log.GetLogItem().GetLogContents().forEach(content -> fields.put(content.GetKey(), content.GetValue()));
        return fields;
    }

    /** Expects an error of the service with this code. */
    static void assertCode(String code, Executable call) {
        LogException refused = assertThrows(LogException.class, call);
        assertEquals(code, refused.GetErrorCode());
        assertEquals(24, refused.GetRequestId().length());
    }

    @Override
    public void close() throws LogException {
        client.DeleteProject(project);
        assertCode("ProjectNotExist", () -> client.GetProject(project));
    }
}
