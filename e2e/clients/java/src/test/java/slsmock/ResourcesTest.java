package slsmock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static slsmock.Bed.STORE;
import static slsmock.Bed.assertCode;

import com.alibaba.fastjson.JSONObject;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Chart;
import com.aliyun.openservices.log.common.Dashboard;
import com.aliyun.openservices.log.common.Domain;
import com.aliyun.openservices.log.common.EtlMeta;
import com.aliyun.openservices.log.common.Logging;
import com.aliyun.openservices.log.common.LoggingDetail;
import com.aliyun.openservices.log.common.MetricStore;
import com.aliyun.openservices.log.common.MetricsConfig;
import com.aliyun.openservices.log.common.OssShipperConfig;
import com.aliyun.openservices.log.common.Resource;
import com.aliyun.openservices.log.common.ResourceRecord;
import com.aliyun.openservices.log.common.SavedSearch;
import com.aliyun.openservices.log.common.ShipperMigration;
import com.aliyun.openservices.log.common.SubStore;
import com.aliyun.openservices.log.common.SubStoreKey;
import com.aliyun.openservices.log.common.Tag;
import com.aliyun.openservices.log.common.Topostore;
import com.aliyun.openservices.log.common.TopostoreNode;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.*;
import com.aliyun.openservices.log.response.ListEtlMetaResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What else a project, a Logstore and an account hold: made, read, changed, listed and removed. */
class ResourcesTest {
    private static Emulator emulator;

    private Bed bed;
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

    @BeforeEach
    void makeProject() throws Exception {
        bed = new Bed(emulator, SignVersion.V4);
        client = bed.client;
        project = bed.project;
    }

    @AfterEach
    void removeProject() throws Exception {
        bed.close();
    }

    @Test
    void savedSearches() throws Exception {
        SavedSearch search = new SavedSearch();
        search.setSavedSearchName("errors");
        search.setDisplayName("Errors");
        search.setLogstore(STORE);
        search.setSearchQuery("status > 499");
        search.setTopic("");
        client.createSavedSearch(new CreateSavedSearchRequest(project, search));
        search.setSearchQuery("status > 399");
        client.updateSavedSearch(new UpdateSavedSearchRequest(project, search));
        SavedSearch kept = client.getSavedSearch(new GetSavedSearchRequest(project, "errors"))
                .getSavedSearch();
        assertEquals("Errors status > 399", kept.getDisplayName() + " " + kept.getSearchQuery());
        assertEquals(
                1, client.listSavedSearch(new ListSavedSearchRequest(project, "err", 0, 10)).getTotal());
        client.deleteSavedSearch(new DeleteSavedSearchRequest(project, "errors"));
        assertCode(
                "SavedSearchNotExist", () -> client.getSavedSearch(new GetSavedSearchRequest(project, "errors")));
    }

    private static Chart chart(String title, String query) {
        return new Chart(
                title, "table", STORE, "", query, "-60s", "now", new ArrayList<>(), new ArrayList<>(), 0, 0, 1, 1, title);
    }

    @Test
    void dashboardsAndTheirCharts() throws Exception {
        Dashboard board = new Dashboard("board", "d", "Board", new ArrayList<>(List.of(chart("one", "a"))));
        client.createDashboard(new CreateDashboardRequest(project, board));
        client.createChart(new CreateChartRequest(project, "board", chart("two", "b")));
        client.updateChart(new UpdateChartRequest(project, "board", "two", chart("two", "c")));
        assertEquals(
                "c",
                client.getChart(new GetChartRequest(project, "board", "two")).getChart().getQuery());
        client.deleteChart(new DeleteChartRequest(project, "board", "one"));
        assertCode("ChartNotExist", () -> client.getChart(new GetChartRequest(project, "board", "one")));
        Dashboard kept = client.getDashboard(new GetDashboardRequest(project, "board")).getDashboard();
        assertEquals(1, kept.getChartList().size());
        board.setDisplayName("New");
        client.updateDashboard(new UpdateDashboardRequest(project, board));
        List<Dashboard> listed = client.listDashboard(new ListDashboardRequest(project)).getDashboards();
        assertEquals("New", listed.get(0).getDisplayName());
        client.deleteDashboard(new DeleteDashboardRequest(project, "board"));
        assertCode("DashboardNotExist", () -> client.getDashboard(new GetDashboardRequest(project, "board")));
    }

