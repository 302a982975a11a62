"""The command line client (aliyunlog): its methods are those of the Python SDK, with options for
arguments and JSON for answers."""

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest

from conftest import ENDPOINT, KEY_ID, KEY_SECRET

CLIENT = "cli"


# Starting the program takes a second or two: all tests share one project.
@pytest.fixture(scope="module")
def run(emulator, tmp_path_factory):
    """Runs a method with options; gives its process."""
    home = tmp_path_factory.mktemp("home")
    program = os.path.join(os.path.dirname(sys.executable), "aliyunlog")

    def run(method, secret=KEY_SECRET, **options):
        given = [f"--{name}={value}" for name, value in options.items()]
        access = [f"--access-id={KEY_ID}", f"--access-key={secret}", f"--region-endpoint={ENDPOINT}"]
        return subprocess.run(
            [program, "log", method, *given, *access],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "HOME": str(home)},
        )

    return run


@pytest.fixture(scope="module")
def log(run):
    """Runs a method that must not fail; gives its answer."""

    def log(method, **options):
        done = run(method, **options)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout.strip() else None

    return log


@pytest.fixture(scope="module")
def project(log):
    log("create_project", project_name="cli-project", project_des="made by the command line")
    yield "cli-project"
    log("delete_project", project_name="cli-project")


@pytest.fixture(scope="module")
def store(log, project):
    log(
        "create_logstore",
        project_name=project,
        logstore_name="access",
        ttl=7,
        shard_count=1,
        enable_tracking="true",
    )
    index = {"line": {"token": [" "]}, "keys": {"method": {"type": "text", "token": [], "doc_value": True}}}
    log("create_index", project_name=project, logstore_name="access", index_detail=json.dumps(index))
    return {"project_name": project, "logstore_name": "access"}


def track(project, **fields):
    """The command line has nothing to write logs with; web tracking needs no client."""
    query = urllib.parse.urlencode({"APIVersion": "0.6.0", "__topic__": "t", **fields})
    host = f"{project}.{ENDPOINT.removeprefix('http://')}"
    with urllib.request.urlopen(f"http://{host}/logstores/access/track?{query}", timeout=60) as answer:
        assert answer.status == 200


def test_projects_logstores_and_indexes_are_described_and_changed(log, project, store):
    assert log("get_project", project_name=project)["description"] == "made by the command line"
    assert log("list_logstore", project_name=project)["logstores"] == ["access"]
    log("update_logstore", **store, ttl=9)
    assert log("get_logstore", **store)["ttl"] == 9
    assert log("get_index_config", **store)["keys"]["method"]["type"] == "text"
    assert [shard["status"] for shard in log("list_shards", **store)] == ["readwrite"]


def test_logs_are_found_counted_analysed_and_pulled(log, project, store):
    for method in ("GET", "PUT", "PUT"):
        track(project, method=method)
    now = int(time.time())
    search = {"project": project, "logstore": "access", "from_time": now - 600, "to_time": now + 600}
    assert [row["method"] for row in log("get_log", **search, query="GET")] == ["GET"]
    sql = "* | select method, count(*) as n from log group by method order by method"
    rows = log("get_log", **search, query=sql)
    assert [(row["method"], row["n"]) for row in rows] == [("GET", "1"), ("PUT", "2")]
    cursor = log("get_cursor", **store, shard_id=0, start_time="begin")["cursor"]
    pulled = log("pull_logs", **store, shard_id=0, cursor=cursor, count=10)
    assert sorted(row["method"] for row in pulled["logs"]) == ["GET", "PUT", "PUT"]


def test_a_config_is_applied_to_a_machine_group(log, project, store):
    group = {"group_name": "web", "machine_list": ["web-id"], "machine_type": "userdefined", "group_type": ""}
    group["group_attribute"] = {"externalName": "", "groupTopic": ""}
    log("create_machine_group", project_name=project, group_detail=json.dumps(group))
    detail = {
        "configName": "nginx",
        "inputType": "file",
        "inputDetail": {
            "logType": "common_reg_log",
            "logPath": "/var/log",
            "filePattern": "*.log",
            "regex": "(.*)",
            "key": ["content"],
            "logBeginRegex": ".*",
            "timeFormat": "",
            "localStorage": True,
            "enableTag": False,
            "topicFormat": "none",
        },
        "outputType": "LogService",
        "outputDetail": {"logstoreName": "access"},
    }
    log("create_logtail_config", project_name=project, config_detail=json.dumps(detail))
    both = {"project_name": project, "config_name": "nginx", "group_name": "web"}
    log("apply_config_to_machine_group", **both)
    applied = log("get_machine_group_applied_configs", project_name=project, group_name="web")
    assert applied["configs"] == ["nginx"]
    log("remove_config_to_machine_group", **both)
    assert log("list_logtail_config", project_name=project)["configs"] == ["nginx"]
    log("delete_logtail_config", project_name=project, config_name="nginx")
    log("delete_machine_group", project_name=project, group_name="web")


def test_groups_of_consumers_saved_searches_and_dashboards(log, project, store):
    log("create_consumer_group", project=project, logstore="access", consumer_group="readers", timeout=30)
    [group] = log("list_consumer_group", project=project, logstore="access")
    assert (group["name"], group["timeout"]) == ("readers", 30)
    log("delete_consumer_group", project=project, logstore="access", consumer_group="readers")
    search = {"savedsearchName": "errors", "displayName": "E", "logstore": "access", "searchQuery": "a", "topic": ""}
    log("create_savedsearch", project=project, detail=json.dumps(search))
    assert log("get_savedsearch", project=project, entity="errors")["searchQuery"] == "a"
    board = {"dashboardName": "board", "displayName": "B", "charts": [], "description": ""}
    log("create_dashboard", project=project, detail=json.dumps(board))
    assert log("list_dashboard", project=project)["dashboards"] == ["board"]
    log("delete_dashboard", project=project, entity="board")


@pytest.mark.parametrize(
    "secret, method, options, code",
    [
        (KEY_SECRET, "get_project", {"project_name": "missing-project"}, "ProjectNotExist"),
        ("wrong", "list_logstore", {"project_name": "missing-project"}, "SignatureNotMatch"),
    ],
)
def test_an_error_is_told_with_its_code(run, secret, method, options, code):
    done = run(method, secret, **options)
    assert done.returncode != 0
    assert code in done.stdout + done.stderr
