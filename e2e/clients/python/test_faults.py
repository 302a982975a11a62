"""What the Python SDK and its producer do when a write goes wrong, and how many requests came of it."""

import socket
import time

import pytest
from aliyun.log import LogClient, LogException
from aliyun_log_producer import Producer

from conftest import ENDPOINT, KEY_ID, KEY_SECRET, STORE, put, rows
from test_producer import Outcomes, config


@pytest.fixture
def fault(emulator):
    """Adds faults of writes, which end with the test."""

    def add(what, times=1, operation="write"):
        rule = {"when": {"operation": operation}, "what": what, "times": times}
        emulator.ask("POST", "faults", rule)

    yield add
    emulator.ask("DELETE", "faults")


@pytest.fixture
def answers(emulator, project):
    """What the requests of an operation to the test's project were answered, in order; None for nothing."""

    def of(operation="write"):
        entries = emulator.ask("GET", f"journal?project={project}&operation={operation}")["entries"]
        return [None if entry.get("lost") else entry["status"] for entry in entries]

    return of


def test_a_server_error_is_tried_again_each_second(client, project, store, fault, answers):
    fault({"error": 500}, times=2)
    began = time.monotonic()
    put(client, project, {"n": "1"})
    assert answers() == [500, 500, 200]
    assert time.monotonic() - began >= 2
    assert len(rows(client, project, "*")) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_an_exceeded_quota_is_raised_at_once(client, project, store, fault, answers, status):
    fault({"error": {"status": status, "error_code": "WriteQuotaExceed", "message": "Write quota is exceeded."}})
    with pytest.raises(LogException) as raised:
        put(client, project, {"n": "1"})
    assert raised.value.get_error_code() == "WriteQuotaExceed"
    assert answers() == [status]
    assert rows(client, project, "*") == []


@pytest.fixture
def direct(emulator, monkeypatch):
    """A client without proxy, on a network whose every name is this machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **named: resolve("127.0.0.1", *rest, **named))
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name)
    _, port = emulator.address.rsplit(":", 1)
    return LogClient(f"{ENDPOINT}:{port}", KEY_ID, KEY_SECRET)


@pytest.mark.parametrize("when, stored", [("before", 0), ("after", 1)])
def test_a_reset_is_raised_at_once_and_does_not_say_whether_the_logs_are_stored(
    project, store, direct, fault, answers, when, stored
):
    fault({"reset": when})
    with pytest.raises(LogException) as raised:
        put(direct, project, {"n": "1"})
    assert raised.value.get_error_code() == "LogRequestError"
    assert answers() == [None]
    assert len(rows(direct, project, "*")) == stored


@pytest.mark.parametrize("when, stored", [("before", 1), ("after", 2)])
def test_behind_a_proxy_a_reset_is_tried_again_so_that_a_lost_answer_stores_logs_twice(
    client, project, store, fault, answers, when, stored
):
    fault({"reset": when})
    put(client, project, {"n": "1"})
    assert answers() == [None, 200]
    assert len(rows(client, project, "*")) == stored


def test_an_answer_without_its_end_is_raised_though_the_logs_are_stored(client, project, store, fault, answers):
    fault({"truncated": 0})
    with pytest.raises(LogException):
        put(client, project, {"n": "1"})
    assert answers() == [None]
    assert len(rows(client, project, "*")) == 1


def test_after_a_time_out_the_request_is_sent_again(client, project, store, fault, answers):
    client.timeout = 1
    fault({"hang": {}})
    put(client, project, {"n": "1"})
    assert sorted(answers(), key=str) == [200, None]
    assert len(rows(client, project, "*")) == 1


def test_an_incomplete_answer_is_asked_for_again(client, project, store, fault, answers):
    put(client, project, {"n": "1"})
    fault({"incomplete": 2}, times=2, operation="query")
    assert len(rows(client, project, "*")) == 1
    assert answers("query") == [200, 200, 200]


@pytest.mark.parametrize(
    "what, statuses, stored",
    [
        ({"error": 500}, [500, 200], 1),
        ({"quota": "write"}, [403, 200], 1),
        ({"reset": "before"}, [None, 200], 1),
        ({"reset": "after"}, [None, 200], 2),
    ],
)
def test_the_producer_sends_again_and_after_a_lost_answer_twice(
    client, project, store, fault, answers, what, statuses, stored
):
    fault(what)
    outcomes = Outcomes()
    with Producer(config()) as producer:
        producer.writer(project, store).send({"n": "1"}, on_delivery=outcomes)
        producer.flush()
        assert outcomes.of(1) == [None]
    assert answers() == statuses
    assert len(rows(client, project, "*")) == stored
