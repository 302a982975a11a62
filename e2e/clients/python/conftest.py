"""The emulator that MOCK_SLS_BIN names, as a fixture; every test of this folder talks to it."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request
import uuid

import pytest
from aliyun.log import IndexConfig, IndexKeyConfig, IndexLineConfig, LogClient, LogException, LogItem, PutLogsRequest

KEY_ID, KEY_SECRET = "mockAccessKeyId", "mockAccessKeySecret"
# Any name will do: the emulator is the proxy that all plain-http names lead to.
ENDPOINT = "http://sls.test"
STORE = "access"


class Emulator:
    """A running emulator of its own for each test session."""

    def __init__(self, *options):
        program = os.environ.get("MOCK_SLS_BIN")
        if not program:
            pytest.exit("set MOCK_SLS_BIN to the emulator, e.g. target/debug/mock-sls", returncode=2)
        self._process = subprocess.Popen(
            [program, "serve", "--listen", "127.0.0.1:0", "-o", "json", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline()
        assert line, "the emulator ended before it answered"
        self.address = json.loads(line)["endpoint"]
        os.environ["HTTP_PROXY"] = os.environ["http_proxy"] = self.address
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ""

    def ask(self, method, path, body=None):
        """A call of the emulator itself, below /_mock/v1."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.address}/_mock/v1/{path}", data, method=method)
        with direct.open(asked, timeout=60) as answer:
            return json.load(answer)

    def operations(self):
        """What the emulator says about the calls so far."""
        return self.ask("GET", "operations")

    def stop(self, client):
        """Ends the emulator; leaves its counts for the table if a folder is named for them."""
        folder = os.environ.get("MOCK_SLS_OPERATIONS_DIR")
        if folder:
            name = f"{client}-{uuid.uuid4().hex}.json"
            pathlib.Path(folder, name).write_text(json.dumps(self.operations()))
        self._process.terminate()
        self._process.wait(timeout=60)


@pytest.fixture(scope="module")
def emulator(request):
    running = Emulator(*getattr(request.module, "OPTIONS", ()))
    yield running
    running.stop(getattr(request.module, "CLIENT", "python"))


@pytest.fixture
def project_name():
    return f"p-{uuid.uuid4().hex[:12]}"


def client_with(auth_version="v1", secret=KEY_SECRET, key=KEY_ID):
    if auth_version == "v4":
        return LogClient(ENDPOINT, key, secret, auth_version="v4", region="cn-hangzhou")
    return LogClient(ENDPOINT, key, secret)


@pytest.fixture(params=["v1", "v4"])
def client(emulator, request):
    """The SDK's client, once with either version of signatures."""
    return client_with(request.param)


@pytest.fixture
def project(client, project_name):
    client.create_project(project_name, "made by the Python SDK")
    yield project_name
    client.delete_project(project_name)


@pytest.fixture
def store(client, project):
    """A Logstore of two shards with a full-text index and the keys method, status and cost."""
    client.create_logstore(project, STORE, ttl=30, shard_count=2)
    line = IndexLineConfig(token_list=[" ", ","])
    keys = {
        "method": IndexKeyConfig(token_list=[" "], index_type="text", doc_value=True),
        "status": IndexKeyConfig(index_type="long", doc_value=True),
        "cost": IndexKeyConfig(index_type="double", doc_value=True),
    }
    client.create_index(project, STORE, IndexConfig(ttl=30, line_config=line, key_config_list=keys))
    return STORE


def put(client, project, *logs, topic="topic-a", tags=(("pod", "web-0"),), **settings):
    """Writes logs, each a dictionary of its fields, as one group."""
    now = int(time.time())
    items = [LogItem(timestamp=now, contents=list(fields.items())) for fields in logs]
    client.put_logs(PutLogsRequest(project, STORE, topic, "10.0.0.9", items, logtags=list(tags), **settings))


def window():
    now = int(time.time())
    return now - 600, now + 600


def rows(client, project, query, **settings):
    """What a query finds, as dictionaries."""
    start, end = window()
    found = client.get_log(project, STORE, start, end, query=query, **settings)
    return [row.get_contents() for row in found.get_logs()]


def code(call, *arguments, **settings):
    """The code of the error that a call is answered with."""
    with pytest.raises(LogException) as refused:
        call(*arguments, **settings)
    assert len(refused.value.get_request_id()) == 24
    return refused.value.get_error_code()
