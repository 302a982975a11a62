package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;

import com.aliyun.openservices.log.common.Config;
import com.aliyun.openservices.log.common.MachineGroup;
import com.aliyun.openservices.log.common.MachineList;
import com.aliyun.openservices.log.http.signer.SignVersion;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What Logtail is told: machine groups, configs, and who has which. */
class CollectionTest {
    private static Emulator emulator;

    @BeforeAll
    static void start() throws Exception {
        emulator = new Emulator("java");
    }

    @AfterAll
    static void stop() throws Exception {
        emulator.close();
    }

    private static Config config(Bed bed, String path) throws Exception {
        Config config = new Config("nginx");
        config.FromJsonString("{\"configName\":\"nginx\",\"inputType\":\"file\",\"inputDetail\":{"
                + "\"logType\":\"common_reg_log\",\"logPath\":\"" + path + "\",\"filePattern\":\"*.log\","
                + "\"topicFormat\":\"none\",\"localStorage\":true,\"timeFormat\":\"\",\"logBeginRegex\":\".*\","
                + "\"regex\":\"(.*)\",\"key\":[\"content\"],\"filterKey\":[],\"filterRegex\":[]},"
                + "\"outputType\":\"LogService\",\"outputDetail\":{\"projectName\":\"" + bed.project
                + "\",\"logstoreName\":\"" + STORE + "\"}}");
        return config;
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aMachineGroupIsMadeChangedListedAndRemoved(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            MachineGroup group = new MachineGroup("web", "userdefined", new ArrayList<>(List.of("web-id")));
            bed.client.CreateMachineGroup(bed.project, group);
            assertCode("MachineGroupAlreadyExist", () -> bed.client.CreateMachineGroup(bed.project, group));
            group.SetMachineList(new ArrayList<>(List.of("other-id")));
            bed.client.UpdateMachineGroup(bed.project, group);
            assertEquals(
                    List.of("other-id"),
                    bed.client.GetMachineGroup(bed.project, "web").GetMachineGroup().GetMachineList());
            MachineList more = new MachineList(new ArrayList<>(List.of("one", "two")));
            bed.client.AddMachineIntoMahineGroup(bed.project, "web", more);
            MachineList less = new MachineList(new ArrayList<>(List.of("one")));
            bed.client.DeleteMachineFromMachineGroup(bed.project, "web", less);
            assertEquals(
                    List.of("other-id", "two"),
                    bed.client.GetMachineGroup(bed.project, "web").GetMachineGroup().GetMachineList());
            assertEquals(
                    List.of("web"), bed.client.ListMachineGroup(bed.project).GetMachineGroups());
            assertEquals(0, bed.client.ListMachines(bed.project, "web", 0, 10).GetTotal());
            bed.client.DeleteMachineGroup(bed.project, "web");
            assertCode("MachineGroupNotExist", () -> bed.client.GetMachineGroup(bed.project, "web"));
        }
    }

    @ParameterizedTest
    @EnumSource(SignVersion.class)
    void aConfigIsAppliedToAMachineGroup(SignVersion version) throws Exception {
        try (Bed bed = new Bed(emulator, version)) {
            bed.client.CreateMachineGroup(bed.project, new MachineGroup("web", "userdefined", new ArrayList<>()));
            bed.client.CreateConfig(bed.project, config(bed, "/var/log/nginx"));
            assertCode("ConfigAlreadyExist", () -> bed.client.CreateConfig(bed.project, config(bed, "/x")));
            bed.client.UpdateConfig(bed.project, config(bed, "/other"));
            String kept = bed.client.GetConfig(bed.project, "nginx").GetConfig().ToJsonString();
            assertTrue(kept.contains("\"logPath\":\"/other\""), kept);
            assertEquals(List.of("nginx"), bed.client.ListConfig(bed.project).GetConfigs());
            bed.client.ApplyConfigToMachineGroup(bed.project, "web", "nginx");
            assertEquals(
                    List.of("nginx"),
                    bed.client.GetAppliedConfig(bed.project, "web").Getconfigs());
            assertEquals(
                    List.of("web"),
                    bed.client.GetAppliedMachineGroups(bed.project, "nginx").GetMachineGroups());
            bed.client.RemoveConfigFromMachineGroup(bed.project, "web", "nginx");
            assertTrue(bed.client.GetAppliedConfig(bed.project, "web").Getconfigs().isEmpty());
            bed.client.DeleteConfig(bed.project, "nginx");
            assertCode("ConfigNotExist", () -> bed.client.GetConfig(bed.project, "nginx"));
        }
    }
}