    @Test
    void shippers() throws Exception {
        client.CreateShipper(project, STORE, "ship", new OssShipperConfig("one", "p", "arn", 300, 128, "none", "%Y"));
        client.UpdateShipper(project, STORE, "ship", new OssShipperConfig("two", "p", "arn", 300, 128, "none", "%Y"));
        OssShipperConfig kept =
                (OssShipperConfig) client.GetShipperConfig(project, STORE, "ship").GetConfig();
        assertEquals("two", kept.getOssBucket());
        assertEquals(List.of("ship"), client.ListShipper(project, STORE).GetShippers());
        assertEquals(
                0,
                client.GetShipperTasks(project, STORE, "ship", 0, 1, "", 0, 10).GetTotalTask());
        client.DeleteShipper(project, STORE, "ship");
        assertCode("ShipperNotExist", () -> client.GetShipperConfig(project, STORE, "ship"));
    }

    @Test
    void metricStoresAndSubStores() throws Exception {
        client.createMetricStore(project, new MetricStore("metrics", 7, 1));
        GetMetricStoreRequest get = new GetMetricStoreRequest(project, "metrics");
        assertEquals(7, client.getMetricStore(get).getMetricStore().getTtl());
        client.updateMetricStore(new UpdateMetricStoreRequest(project, new MetricStore("metrics", 9, 1)));
        assertEquals(9, client.getMetricStore(get).getMetricStore().getTtl());
        client.deleteMetricStore(new DeleteMetricStoreRequest(project, "metrics"));
        assertCode("LogStoreNotExist", () -> client.getMetricStore(get));

        List<SubStoreKey> keys = List.of(new SubStoreKey("name", "text"), new SubStoreKey("time", "long"));
        client.createSubStore(project, STORE, new SubStore("sub", 15, 1, 1, keys));
        assertEquals(15, client.getSubStore(project, STORE, "sub").getSubStore().getTtl());
        client.updateSubStoreTTL(project, STORE, 9);
        assertEquals(9, client.getSubStoreTTL(project, STORE).getTtl());
        client.deleteSubStore(project, STORE, "sub");
        client.updateLogStoreMeteringMode(new UpdateLogStoreMeteringModeRequest(project, STORE, "ChargeByDataIngest"));
        assertEquals(
                "ChargeByDataIngest",
                client.getLogStoreMeteringMode(new GetLogStoreMeteringModeRequest(project, STORE))
                        .getMeteringMode());
    }

    @Test
    void metricsConfigsMigrationsAndClearedStorage() throws Exception {
        MetricsConfig config = JSONObject.parseObject("{\"pushdown_config\":{\"enable\":true}}", MetricsConfig.class);
        client.createMetricStore(project, new MetricStore("metrics", 7, 1));
        client.createMetricsConfig(new CreateMetricsConfigRequest(project, "metrics", config));
        assertEquals(
                true,
                client.getMetricsConfig(new GetMetricsConfigRequest(project, "metrics"))
                        .getMetricsConfig()
                        .getPushdownConfig()
                        .isEnable());
        assertEquals(
                "metrics",
                client.listMetricsConfig(new ListMetricsConfigRequest(project))
                        .getMetricsConfigList()
                        .get(0)
                        .getMetricStore());
        client.deleteMetricsConfig(new DeleteMetricsConfigRequest(project, "metrics"));
        assertCode(
                "NotSupported", () -> client.createMetricsConfig(new CreateMetricsConfigRequest(project, STORE, config)));

        client.createShipperMigration(
                new CreateShipperMigrationRequest(project, new ShipperMigration("move", STORE, "ship")));
        GetShipperMigrationRequest get = new GetShipperMigrationRequest(project, "move");
        assertEquals("ship", client.getShipperMigration(get).getMigration().getShipperName());
        assertEquals(0, client.getShipperMigration(get).getMigration().getRetryCount());
        assertEquals(1, client.listShipperMigration(new ListShipperMigrationRequest(project, 0, 10)).getMigrations().size());

        client.ClearLogStoreStorage(project, STORE);
        assertCode("LogStoreNotExist", () -> client.ClearLogStoreStorage(project, "missing"));
    }

