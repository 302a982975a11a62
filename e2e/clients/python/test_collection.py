"""The Python SDK: what Logtail is told. Machine groups, configs, pipelines, and who has which."""

import time

from aliyun.log import (
    JsonFileConfigDetail,
    LogtailPipelineConfigDetail,
    MachineGroupDetail,
    SeperatorFileConfigDetail,
    SimpleFileConfigDetail,
)

from conftest import code


def test_a_machine_group_is_made_changed_listed_and_removed(client, project):
    client.create_machine_group(project, MachineGroupDetail("web", "userdefined", ["web-id"], "", {"groupTopic": "t"}))
    group = client.get_machine_group(project, "web").get_machine_group()
    assert (group.machine_type, group.machine_list, group.group_attribute["groupTopic"]) == (
        "userdefined",
        ["web-id"],
        "t",
    )
    client.update_machine_group(project, MachineGroupDetail("web", "ip", ["10.0.0.1", "10.0.0.2"]))
    group = client.get_machine_group(project, "web").get_machine_group()
    assert (group.machine_type, group.machine_list) == ("ip", ["10.0.0.1", "10.0.0.2"])
    client.create_machine_group(project, MachineGroupDetail("db", "userdefined", ["db-id"]))
    listed = client.list_machine_group(project)
    assert (sorted(listed.get_machine_group()), listed.get_total()) == (["db", "web"], 2)
    assert client.list_machines(project, "web").get_machine_total() == 0, "no agent has called yet"
    again = MachineGroupDetail("web", "ip", [])
    assert code(client.create_machine_group, project, again) == "MachineGroupAlreadyExist"
    client.delete_machine_group(project, "web")
    assert code(client.get_machine_group, project, "web") == "MachineGroupNotExist"


def test_configs_of_every_kind_come_back_as_sent(client, project, store):
    for detail in [
        SimpleFileConfigDetail(store, "simple", "/var/log", "*.log"),
        SeperatorFileConfigDetail(store, "separated", "/var/log", "*.csv", "a,b", ",", ["a", "b"]),
        JsonFileConfigDetail(store, "json", "/var/log", "*.json", topic_format="group_topic"),
    ]:
        client.create_logtail_config(project, detail)
        got = client.get_logtail_config(project, detail.config_name).logtail_config.to_json()
        sent = detail.to_json()
        assert got["configName"] == detail.config_name
        assert got["outputDetail"]["logstoreName"] == store
        assert {key: got["inputDetail"].get(key) for key in sent["inputDetail"]} == sent["inputDetail"]
    assert client.list_logtail_config(project).get_configs_total() == 3
    assert client.list_logtail_config(project, config="sep").get_configs() == ["separated"]
    client.update_logtail_config(project, SimpleFileConfigDetail(store, "simple", "/other", "*.txt"))
    assert client.get_logtail_config(project, "simple").logtail_config.to_json()["inputDetail"]["logPath"] == "/other"
    twice = SimpleFileConfigDetail(store, "simple", "/var/log", "*.log")
    assert code(client.create_logtail_config, project, twice) == "ConfigAlreadyExist"
    client.delete_logtail_config(project, "json")
    assert code(client.get_logtail_config, project, "json") == "ConfigNotExist"


def test_a_config_is_applied_to_a_machine_group_and_removed(client, project, store):
    client.create_machine_group(project, MachineGroupDetail("web", "userdefined", ["web-id"]))
    client.create_logtail_config(project, SimpleFileConfigDetail(store, "nginx", "/var/log/nginx", "*.log"))
    client.apply_config_to_machine_group(project, "nginx", "web")
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == ["nginx"]
    assert client.get_config_applied_machine_groups(project, "nginx").get_machine_groups() == ["web"]
    client.remove_config_to_machine_group(project, "nginx", "web")
    assert client.get_machine_group_applied_configs(project, "web").get_configs() == []
    assert code(client.apply_config_to_machine_group, project, "missing", "web") == "ConfigNotExist"
    assert code(client.apply_config_to_machine_group, project, "nginx", "missing") == "MachineGroupNotExist"


def test_a_pipeline_config_is_made_changed_listed_and_removed(client, project, store):
    def detail(paths):
        inputs = [{"Type": "input_file", "FilePaths": paths}]
        flushers = [{"Type": "flusher_sls", "Logstore": store}]
        return LogtailPipelineConfigDetail("pipeline", inputs, flushers, log_sample="a line")

    began = int(time.time())
    client.create_logtail_pipeline_config(project, detail(["/var/log/a.log"]))
    got = client.get_logtail_pipeline_config(project, "pipeline").get_body()
    assert got["inputs"][0]["FilePaths"] == ["/var/log/a.log"]
    assert (got["logSample"], got["flushers"][0]["Logstore"]) == ("a line", store)
    assert began <= got["createTime"] <= time.time()
    client.update_logtail_pipeline_config(project, detail(["/var/log/b.log"]))
    got = client.get_logtail_pipeline_config(project, "pipeline").get_body()
    assert got["inputs"][0]["FilePaths"] == ["/var/log/b.log"]
    listed = client.list_logtail_pipeline_config(project, config_name="pipe", logstore_name=store).get_body()
    assert (listed["configs"], listed["total"]) == (["pipeline"], 1)
    assert code(client.create_logtail_pipeline_config, project, detail([])) == "ConfigAlreadyExist"
    client.delete_logtail_pipeline_config(project, "pipeline")
    assert code(client.get_logtail_pipeline_config, project, "pipeline") == "ConfigNotExist"
