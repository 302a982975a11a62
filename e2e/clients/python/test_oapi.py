"""alibabacloud-sls20201230, the SDK made from the OpenAPI description: from project to removal.

It speaks https unless told `protocol="http"`, and honours HTTP_PROXY; signatures of version 1 are
hmac-sha256 here."""

import time

import pytest
from alibabacloud_sls20201230 import models
from alibabacloud_sls20201230.client import Client
from alibabacloud_tea_openapi.models import Config
from alibabacloud_tea_util.models import RuntimeOptions
from Tea.exceptions import TeaException

from conftest import ENDPOINT, KEY_ID, KEY_SECRET

CLIENT = "oapi"
# Calls without a project go to the endpoint itself: two labels, so the emulator must know its name.
OPTIONS = ["--endpoint-host", "sls.test"]
STORE = "access"


def client_with(version="v4", secret=KEY_SECRET):
    settings = {"access_key_id": KEY_ID, "access_key_secret": secret, "region_id": "cn-hangzhou"}
    host = ENDPOINT.removeprefix("http://")
    return Client(Config(endpoint=host, protocol="http", signature_version=version, **settings))


def made(model, fields):
    """A model of the SDK from its fields as they are on the wire."""
    return model().from_map(fields)


def code(call, *arguments):
    with pytest.raises(TeaException) as refused:
        call(*arguments)
    return refused.value.code


@pytest.fixture(params=["v1", "v4"])
def client(emulator, request):
    return client_with(request.param)


@pytest.fixture
def project(client, project_name):
    client.create_project(models.CreateProjectRequest(project_name=project_name, description="made by OpenAPI"))
    yield project_name
    client.delete_project(project_name, models.DeleteProjectRequest())


@pytest.fixture
def store(client, project):
    client.create_log_store(project, models.CreateLogStoreRequest(logstore_name=STORE, shard_count=2, ttl=30))
    index = {
        "line": {"token": [" "], "caseSensitive": False},
        "keys": {"method": {"type": "text", "token": [" "], "doc_value": True}},
    }
    client.create_index(project, STORE, models.CreateIndexRequest(body=made(models.Index, index)))
    return STORE


def put(client, project, contents, tags=(), compression="lz4"):
    fields = [models.LogContent(key, value) for key, value in contents.items()]
    log = models.LogItem(contents=fields, time=int(time.time()))
    labels = [models.LogTag(key, value) for key, value in tags]
    group = models.LogGroup(log_items=[log], log_tags=labels, topic="topic-a", source="10.0.0.9")
    headers = models.PutLogsHeaders(x_log_compresstype=compression)
    client.put_logs_with_options(project, STORE, models.PutLogsRequest(body=group), headers, RuntimeOptions())


def query(client, project, text):
    now = int(time.time())
    request = models.GetLogsV2Request(from_=now - 600, to=now + 600, query=text)
    return client.get_logs_v2(project, STORE, request).body


def test_a_project_is_made_listed_changed_and_removed(client, project_name):
    request = models.CreateProjectRequest(project_name=project_name, description="made by OpenAPI")
    client.create_project(request)
    got = client.get_project(project_name, models.GetProjectRequest()).body
    assert (got.project_name, got.description, got.status) == (project_name, "made by OpenAPI", "Normal")
    client.update_project(project_name, models.UpdateProjectRequest(description="changed"))
    [listed] = client.list_project(models.ListProjectRequest(project_name=project_name)).body.projects
    assert (listed.project_name, listed.description) == (project_name, "changed")
    assert code(client.create_project, request) == "ProjectAlreadyExist"
    client.delete_project(project_name, models.DeleteProjectRequest())
    assert code(client.get_project, project_name, models.GetProjectRequest()) == "ProjectNotExist"
    assert code(client_with(secret="wrong").get_project, project_name, models.GetProjectRequest()) == "SignatureNotMatch"
    [region] = client.describe_regions(models.DescribeRegionsRequest()).body.regions
    assert region.region == "cn-hangzhou"


