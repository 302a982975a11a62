package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;

import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Index;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.Project;
import com.aliyun.openservices.log.common.Shard;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.UpdateProjectRequest;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Projects, Logstores, shards and indexes, from creation to removal. */
class LifeTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aProjectIsDescribedListedAndChanged(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            assertEquals(
                    "made by the Java SDK", bed.client.GetProject(bed.project).GetProjectDescription());
            assertEquals("Normal", bed.client.GetProject(bed.project).GetProjectStatus());
            bed.client.updateProject(new UpdateProjectRequest(bed.project, "changed"));
            List<Project> listed = bed.client.ListProject(bed.project, 0, 10).getProjects();
            assertEquals(1, listed.size());
            assertEquals("changed", listed.get(0).getProjectDesc());
            assertEquals("cn-hangzhou", listed.get(0).getRegion());
            assertCode("ProjectAlreadyExist", () -> bed.client.CreateProject(bed.project, ""));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aLogstoreKeepsItsSettings(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            LogStore made = new LogStore("other", 7, 1, true);
            made.setAppendMeta(true);
            made.setMode("standard");
            bed.client.CreateLogStore(bed.project, made);
            LogStore kept = bed.client.GetLogStore(bed.project, "other").GetLogStore();
            assertEquals(List.of(7, 1), List.of(kept.GetTtl(), kept.GetShardCount()));
            assertTrue(kept.isEnableWebTracking() && kept.isAppendMeta());
            made.SetTtl(90);
            made.setEnableWebTracking(false);
            bed.client.UpdateLogStore(bed.project, made);
            kept = bed.client.GetLogStore(bed.project, "other").GetLogStore();
            assertEquals("90 false", kept.GetTtl() + " " + kept.isEnableWebTracking());
            assertEquals(
                    List.of("access", "other"),
                    bed.client.ListLogStores(bed.project, 0, 10).GetLogStores());
            assertEquals(
                    List.of("other"),
                    bed.client.ListLogStores(bed.project, 0, 10, "oth").GetLogStores());
            assertCode("LogStoreAlreadyExist", () -> bed.client.CreateLogStore(bed.project, made));
            bed.client.DeleteLogStore(bed.project, "other");
            assertCode("LogStoreNotExist", () -> bed.client.GetLogStore(bed.project, "other"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void anIndexIsReadChangedAndRemoved(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            Index kept = bed.client.GetIndex(bed.project, STORE).GetIndex();
            assertEquals(List.of(" ", ","), kept.GetLine().GetToken());
            assertEquals("long", kept.GetKeys().GetKeys().get("status").GetType());
            assertCode("IndexAlreadyExist", () -> bed.client.CreateIndex(bed.project, STORE, kept));
            String changed = "{\"keys\":{\"path\":{\"type\":\"text\",\"token\":[\"/\"],\"doc_value\":true}}}";
            bed.client.UpdateIndex(bed.project, STORE, changed);
            assertTrue(bed.client.GetIndexString(bed.project, STORE).GetIndex().contains("path"));
            bed.put("path", "/a/b");
            assertEquals(1, bed.rows("path: b").size());
            bed.client.DeleteIndex(bed.project, STORE);
            assertCode("IndexConfigNotExist", () -> bed.client.GetIndex(bed.project, STORE));
            assertCode("IndexConfigNotExist", () -> bed.rows("*"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void shardsAreSplitAndMerged(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            bed.client.SplitShard(bed.project, STORE, 0, "4" + "0".repeat(31));
            bed.client.MergeShards(bed.project, STORE, 2);
            List<String> states = bed.client.ListShard(bed.project, STORE).GetShards().stream()
                    .map((Shard shard) -> shard.getShardId() + " " + shard.getStatus())
                    .toList();
            assertEquals(List.of("0 readonly", "1 readwrite", "2 readonly", "3 readonly", "4 readwrite"), states);
            assertCode("ParameterInvalid", () -> bed.client.MergeShards(bed.project, STORE, 9));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void errorsHaveTheCodesOfTheService(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            Client wrong = emulator.client(Emulator.KEY_ID, "wrong", version);
            Client nobody = emulator.client("nobody", Emulator.KEY_SECRET, version);
            assertCode("ProjectNotExist", () -> bed.client.GetLogStore("missing-project", STORE));
            assertCode("SignatureNotMatch", () -> wrong.GetLogStore(bed.project, STORE));
            assertCode("Unauthorized", () -> nobody.GetLogStore(bed.project, STORE));
        }
    }
}
