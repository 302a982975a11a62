"""The command line client (aliyunlog), from a new project to its removal."""

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from conftest import ENDPOINT, KEY_ID, KEY_SECRET

CLIENT = "cli"


def aliyunlog(*arguments, home):
    program = os.path.join(os.path.dirname(sys.executable), "aliyunlog")
    access = [f"--access-id={KEY_ID}", f"--access-key={KEY_SECRET}", f"--region-endpoint={ENDPOINT}"]
    done = subprocess.run(
        [program, "log", *arguments, *access],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(home)},
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_the_command_line_walks_from_project_to_removal(emulator, project_name, tmp_path):
    in_project = [f"--project_name={project_name}"]
    in_store = [*in_project, "--logstore_name=access"]
    aliyunlog("create_project", *in_project, "--project_des=x", home=tmp_path)
    aliyunlog("create_logstore", *in_store, "--ttl=7", "--shard_count=1", "--enable_tracking=true", home=tmp_path)
    index = json.dumps({"line": {"token": [" "], "caseSensitive": False}, "ttl": 7})
    aliyunlog("create_index", *in_store, f"--index_detail={index}", home=tmp_path)
    assert aliyunlog("list_logstore", *in_project, home=tmp_path)["logstores"] == ["access"]
    now = int(time.time())
    # The command line has nothing to write logs with; web tracking needs no client.
    tracked = urllib.parse.urlencode({"APIVersion": "0.6.0", "__topic__": "t", "method": "GET"})
    host = f"{project_name}.{ENDPOINT.removeprefix('http://')}"
    with urllib.request.urlopen(f"http://{host}/logstores/access/track?{tracked}", timeout=60) as answer:
        assert answer.status == 200
    found = aliyunlog(
        "get_log",
        f"--project={project_name}",
        "--logstore=access",
        f"--from_time={now - 60}",
        f"--to_time={now + 60}",
        "--query=GET",
        home=tmp_path,
    )
    assert [row["method"] for row in found] == ["GET"]
    aliyunlog("delete_logstore", *in_store, home=tmp_path)
    aliyunlog("delete_project", *in_project, home=tmp_path)


def test_a_missing_project_is_an_error_with_its_code(emulator, tmp_path):
    program = os.path.join(os.path.dirname(sys.executable), "aliyunlog")
    access = [f"--access-id={KEY_ID}", f"--access-key={KEY_SECRET}", f"--region-endpoint={ENDPOINT}"]
    done = subprocess.run(
        [program, "log", "get_project", "--project_name=missing-project", *access],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode != 0
    assert "ProjectNotExist" in done.stdout + done.stderr
