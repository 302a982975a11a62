"""The Python SDK: what else a project and a Logstore hold. Each is made, read, changed, listed and
removed; the fields come back as they were sent."""

import json

from aliyun.log import ExternalStoreOssConfig, LogtailPipelineConfigDetail, OssShipperConfig, ResourcePolicyResourceType
from aliyun.log.store_view import StoreView, StoreViewStore

from conftest import STORE, code


def test_saved_searches(client, project, store):
    search = {"savedsearchName": "errors", "displayName": "Errors", "logstore": store, "searchQuery": "status > 499"}
    client.create_savedsearch(project, {**search, "topic": ""})
    got = client.get_savedsearch(project, "errors").get_entity()
    assert {key: got[key] for key in search} == search
    client.update_savedsearch(project, {**search, "searchQuery": "status > 399", "topic": ""})
    assert client.get_savedsearch(project, "errors").get_entity()["searchQuery"] == "status > 399"
    listed = client.list_savedsearch(project)
    assert (listed.get_entities(), listed.get_total()) == (["errors"], 1)
    client.delete_savedsearch(project, "errors")
    assert code(client.get_savedsearch, project, "errors") == "SavedSearchNotExist"


def test_dashboards(client, project, store):
    chart = {"title": "pie", "type": "pie", "search": {"logstore": store, "query": "* | select 1 as a"}, "display": {}}
    board = {"dashboardName": "board", "displayName": "Board", "description": "d", "charts": [chart]}
    client.create_dashboard(project, board)
    got = client.get_dashboard(project, "board").get_entity()
    assert (got["displayName"], got["charts"][0]["title"]) == ("Board", "pie")
    assert got["charts"][0]["search"] == chart["search"]
    client.update_dashboard(project, {**board, "description": "changed", "charts": []})
    got = client.get_dashboard(project, "board").get_entity()
    assert (got["description"], got["charts"]) == ("changed", [])
    assert client.list_dashboard(project).get_entities() == ["board"]
    assert code(client.create_dashboard, project, board) == "ParameterInvalid"
    client.delete_dashboard(project, "board")
    assert code(client.get_dashboard, project, "board") == "DashboardNotExist"


def test_store_views(client, project, store):
    def view(query):
        return StoreView("view", "logstore", [StoreViewStore(project, store, query)])

    client.create_store_view(project, view("status: 200"))
    got = client.get_store_view(project, "view").get_store_view()
    [member] = got.stores
    assert (got.store_type, member.project_name, member.store_name, member.query) == (
        "logstore",
        project,
        store,
        "status: 200",
    )
    client.update_store_view(project, "view", view("status: 404"))
    assert client.get_store_view(project, "view").get_store_view().stores[0].query == "status: 404"
    assert client.list_store_views(project).get_store_views() == ["view"]
    assert client.list_store_views(project, store_type="metricstore").get_store_views() == []
    client.delete_store_view(project, "view")
    assert code(client.get_store_view, project, "view") == "StoreViewNotExist"


def test_external_stores(client, project):
    def table(bucket):
        return ExternalStoreOssConfig(
            "users", ["users.csv"], [{"name": "id", "type": "varchar"}], "oss.test", bucket, "id", "secret"
        )

    client.create_external_store(project, table("one"))
    got = client.get_external_store(project, "users").get_external_store_config()
    assert (got.storeType, got.bucket, got.objects) == ("oss", "one", ["users.csv"])
    client.update_external_store(project, table("two"))
    assert client.get_external_store(project, "users").get_external_store_config().bucket == "two"
    listed = client.list_external_store(project, "use")
    assert (listed.get_logstores(), listed.get_total()) == (["users"], 1)
    client.delete_external_store(project, "users")
    assert client.list_external_store(project).get_logstores() == []


def test_shippers(client, project, store):
    def shipper(bucket):
        target = {"ossBucket": bucket, "ossPrefix": "p", "roleArn": "arn", "bufferInterval": 300, "bufferSize": 128}
        return {"shipperName": "ship", "targetType": "oss", "targetConfiguration": target}

    client.create_shipper(project, store, shipper("one"))
    assert client.get_shipper(project, store, "ship").get_entity()["targetConfiguration"]["ossBucket"] == "one"
    client.update_shipper(project, store, shipper("two"))
    assert client.get_shipper(project, store, "ship").get_entity()["targetConfiguration"]["ossBucket"] == "two"
    assert client.list_shipper(project, store).get_entities() == ["ship"]
    tasks = client.get_shipper_tasks(project, store, "ship", 0, 1)
    assert (tasks.get_total(), tasks.get_fail_task_count(), tasks.get_tasks()) == (0, 0, [])
    client.retry_shipper_tasks(project, store, "ship", ["task-1"])
    client.delete_shipper(project, store, "ship")
    assert code(client.get_shipper, project, store, "ship") == "ShipperNotExist"


