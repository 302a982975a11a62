package walk

import (
	"encoding/json"
	"testing"

	sls "github.com/aliyun/aliyun-log-go-sdk"

	"mock-sls.test/clients/emulator"
)

// inProject runs a test in a project of its own; the data tests show both versions of signatures.
func inProject(t *testing.T) (client *sls.Client, project string) {
	t.Helper()
	client = clientWith(sls.AuthV4, emulator.KeyID, emulator.KeySecret)
	return client, newProject(t, client)
}

func TestSavedSearches(t *testing.T) {
	client, project := inProject(t)
	search := &sls.SavedSearch{SavedSearchName: "errors", SearchQuery: "status > 499", Logstore: store, DisplayName: "Errors"}
	must(t, client.CreateSavedSearch(project, search))
	search.SearchQuery = "status > 399"
	must(t, client.UpdateSavedSearch(project, search))
	equal(t, *got(client.GetSavedSearch(project, "errors"))(t), *search)
	must(t, client.CreateSavedSearch(project, &sls.SavedSearch{SavedSearchName: "others", SearchQuery: "*", Logstore: store, DisplayName: "O"}))
	names, items, total, count, err := client.ListSavedSearchV2(project, "err", 0, 10)
	must(t, err)
	shown(t, "[errors] [{errors Errors}] 1 1", names, items, total, count)
	must(t, client.DeleteSavedSearch(project, "errors"))
	refused(t, second(client.GetSavedSearch(project, "errors")), "SavedSearchNotExist")
}

func TestDashboardsAndTheirCharts(t *testing.T) {
	client, project := inProject(t)
	chart := sls.Chart{Title: "pie", Type: "pie", Search: sls.ChartSearch{Logstore: store, Query: "* | select 1 as a"}}
	board := sls.Dashboard{DashboardName: "board", DisplayName: "Board", Description: "d", ChartList: []sls.Chart{chart}}
	must(t, client.CreateDashboard(project, board))
	refused(t, client.CreateDashboard(project, board), "ParameterInvalid")
	must(t, client.CreateChart(project, "board", sls.Chart{Title: "line", Type: "line"}))
	chart.Search.Query = "* | select 2 as a"
	must(t, client.UpdateChart(project, "board", chart))
	equal(t, got(client.GetChart(project, "board", "pie"))(t).Search.Query, chart.Search.Query)
	must(t, client.DeleteChart(project, "board", "line"))
	refused(t, second(client.GetChart(project, "board", "line")), "ChartNotExist")
	kept := got(client.GetDashboard(project, "board"))(t)
	shown(t, "Board 1 pie", kept.DisplayName, len(kept.ChartList), kept.ChartList[0].Title)
	must(t, client.UpdateDashboardString(project, "board", `{"dashboardName":"board","displayName":"New","charts":[]}`))
	names, items, count, total, err := client.ListDashboardV2(project, "", 0, 10)
	must(t, err)
	shown(t, "[board] [{board New}] 1 1", names, items, count, total)
	must(t, client.DeleteDashboard(project, "board"))
	refused(t, second(client.GetDashboard(project, "board")), "DashboardNotExist")
}

func TestStoreViewsAndWhatIsIndexedInThem(t *testing.T) {
	client, project := inProject(t)
	view := &sls.StoreView{Name: "view", StoreType: "logstore", Stores: []*sls.StoreViewStore{{Project: project, StoreName: store, Query: "a"}}}
	must(t, client.CreateStoreView(project, view))
	view.Stores[0].Query = "b"
	must(t, client.UpdateStoreView(project, view))
	equal(t, *got(client.GetStoreView(project, "view"))(t).Stores[0], *view.Stores[0])
	indexes := got(client.GetStoreViewIndex(project, "view"))(t)
	shown(t, store+" text 0", indexes.Indexes[0].LogStore, indexes.Indexes[0].Index.Keys["method"].Type, len(indexes.StoreViewErrors))
	listed := got(client.ListStoreViews(project, &sls.ListStoreViewsRequest{Size: 10}))(t)
	shown(t, "[view] 1", listed.StoreViews, listed.Total)
	must(t, client.DeleteStoreView(project, "view"))
	refused(t, second(client.GetStoreView(project, "view")), "StoreViewNotExist")
}