def test_a_logstore_and_its_index_are_changed_and_removed(client, project, store):
    got = client.get_log_store(project, store).body
    assert (got.logstore_name, got.ttl, got.shard_count) == (store, 30, 2)
    change = models.UpdateLogStoreRequest(logstore_name=store, ttl=7, shard_count=2, enable_tracking=True)
    client.update_log_store(project, store, change)
    got = client.get_log_store(project, store).body
    assert (got.ttl, got.enable_tracking) == (7, True)
    listed = client.list_log_stores(project, models.ListLogStoresRequest()).body
    assert (listed.logstores, listed.total) == ([store], 1)
    index = client.get_index(project, store).body
    assert (index.line.token, index.keys["method"].type) == ([" "], "text")
    body = made(models.Index, {"keys": {"n": {"type": "long", "doc_value": True}}})
    client.update_index(project, store, models.UpdateIndexRequest(body=body))
    assert list(client.get_index(project, store).body.keys) == ["n"]
    client.delete_index(project, store)
    assert code(client.get_index, project, store) == "IndexConfigNotExist"
    client.delete_log_store(project, store)
    assert code(client.get_log_store, project, store) == "LogStoreNotExist"


# This SDK compresses with lz4, zstd and deflate; the first two have optional packages.
@pytest.mark.parametrize("compression", ["lz4", "zstd", "deflate", None])
def test_a_written_log_is_found_with_its_fields(client, project, store, compression):
    put(client, project, {"method": "GET", "path": "/中 文"}, [("pod", "web-0")], compression)
    found = query(client, project, "method: GET")
    assert (found.meta.progress, found.meta.count) == ("Complete", 1)
    row = found.data[0]
    assert (row["path"], row["__topic__"], row["__tag__:pod"]) == ("/中 文", "topic-a", "web-0")
    assert query(client, project, "method: PUT").data == []


def test_logs_are_counted_analysed_and_seen_in_context(client, project, store):
    for n in range(3):
        put(client, project, {"method": "GET", "n": str(n)}, [("__pack_id__", f"AB-{n}")])
    assert query(client, project, "* | select count(*) as n").data[0]["n"] == "3"
    now = int(time.time())
    request = models.GetHistogramsRequest(from_=now - 600, to=now + 600, query="GET")
    assert sum(part.count for part in client.get_histograms(project, store, request).body) == 3
    first = models.GetLogsRequest(from_=now - 600, to=now + 600, query="1")
    assert [row["n"] for row in client.get_logs(project, store, first).body.data] == ["1"]
    [row] = query(client, project, "1 | with_pack_meta").data
    request = models.GetContextLogsRequest(
        pack_id=row["__tag__:__pack_id__"], pack_meta=row["__pack_meta__"], back_lines=10, forward_lines=0
    )
    context = client.get_context_logs(project, store, request).body
    assert (context.total_lines, context.back_lines, context.forward_lines) == (2, 1, 0)
    assert [log["n"] for log in context.logs] == ["0", "1"]
    sql = models.GetProjectLogsRequest(query=f"select count(*) as n from {store}")
    assert client.get_project_logs(project, sql).body[0]["n"] == "3"


# Not pulled: this SDK takes the answer of PullLogs for JSON, and the service sends protobuf.
def test_shards_have_cursors_and_are_split_and_merged(client, project, store):
    put(client, project, {"n": "1"})
    cursors = []
    for shard in client.list_shards(project, store).body:
        for place in ("begin", "end"):
            answer = client.get_cursor(project, store, shard.shard_id, models.GetCursorRequest(from_=place))
            cursors.append(answer.body.cursor)
    assert len(set(cursors)) == 3, "one of the two shards holds a log"
    split = models.SplitShardRequest(key="40" + "0" * 30, shard_count=2)
    assert [shard.status for shard in client.split_shard(project, store, "0", split).body][0] == "readonly"
    client.merge_shard(project, store, "2")
    states = [shard.status for shard in client.list_shards(project, store).body]
    assert sorted(states) == ["readonly", "readonly", "readonly", "readwrite", "readwrite"]