def test_sub_stores(client, project):
    client.create_logstore(project, STORE, shard_count=1)
    keys = [{"name": "name", "type": "text"}, {"name": "time", "type": "long"}, {"name": "value", "type": "double"}]
    client.create_substore(project, STORE, "sub", keys, 15, 1, 1)
    got = client.get_substore(project, STORE, "sub")
    assert (got.get_ttl(), got.get_sorted_key_count(), got.get_time_index(), got.get_keys()) == (15, 1, 1, keys)
    client.update_substore(project, STORE, "sub", keys, 30, 2, 1)
    assert client.get_substore(project, STORE, "sub").get_sorted_key_count() == 2
    assert client.list_substore(project, STORE).substores == ["sub"]
    client.update_substore_ttl(project, STORE, 9)
    assert client.get_substore_ttl(project, STORE).get_ttl() == 9
    client.delete_substore(project, STORE, "sub")
    assert client.list_substore(project, STORE).substores == []


def test_metric_stores(client, project):
    client.create_metric_store(project, "metrics", ttl=7, shard_count=2)
    got = client.get_metric_store(project, "metrics")
    assert (got.get_ttl(), got.get_shard_count()) == (7, 2)
    client.update_metric_store(project, "metrics", ttl=14)
    assert client.get_metric_store(project, "metrics").get_ttl() == 14
    mode = client.get_metric_store_metering_mode(project, "metrics").get_metering_mode()
    assert mode == "ChargeByFunction"
    client.update_metric_store_metering_mode(project, "metrics", "ChargeByDataIngest")
    mode = client.get_metric_store_metering_mode(project, "metrics").get_metering_mode()
    assert mode == "ChargeByDataIngest"
    client.delete_metric_store(project, "metrics")
    assert code(client.get_metric_store, project, "metrics") == "LogStoreNotExist"


def test_settings_of_a_logstore(client, project, store):
    assert client.get_logstore_metering_mode(project, store).get_metering_mode() == "ChargeByFunction"
    client.update_logstore_metering_mode(project, store, "ChargeByDataIngest")
    assert client.get_logstore_metering_mode(project, store).get_metering_mode() == "ChargeByDataIngest"
    client.put_logstore_multimodal_configuration(project, store, "Enabled", anonymous_write="Disabled")
    got = client.get_logstore_multimodal_configuration(project, store)
    assert (got.status, got.anonymous_write) == ("Enabled", "Disabled")


def test_policies_of_a_project_and_of_a_logstore(client, project, store):
    document = json.dumps({"Version": "1", "Statement": []})
    for kind, name in [(ResourcePolicyResourceType.PROJECT, None), (ResourcePolicyResourceType.LOGSTORE, store)]:
        client.put_resource_policy(project, kind, document, name)
        got = client.get_resource_policy(project, kind, name)
        assert (got.get_resource_type(), got.get_policy_document()) == (kind, document)
        assert got.get_resource_name() == (name or "")
        client.delete_resource_policy(project, kind, name)
        assert code(client.get_resource_policy, project, kind, name) == "ResourcePolicyNotExist"


def test_sql_instances_and_the_resource_group(client, project):
    client.create_sql_instance(project, 2, True)
    client.update_sql_instance(project, 4, False)
    instance = client.list_sql_instance(project).get_body()
    assert (instance["cu"], instance["useAsDefault"]) == (4, False)
    client.change_resource_group(project, "rg-other")
    assert client.get_project(project).get_body()["resourceGroupId"] == "rg-other"


def test_tags_of_a_project_and_what_it_holds(client, project, store):
    def tags(pages):
        return {tag.get_tag_key(): tag.get_tag_value() for page in pages for tag in page.get_tags()}

    def project_tags(**filters):
        return [page.get_tags() for page in client.get_project_tags(project, **filters)]

    client.tag_project(project, team="web", env="test")
    assert project_tags() == [{"team": "web", "env": "test"}]
    assert project_tags(env="test") == [{"team": "web", "env": "test"}], "resources are filtered, not their tags"
    assert project_tags(env="live") == [{}]
    client.untag_project(project, "env")
    assert project_tags() == [{"team": "web"}]
    inputs, flushers = [{"Type": "input_file"}], [{"Type": "flusher_sls", "Logstore": store}]
    client.create_logtail_pipeline_config(project, LogtailPipelineConfigDetail("pipe", inputs, flushers))
    for kind, name in [("logstore", store), ("logtailconfig", "pipe")]:
        resource = f"{project}#{name}"
        client.tag_resources(kind, resource, owner="me")
        assert tags(client.list_tag_resources(kind, resource)) == {"owner": "me"}
        client.untag_resources(kind, resource, "owner")
        assert tags(client.list_tag_resources(kind, resource)) == {}
    assert code(client.tag_resources, "logstore", f"{project}#missing", a="b") == "LogStoreNotExist"


def test_the_sdks_own_shipper_settings_are_kept(client, project, store):
    config = OssShipperConfig("bucket", "prefix", "arn")
    detail = {"shipperName": "ship", "targetType": "oss", "targetConfiguration": config.to_json()}
    client.create_shipper(project, store, detail)
    got = client.get_shipper(project, store, "ship").get_entity()
    assert got["targetConfiguration"] == config.to_json()