    @Test
    void loggingPolicyAndDomains() throws Exception {
        Logging logging = new Logging(project, List.of(new LoggingDetail("operation_log", STORE)));
        client.createLogging(new CreateLoggingRequest(project, logging));
        Logging kept = client.getLogging(new GetLoggingRequest(project)).getLogging();
        assertEquals("operation_log", kept.getLoggingDetails().get(0).getType());
        client.deleteLogging(new DeleteLoggingRequest(project));
        assertCode("LoggingNotExist", () -> client.getLogging(new GetLoggingRequest(project)));

        String policy = "{\"Version\":\"1\",\"Statement\":[]}";
        client.setProjectPolicy(project, policy);
        assertEquals(policy, client.getProjectPolicy(project).getPolicyText());
        client.deleteProjectPolicy(project);

        client.createDomain(project, new Domain("logs.example.com"));
        List<Domain> domains = client.listDomains(project, "", 0, 10).getDomains();
        assertEquals("logs.example.com", domains.get(0).getDomainName());
        client.deleteDomain(project, "logs.example.com");
        assertEquals(0, client.listDomains(project, "", 0, 10).getTotal());
    }

    @Test
    void tags() throws Exception {
        List<String> of = List.of(project);
        client.tagResources(
                new TagResourcesRequest("project", of, List.of(new Tag("team", "web"), new Tag("env", "test"))));
        client.untagResources(new UntagResourcesRequest("project", of, List.of("env")));
        List<String> kept =
                client.listTagResources(new ListTagResourcesRequest("project", of, Map.of())).getTagResources().stream()
                        .map(tag -> tag.getTagKey() + "=" + tag.getTagValue())
                        .toList();
        assertEquals(List.of("team=web"), kept);
    }

    @Test
    void metaOfTransformations() throws Exception {
        JSONObject value = new JSONObject();
        value.put("aliuid", "1");
        client.createEtlMeta(project, new EtlMeta("aliyun", "user-1", "123", value, true));
        value.put("aliuid", "2");
        client.updateEtlMeta(project, new EtlMeta("aliyun", "user-1", "123", value, true));
        ListEtlMetaResponse kept = client.getEtlMeta(project, "aliyun", "user-1");
        assertEquals("2", kept.getHeadEtlMeta().getMetaValue().getString("aliuid"));
        assertEquals(1, client.listEtlMeta(project, "aliyun", 0, 10).getTotal());
        assertEquals(
                List.of("aliyun"), client.listEtlMetaName(project, 0, 10).getEtlMetaNameList());
        client.deleteEtlMeta(project, "aliyun", "user-1");
        assertEquals(0, client.listEtlMeta(project, "aliyun", 0, 10).getTotal());
    }

    @Test
    void resourcesOfTheAccountAndTheirRecords() throws Exception {
        Resource resource = new Resource("user.cities", "userdefine");
        resource.setSchema("{\"schema\":[{\"column\":\"city\",\"type\":\"string\"}]}");
        resource.setDescription("first");
        client.createResource(new CreateResourceRequest(resource));
        resource.setDescription("second");
        client.updateResource(new UpdateResourceRequest(resource));
        assertEquals(
                "second",
                client.getResource(new GetResourceRequest("user.cities"))
                        .getResource()
                        .getDescription());
        ResourceRecord record = new ResourceRecord("a", "t", "{\"city\":\"Bern\"}");
        client.createResourceRecord(new CreateResourceRecordRequest("user.cities", record));
        assertEquals(
                record.getValue(),
                client.getResourceRecord(new GetResourceRecordRequest("user.cities", "a"))
                        .getRecord()
                        .getValue());
        assertEquals(
                1,
                client.listResourceRecord(new ListResourceRecordRequest("user.cities"))
                        .getTotal());
        client.deleteResourceRecord(new DeleteResourceRecordRequest("user.cities", "a"));
        client.deleteResource(new DeleteResourceRequest("user.cities"));
        assertCode("ResourceNotExist", () -> client.getResource(new GetResourceRequest("user.cities")));
    }

    @Test
    void topologiesWithNodes() throws Exception {
        client.createTopostore(new CreateTopostoreRequest(new Topostore("topo-java")));
        assertEquals(
                "topo-java",
                client.getTopostore(new GetTopostoreRequest("topo-java"))
                        .getTopostore()
                        .getName());
        client.createTopostoreNode(new CreateTopostoreNodeRequest("topo-java", new TopostoreNode("web", "host")));
        List<TopostoreNode> nodes = client.listTopostoreNode(new ListTopostoreNodeRequest("topo-java"))
                .getTopostoreNodes();
        assertEquals("web host", nodes.get(0).getNodeId() + " " + nodes.get(0).getNodeType());
        client.deleteTopostoreNode(new DeleteTopostoreNodeRequest("topo-java", List.of("web")));
        client.deleteTopostore(new DeleteTopostoreRequest("topo-java"));
        assertCode("TopostoreNotExist", () -> client.getTopostore(new GetTopostoreRequest("topo-java")));
    }
}