def test_a_consumer_group_keeps_checkpoints(client, project, store):
    request = models.CreateConsumerGroupRequest(consumer_group="readers", timeout=30, order=True)
    client.create_consumer_group(project, store, request)
    assert code(client.create_consumer_group, project, store, request) == "ConsumerGroupAlreadyExist"
    update = models.UpdateConsumerGroupRequest(timeout=60, order=False)
    client.update_consumer_group(project, store, "readers", update)
    [group] = client.list_consumer_group(project, store).body
    assert (group.name, group.timeout, group.order) == ("readers", 60, False)
    beat = models.ConsumerGroupHeartBeatRequest(body=[], consumer="one")
    assert client.consumer_group_heart_beat(project, store, "readers", beat).body == [0, 1]
    cursor = client.get_cursor(project, store, "0", models.GetCursorRequest(from_="end")).body.cursor
    point = models.ConsumerGroupUpdateCheckPointRequest(checkpoint=cursor, shard=0, consumer="one")
    client.consumer_group_update_check_point(project, store, "readers", point)
    kept = client.get_check_point(project, store, "readers", models.GetCheckPointRequest()).body
    assert kept[0].checkpoint == cursor
    client.delete_consumer_group(project, store, "readers")
    assert client.list_consumer_group(project, store).body == []


def test_a_config_is_applied_to_a_machine_group(client, project, store):
    group = {"groupName": "web", "machineIdentifyType": "userdefined", "machineList": ["web-id"], "groupType": ""}
    client.create_machine_group(project, made(models.CreateMachineGroupRequest, group))
    assert client.get_machine_group(project, "web").body.machine_list == ["web-id"]
    machines = models.UpdateMachineGroupMachineRequest(action="add", body=["other-id"])
    client.update_machine_group_machine(project, "web", machines)
    assert client.get_machine_group(project, "web").body.machine_list == ["web-id", "other-id"]
    assert client.list_machine_group(project, models.ListMachineGroupRequest()).body.machinegroups == ["web"]
    assert client.list_machines(project, "web", models.ListMachinesRequest()).body.total == 0
    detail = {"logType": "common_reg_log", "logPath": "/var/log", "filePattern": "*.log", "regex": "(.*)", "key": ["c"]}
    config = {
        "configName": "nginx",
        "inputType": "file",
        "inputDetail": detail,
        "outputType": "LogService",
        "outputDetail": {"logstoreName": store, "endpoint": "", "region": ""},
    }
    client.create_config(project, models.CreateConfigRequest(body=made(models.LogtailConfig, config)))
    got = client.get_config(project, "nginx").body
    assert (got.output_detail.logstore_name, got.input_detail["logPath"]) == (store, "/var/log")
    listing = models.ListConfigRequest(logstore_name=store, offset=0, size=10)
    assert client.list_config(project, listing).body.configs == ["nginx"]
    client.apply_config_to_machine_group(project, "web", "nginx")
    assert client.get_applied_configs(project, "web").body.configs == ["nginx"]
    assert client.get_applied_machine_groups(project, "nginx").body.machinegroups == ["web"]
    client.remove_config_from_machine_group(project, "web", "nginx")
    assert client.get_applied_configs(project, "web").body.configs == []
    client.delete_config(project, "nginx")
    client.delete_machine_group(project, "web")
    assert code(client.get_machine_group, project, "web") == "MachineGroupNotExist"


def test_tags_come_and_go(client, project):
    request = {"resourceType": "project", "resourceId": [project], "tags": [{"key": "team", "value": "web"}]}
    client.tag_resources(made(models.TagResourcesRequest, request))

    def tags():
        listing = models.ListTagResourcesRequest(resource_type="project", resource_id=[project])
        return [(tag.tag_key, tag.tag_value) for tag in client.list_tag_resources(listing).body.tag_resources]

    assert tags() == [("team", "web")]
    request = models.UntagResourcesRequest(resource_type="project", resource_id=[project], tags=["team"])
    client.untag_resources(request)
    assert tags() == []
