"""Orders as the Python SDK writes them, expected of the emulator at MOCK_SLS_ENDPOINT. HTTP_PROXY leads there too."""

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from aliyun.log import IndexConfig, IndexKeyConfig, LogClient, LogItem, PutLogsRequest

ENDPOINT = os.environ["MOCK_SLS_ENDPOINT"]
STORE = "orders"

client = LogClient("http://sls.test", "mockAccessKeyId", "mockAccessKeySecret")


def post(path, body=None):
    """Calls the emulator; a verdict that something does not hold comes with status 417."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"{ENDPOINT}/_mock/v1/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        assert refused.code == 417, refused.read().decode()
        return json.load(refused)


def expect(project, **members):
    return post("expect", {"project": project, "logstore": STORE, **members})


def put(project, **fields):
    log = LogItem(int(time.time()), contents=list(fields.items()))
    client.put_logs(PutLogsRequest(project, STORE, "", "", [log]))


@pytest.fixture
def project():
    name = f"python-{uuid.uuid4().hex[:12]}"
    client.create_project(name, "")
    client.create_logstore(name, STORE)
    key = IndexKeyConfig(token_list=[" "], index_type="text", doc_value=True)
    client.create_index(name, STORE, IndexConfig(key_config_list={"order": key, "status": key}))
    yield name
    client.delete_project(name)


def test_every_paid_order_arrives_once(project):
    put(project, order="1000", status="paid")  # before this test's scope
    scope = post("scopes")["scope"]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(
            expect, project, query="status:paid", scope=scope, count={"op": "exactly", "n": 2},
            each=[{"field": "order", "matches": "^100[12]$"}])
        for order, status in [("1001", "paid"), ("1002", "paid"), ("1003", "refused")]:
            put(project, order=order, status=status)
    assert asked.result()["ok"], asked.result()["text"]


def test_a_missing_order_is_named(project):
    put(project, order="1001", status="paid")
    verdict = expect(project, query="order:1004 and status:paid", timeout_ms=100)
    assert not verdict["ok"]
    assert "1 log is missing" in verdict["text"], verdict["text"]
    assert 'does not hold: order:1004 (it is "1001")' in verdict["text"], verdict["text"]
