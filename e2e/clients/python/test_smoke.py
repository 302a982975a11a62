"""The Python SDK, from a new project to its removal."""

import time

import pytest
from aliyun.log import (
    IndexConfig,
    IndexKeyConfig,
    IndexLineConfig,
    GetHistogramsRequest,
    LogClient,
    LogException,
    LogItem,
    MachineGroupDetail,
    PutLogsRequest,
    SimpleFileConfigDetail,
)

from conftest import ENDPOINT, KEY_ID, KEY_SECRET

STORE = "access"


def client_with(auth_version="v1", secret=KEY_SECRET, key=KEY_ID):
    if auth_version == "v4":
        return LogClient(ENDPOINT, key, secret, auth_version="v4", region="cn-hangzhou")
    return LogClient(ENDPOINT, key, secret)


@pytest.fixture(params=["v1", "v4"])
def client(emulator, request):
    return client_with(request.param)


@pytest.fixture
def project(client, project_name):
    client.create_project(project_name, "made by the Python SDK")
    yield project_name
    client.delete_project(project_name)


@pytest.fixture
def store(client, project):
    client.create_logstore(project, STORE, ttl=30, shard_count=2)
    line = IndexLineConfig(token_list=[" ", ","])
    keys = {"method": IndexKeyConfig(token_list=[" "], index_type="text", doc_value=True)}
    client.create_index(project, STORE, IndexConfig(ttl=30, line_config=line, key_config_list=keys))
    return STORE


def put(client, project, contents, compress=True, kind=None):
    item = LogItem(timestamp=int(time.time()), contents=contents)
    request = PutLogsRequest(
        project, STORE, "topic-a", "10.0.0.9", [item], compress=compress, logtags=[("pod", "web-0")], compress_type=kind
    )
    client.put_logs(request)


def window():
    now = int(time.time())
    return now - 600, now + 600


def test_a_project_is_made_described_and_removed(client, project_name):
    client.create_project(project_name, "made by the Python SDK")
    got = client.get_project(project_name)
    assert got.get_projectname() == project_name
    assert got.get_description() == "made by the Python SDK"
    client.delete_project(project_name)
    with pytest.raises(LogException) as gone:
        client.get_project(project_name)
    assert gone.value.get_error_code() == "ProjectNotExist"


@pytest.mark.parametrize("compress, kind", [(False, None), (True, "lz4"), (True, "zstd")])
def test_a_written_log_is_found_with_its_fields(client, project, store, compress, kind):
    put(client, project, [("method", "GET"), ("status", "404"), ("path", "/中 文")], compress, kind)
    start, end = window()
    found = client.get_log(project, store, start, end, query="method: GET and 404")
    assert found.get_count() == 1
    row = found.get_logs()[0]
    assert row.get_source() == "10.0.0.9"
    fields = row.get_contents()
    assert (fields["method"], fields["status"], fields["path"]) == ("GET", "404", "/中 文")
    assert (fields["__topic__"], fields["__tag__:pod"]) == ("topic-a", "web-0")
    assert client.get_log(project, store, start, end, query="method: POST").get_count() == 0


def test_sql_counts_what_was_written(client, project, store):
    for method in ["GET", "GET", "PUT"]:
        put(client, project, [("method", method)])
    start, end = window()
    query = "* | select method, count(*) as n group by method order by n desc"
    rows = [row.get_contents() for row in client.get_log(project, store, start, end, query=query).get_logs()]
    assert [(row["method"], row["n"]) for row in rows] == [("GET", "2"), ("PUT", "1")]


def test_a_histogram_counts_every_log(client, project, store):
    for _ in range(3):
        put(client, project, [("method", "GET")])
    start, end = window()
    histogram = client.get_histograms(GetHistogramsRequest(project, store, start, end, "", "GET"))
    assert histogram.get_total_count() == 3
    assert histogram.is_completed()


def test_written_logs_are_pulled_from_their_shards(client, project, store):
    for n in range(4):
        put(client, project, [("n", str(n))])
    pulled = []
    for shard in client.list_shards(project, store).get_shards_info():
        cursor = client.get_cursor(project, store, shard["shardID"], "begin").get_cursor()
        pulled += client.pull_logs(project, store, shard["shardID"], cursor, 100).get_flatten_logs_json()
    assert sorted(log["n"] for log in pulled) == ["0", "1", "2", "3"]
    assert {log["__topic__"] for log in pulled} == {"topic-a"}


def test_a_config_is_applied_to_a_machine_group(client, project, store):
    client.create_machine_group(project, MachineGroupDetail("web", "userdefined", ["web-id"]))
    client.create_logtail_config(project, SimpleFileConfigDetail(store, "nginx", "/var/log/nginx", "*.log"))
    client.apply_config_to_machine_group(project, "nginx", "web")
    assert client.get_machine_group(project, "web").get_machine_group().machine_list == ["web-id"]
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == ["nginx"]
    config = client.get_logtail_config(project, "nginx").logtail_config.to_json()
    assert config["outputDetail"]["logstoreName"] == store
    assert config["inputDetail"]["logPath"] == "/var/log/nginx"
    client.remove_config_to_machine_group(project, "nginx", "web")
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == []
    client.delete_logtail_config(project, "nginx")
    client.delete_machine_group(project, "web")


def test_errors_have_the_codes_of_the_service(emulator, client, project):
    cases = [
        ("LogStoreNotExist", lambda: client.get_logstore(project, "missing")),
        ("ProjectNotExist", lambda: client.get_logstore("missing-project", "access")),
        ("ProjectAlreadyExist", lambda: client.create_project(project, "again")),
        ("SignatureNotMatch", lambda: client_with(secret="wrong").list_logstore(project)),
        ("Unauthorized", lambda: client_with(key="nobody").list_logstore(project)),
    ]
    for code, call in cases:
        with pytest.raises(LogException) as refused:
            call()
        assert refused.value.get_error_code() == code
        assert refused.value.get_request_id()