func TestMetricStoresAndTheirSettings(t *testing.T) {
	client, project := inProject(t)
	must(t, client.CreateMetricStoreV2(project, &sls.MetricStore{Name: "metrics", TTL: 7, ShardCount: 1}))
	must(t, client.UpdateMetricStoreV2(project, &sls.MetricStore{Name: "metrics", TTL: 9, ShardCount: 1}))
	equal(t, got(client.GetMetricStoreV2(project, "metrics"))(t).TTL, 9)
	must(t, client.UpdateMetricStoreMeteringMode(project, "metrics", sls.CHARGE_BY_DATA_INGEST))
	equal(t, got(client.GetMetricStoreMeteringMode(project, "metrics"))(t).MeteringMode, sls.CHARGE_BY_DATA_INGEST)
	config := &sls.MetricsConfig{QueryCacheConfig: &sls.MetricQueryCacheConfig{Enable: true}}
	must(t, client.CreateMetricConfig(project, "metrics", config))
	config.QueryCacheConfig.Enable = false
	must(t, client.UpdateMetricConfig(project, "metrics", config))
	equal(t, got(client.GetMetricConfig(project, "metrics"))(t).QueryCacheConfig.Enable, false)
	must(t, client.DeleteMetricConfig(project, "metrics"))
	must(t, client.DeleteMetricStoreV2(project, "metrics"))

	// As Logstores, with sub-stores: how older versions made them.
	must(t, client.CreateMetricStore(project, &sls.LogStore{Name: "older", TTL: 7, ShardCount: 1}))
	equal(t, got(client.GetMetricStore(project, "older"))(t).TelemetryType, "Metrics")
	must(t, client.UpdateMetricStore(project, &sls.LogStore{Name: "older", TTL: 8, ShardCount: 1}))
	equal(t, got(client.GetMetricStore(project, "older"))(t).TTL, 8)
	shown(t, "[prom]", got(client.ListSubStore(project, "older"))(t))
	must(t, client.DeleteMetricStore(project, "older"))
}

func TestEventStoresAreLogstoresOfEvents(t *testing.T) {
	client, project := inProject(t)
	must(t, client.CreateEventStore(project, &sls.LogStore{Name: "events", TTL: 7, ShardCount: 1}))
	equal(t, got(client.GetEventStore(project, "events"))(t).TelemetryType, "Event")
	must(t, client.UpdateEventStore(project, &sls.LogStore{Name: "events", TTL: 8, ShardCount: 1}))
	equal(t, got(client.GetEventStore(project, "events"))(t).TTL, 8)
	shown(t, "[events]", got(client.ListEventStore(project, 0, 10))(t))
	must(t, client.DeleteEventStore(project, "events"))
	shown(t, "[]", got(client.ListEventStore(project, 0, 10))(t))
}

func TestSettingsOfALogstore(t *testing.T) {
	client, project := inProject(t)
	must(t, client.UpdateLogStoreMeteringMode(project, store, sls.CHARGE_BY_DATA_INGEST))
	equal(t, got(client.GetLogStoreMeteringMode(project, store))(t).MeteringMode, sls.CHARGE_BY_DATA_INGEST)
	must(t, client.PutLogStoreMultimodalConfiguration(project, store, &sls.PutLogStoreMultimodalConfigurationRequest{Status: "Enabled"}))
	shown(t, "Enabled", got(client.GetLogStoreMultimodalConfiguration(project, store))(t).Status)
}

func TestShippers(t *testing.T) {
	client, project := inProject(t)
	logstore := got(client.GetLogStore(project, store))(t)
	target := &sls.OSSShipperConfig{
		OssBucket: "one", RoleArn: "arn", BufferInterval: 300, BufferSize: 128, CompressType: "none", PathFormat: "%Y",
		Storage: sls.ShipperStorage{Format: "json", Detail: sls.OssStorageJsonDetail{EnableTag: true}},
	}
	shipper := &sls.Shipper{ShipperName: "ship", TargetType: sls.OSSShipperType, TargetConfiguration: target}
	must(t, logstore.CreateShipper(shipper))
	target.OssBucket = "two"
	must(t, logstore.UpdateShipper(shipper))
	kept := got(logstore.GetShipper("ship"))(t)
	equal(t, kept.TargetConfiguration.(*sls.OSSShipperConfig).OssBucket, "two")
	shown(t, "[ship]", got(logstore.ListShipper())(t))
	must(t, logstore.DeleteShipper("ship"))
	refused(t, second(logstore.GetShipper("ship")), "ShipperNotExist")
}

