"""The Python SDK: projects, Logstores, shards and indexes, from creation to removal."""

from aliyun.log import IndexConfig, IndexKeyConfig, IndexLineConfig

from conftest import STORE, client_with, code, put, rows


def test_a_project_is_made_listed_changed_and_removed(client, project_name):
    client.create_project(project_name, "made by the Python SDK")
    got = client.get_project(project_name)
    assert got.get_projectname() == project_name
    assert got.get_description() == "made by the Python SDK"
    assert got.get_status() == "Normal"
    assert got.get_owner() and got.get_region()
    client.update_project(project_name, "changed")
    assert client.get_project(project_name).get_description() == "changed"
    listed = client.list_project(project_name_pattern=project_name)
    assert listed.get_total() == listed.get_count() == 1
    assert [one["projectName"] for one in listed.get_projects()] == [project_name]
    client.delete_project(project_name)
    assert code(client.get_project, project_name) == "ProjectNotExist"
    assert client.list_project(project_name_pattern=project_name).get_total() == 0


def test_a_logstore_keeps_its_settings(client, project):
    client.create_logstore(
        project, STORE, ttl=7, shard_count=3, enable_tracking=True, append_meta=True, auto_split=True, max_split_shard=8
    )
    got = client.get_logstore(project, STORE)
    assert (got.logstore_name, got.get_ttl(), got.get_shard_count()) == (STORE, 7, 3)
    assert (got.get_enable_tracking(), got.append_meta, got.auto_split, got.max_split_shard) == (True, True, True, 8)
    client.update_logstore(project, STORE, ttl=90, enable_tracking=False)
    got = client.get_logstore(project, STORE)
    assert (got.get_ttl(), got.get_enable_tracking(), got.append_meta) == (90, False, True)
    client.create_logstore(project, "other", ttl=1, shard_count=1)
    assert client.list_logstore(project).get_logstores() == [STORE, "other"]
    assert client.list_logstore(project, logstore_name_pattern="oth").get_logstores() == ["other"]
    assert client.list_logstore(project, offset=1, size=1).get_logstores() == ["other"]
    client.delete_logstore(project, "other")
    assert client.list_logstore(project).get_logstores_total() == 1
    assert code(client.get_logstore, project, "other") == "LogStoreNotExist"


def test_an_index_is_made_read_changed_and_removed(client, project, store):
    index = client.get_index_config(project, store).get_index_config()
    assert index.line_config.token_list == [" ", ","]
    assert {name: key.index_type for name, key in index.key_config_list.items()} == {
        "method": "text",
        "status": "long",
        "cost": "double",
    }
    assert code(client.create_index, project, store, index) == "IndexAlreadyExist"
    keys = {"path": IndexKeyConfig(token_list=["/"], index_type="text", doc_value=True)}
    line = IndexLineConfig(token_list=["\t"], case_sensitive=True)
    client.update_index(project, store, IndexConfig(ttl=30, line_config=line, key_config_list=keys))
    index = client.get_index_config(project, store).get_index_config()
    assert (index.line_config.case_sensitive, list(index.key_config_list)) == (True, ["path"])
    put(client, project, {"path": "/a/b"})
    assert len(rows(client, project, "path: b")) == 1
    client.delete_index(project, store)
    assert code(client.get_index_config, project, store) == "IndexConfigNotExist"
    assert code(client.get_log, project, store, 0, 1, query="*") == "IndexConfigNotExist"
    assert code(client.delete_index, project, store) == "ParameterInvalid"


def test_shards_are_split_merged_and_deleted(client, project, store):
    def shards():
        return {shard["shardID"]: shard for shard in client.list_shards(project, store).get_shards_info()}

    assert [shard["inclusiveBeginKey"][:2] for shard in shards().values()] == ["00", "80"]
    split = client.split_shard(project, store, 0, "40" + "0" * 30).get_shards_info()
    assert sorted((shard["shardID"], shard["status"]) for shard in split) == [
        (0, "readonly"),
        (2, "readwrite"),
        (3, "readwrite"),
    ]
    client.merge_shard(project, store, 2)
    states = {number: shard["status"] for number, shard in shards().items()}
    assert states == {0: "readonly", 1: "readwrite", 2: "readonly", 3: "readonly", 4: "readwrite"}
    assert shards()[4]["inclusiveBeginKey"] == "0" * 32
    client.delete_shard(project, store, 0)
    assert 0 not in shards()
    assert code(client.delete_shard, project, store, 1) == "ParameterInvalid"
    assert code(client.split_shard, project, store, 9, "40" + "0" * 30) == "ParameterInvalid"
    # More at once: the SDK splits until there are so many.
    client.arrange_shard(project, store, 4)
    assert sum(shard["status"] == "readwrite" for shard in shards().values()) == 4


def test_errors_have_the_codes_of_the_service(client, project):
    assert code(client.get_logstore, project, "missing") == "LogStoreNotExist"
    assert code(client.get_logstore, "missing-project", "access") == "ProjectNotExist"
    assert code(client.create_project, project, "again") == "ProjectAlreadyExist"
    assert code(client.create_project, "UPPER", "a bad name") == "ParameterInvalid"
    client.create_logstore(project, STORE)
    assert code(client.create_logstore, project, STORE) == "LogStoreAlreadyExist"
    assert code(client_with(secret="wrong").list_logstore, project) == "SignatureNotMatch"
    assert code(client_with(key="nobody").list_logstore, project) == "Unauthorized"
    assert code(client_with("v4", secret="wrong").list_logstore, project) == "SignatureNotMatch"