func TestLoggingAndPolicyOfAProject(t *testing.T) {
	client, project := inProject(t)
	of := got(client.GetProject(project))(t)
	logging := &sls.Logging{Project: project, LoggingDetails: []*sls.LoggingDetail{{Type: "operation_log", Logstore: store}}}
	must(t, of.CreateLogging(logging))
	logging.LoggingDetails[0].Type = "consumergroup_log"
	must(t, of.UpdateLogging(logging))
	equal(t, got(of.GetLogging())(t).LoggingDetails[0].Type, "consumergroup_log")
	must(t, of.DeleteLogging())
	refused(t, second(of.GetLogging()), "LoggingNotExist")

	policy := `{"Version":"1","Statement":[]}`
	must(t, client.UpdateProjectPolicy(project, policy))
	equal(t, got(client.GetProjectPolicy(project))(t), policy)
	must(t, client.DeleteProjectPolicy(project))
	equal(t, got(client.GetProjectPolicy(project))(t), "")
}

func TestTagsOfTheOwnerAndOfTheSystem(t *testing.T) {
	client, project := inProject(t)
	tags := func(tags []*sls.ResourceTagResponse, _ string, err error) (all string) {
		must(t, err)
		for _, tag := range tags {
			all += tag.TagKey + "=" + tag.TagValue + ";"
		}
		return all
	}
	ids := []string{project}
	must(t, client.TagResources(project, sls.NewProjectTags(project, []sls.ResourceTag{{Key: "team", Value: "web"}, {Key: "env", Value: "test"}})))
	equal(t, tags(client.ListTagResources(project, "project", ids, nil, "")), "env=test;team=web;")
	must(t, client.UnTagResources(project, sls.NewProjectUnTags(project, []string{"env"})))
	equal(t, tags(client.ListTagResources(project, "project", ids, nil, "")), "team=web;")

	system := sls.ResourceTags{ResourceType: "project", ResourceID: ids, Tags: []sls.ResourceTag{{Key: "acs:a", Value: "b"}}}
	must(t, client.TagResourcesSystemTags(project, &sls.ResourceSystemTags{ResourceTags: system, TagOwnerUid: "1", Scope: "visible"}))
	equal(t, tags(client.ListSystemTagResources(project, "project", ids, nil, "1", "", "", "")), "acs:a=b;")
	untag := sls.ResourceUnTags{ResourceType: "project", ResourceID: ids, Tags: []string{"acs:a"}}
	must(t, client.UnTagResourcesSystemTags(project, &sls.ResourceUnSystemTags{ResourceUnTags: untag, TagOwnerUid: "1"}))
	equal(t, tags(client.ListSystemTagResources(project, "project", ids, nil, "1", "", "", "")), "")
}

func TestResourcesOfTheAccountAndTheirRecords(t *testing.T) {
	client := clientWith(sls.AuthV4, emulator.KeyID, emulator.KeySecret)
	schema := string(got(json.Marshal(sls.ResourceSchema{Schema: []*sls.ResourceSchemaItem{{Column: "city", Type: "string"}}}))(t))
	resource := &sls.Resource{Name: "user.cities", Type: "userdefine", Schema: schema, Description: "first"}
	must(t, client.CreateResource(resource))
	refused(t, client.CreateResource(resource), "ResourceAlreadyExist")
	resource.Description = "second"
	must(t, client.UpdateResource(resource))
	kept := got(client.GetResource("user.cities"))(t)
	shown(t, "second "+schema, kept.Description, kept.Schema)
	listed, count, total, err := client.ListResource("userdefine", "user.cities", 0, 10)
	must(t, err)
	shown(t, "user.cities 1 1", listed[0].Name, count, total)

	record := &sls.ResourceRecord{Id: "a", Tag: "t", Value: `{"city":"Bern"}`}
	must(t, client.CreateResourceRecord("user.cities", record))
	record.Value = `{"city":"Rome"}`
	must(t, client.UpdateResourceRecord("user.cities", record))
	equal(t, got(client.GetResourceRecord("user.cities", "a"))(t).Value, record.Value)
	records, _, total, err := client.ListResourceRecord("user.cities", 0, 10)
	must(t, err)
	shown(t, "a 1", records[0].Id, total)
	must(t, client.DeleteResourceRecord("user.cities", "a"))
	refused(t, second(client.GetResourceRecord("user.cities", "a")), "ResourceRecordNotExist")
	must(t, client.DeleteResource("user.cities"))
	refused(t, second(client.GetResource("user.cities")), "ResourceNotExist")
}
