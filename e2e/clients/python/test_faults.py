"""What the Python SDK and its producer do with every kind of fault, and how many requests came of it."""

import secrets
import socket
import time

import pytest
from aliyun.log import GetHistogramsRequest, LogClient, LogException
from aliyun_log_producer import Producer

from conftest import ENDPOINT, KEY_ID, KEY_SECRET, STORE, client_with, code, put, rows, window
from test_data import pulled
from test_producer import HANG_GUARD_S, Outcomes, config

# For tests that take their time and in which signatures have no part.
ONE_SIGNATURE = pytest.mark.parametrize("client", ["v1"], indirect=True)
DAY_MS = 86_400_000


@pytest.fixture
def fault(emulator):
    """Adds faults, of writes if nothing else is said, which end with the test; `when` chooses requests."""

    def add(what, times=1, operation="write", **when):
        rule = {"when": {"operation": operation, **when}, "what": what, "times": times}
        emulator.ask("POST", "faults", rule)

    yield add
    emulator.ask("DELETE", "faults")


@pytest.fixture
def journal(emulator, project):
    """The journal's entries of an operation's requests to the test's project, in the order of their ends."""

    def of(operation="write", more=""):
        return emulator.ask("GET", f"journal?project={project}&operation={operation}{more}")["entries"]

    return of


@pytest.fixture
def answers(journal):
    """What the requests of an operation to the test's project were answered, in order; None for nothing."""

    def of(operation="write"):
        return [None if entry.get("lost") else entry["status"] for entry in journal(operation)]

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


@ONE_SIGNATURE
def test_a_delay_is_waited_for(client, project, store, fault, answers):
    fault({"delay_ms": 500})
    began = time.monotonic()
    put(client, project, {"n": "1"})
    assert time.monotonic() - began >= 0.5
    assert answers() == [200]
    assert len(rows(client, project, "*")) == 1


def test_a_delay_beyond_the_time_out_is_sent_again_and_leaves_nothing_behind(
    client, project, store, fault, journal, answers
):
    client.timeout = 1
    fault({"delay_ms": 60_000})
    put(client, project, {"n": "1"})
    # The server may notice later than the client that the first one was left.
    assert [entry["lost"] for entry in journal(more="&status=none&follow_ms=60000")] == [True]
    assert sorted(answers(), key=str) == [200, None]
    assert len(rows(client, project, "*")) == 1


@ONE_SIGNATURE
def test_a_slow_body_may_take_longer_than_the_time_out_which_is_that_of_each_read(
    client, project, store, fault, journal, answers
):
    # Of 1,500 random bytes, so that it takes as many after any compression, and more than two seconds.
    text = secrets.token_urlsafe(1_500)
    put(client, project, {"text": text})
    client.timeout = 2
    fault({"slow_body": 600}, operation="query")
    began = time.monotonic()
    assert [row["text"] for row in rows(client, project, "*")] == [text]
    assert time.monotonic() - began > client.timeout
    assert answers("query") == [200]
    assert journal("query")[0]["bytes_out"] >= 1_500


@pytest.mark.parametrize(
    "operation, ask",
    [
        ("query", lambda client, project: rows(client, project, "*")),
        ("pull", lambda client, project: pulled(client, project, 0)),
    ],
)
def test_an_answer_of_a_read_without_its_end_is_raised_at_once(client, project, store, fault, answers, operation, ask):
    put(client, project, {"n": "1"}, hashKey="0" * 32)
    fault({"truncated": 3}, operation=operation)
    with pytest.raises(LogException) as raised:
        ask(client, project)
    assert raised.value.get_error_code() == "LogRequestError"
    assert "IncompleteRead(3 bytes read" in raised.value.get_error_message()
    assert answers(operation) == [None]
    assert [row["n"] for row in ask(client, project)] == ["1"]


@pytest.mark.parametrize("kind, length", [("absent", 0), ("other", 24)])
def test_a_wrong_request_id_is_believed_of_answers_and_of_errors(
    client, project, store, fault, journal, answers, kind, length
):
    put(client, project, {"n": "1"})
    fault({"wrong_request_id": kind}, times=2, operation="query")
    start, end = window()
    ids = [client.get_log(project, store, start, end, query="*").get_request_id()]
    with pytest.raises(LogException) as refused:
        client.get_log(project, store, start, end, query="(")
    ids.append(refused.value.get_request_id())
    assert [len(request_id) for request_id in ids] == [length] * 2
    assert not {entry["request_id"] for entry in journal("query")}.intersection(ids)
    assert answers("query") == [200, 400]


@pytest.mark.parametrize("offset_s", [-1_200, 1_200])
def test_a_clock_that_is_twenty_minutes_off_is_raised_each_time_and_never_corrected(
    client, project, store, fault, answers, offset_s
):
    fault({"clock_offset_s": offset_s}, times=2)
    assert code(put, client, project, {"n": "1"}) == "RequestTimeExpired"
    assert code(put, client, project, {"n": "2"}) == "RequestTimeExpired"
    put(client, project, {"n": "3"})
    assert answers() == [400, 400, 200]
    assert [row["n"] for row in rows(client, project, "*")] == ["3"]


@pytest.mark.parametrize("offset_s", [-600, 600])
def test_a_clock_that_is_ten_minutes_off_does_no_harm(client, project, store, fault, answers, offset_s):
    put(client, project, {"n": "1"})
    fault({"clock_offset_s": offset_s}, operation="query")
    start, end = window()
    found = client.get_log(project, store, start, end, query="*")
    assert found.get_count() == 1
    assert abs(int(found.get_header("x-log-time")) - time.time() - offset_s) < 300
    assert answers("query") == [200]


def test_an_incomplete_answer_is_asked_for_again(client, project, store, fault, answers):
    put(client, project, {"n": "1"})
    fault({"incomplete": 2}, times=2, operation="query")
    assert len(rows(client, project, "*")) == 1
    assert answers("query") == [200, 200, 200]


@ONE_SIGNATURE
def test_the_fifth_incomplete_answer_is_returned_and_says_so(client, project, store, fault, answers):
    put(client, project, {"n": "1"})
    fault({"incomplete": 9}, times=9, operation="query")
    start, end = window()
    found = client.get_log(project, store, start, end, query="*")
    assert (found.is_completed(), found.get_count()) == (False, 1)
    assert answers("query") == [200] * 5


def test_an_incomplete_histogram_is_returned_at_once_and_says_so(client, project, store, fault, answers):
    put(client, project, {"n": "1"})
    fault({"incomplete": 1}, operation="query")
    start, end = window()
    histogram = client.get_histograms(GetHistogramsRequest(project, store, start, end, "", "*"))
    assert (histogram.is_completed(), histogram.get_total_count()) == (False, 1)
    assert answers("query") == [200]


def test_logs_that_are_not_visible_yet_are_a_complete_answer_without_them_though_pulled_at_once(
    client, project, store, fault, answers
):
    put(client, project, {"n": "1"}, hashKey="0" * 32)
    fault({"visibility_delay_ms": DAY_MS}, operation="query")
    start, end = window()
    found = client.get_log(project, store, start, end, query="*")
    assert (found.is_completed(), found.get_count()) == (True, 0)
    assert answers("query") == [200]
    assert [log["n"] for log in pulled(client, project, 0)] == ["1"]


@ONE_SIGNATURE
def test_who_asks_again_finds_logs_when_they_become_visible(client, project, store, fault, answers):
    fault({"visibility_delay_ms": 1_000}, times=None, operation="query")
    began = time.monotonic()
    put(client, project, {"n": "1"})
    asked, found = 0, []
    while not found and time.monotonic() - began < HANG_GUARD_S:
        asked, found = asked + 1, rows(client, project, "*")
    assert [row["n"] for row in found] == ["1"]
    assert time.monotonic() - began >= 1
    assert answers("query") == [200] * asked


def test_a_fault_of_a_header_meets_only_the_client_that_sends_it(client, project, store, fault, journal):
    other = client_with()
    other.set_user_agent("batch/7 (nightly)")
    fault({"quota": "write"}, times=None, header={"name": "user-agent", "matches": "^batch/[0-9]"})
    put(client, project, {"n": "1"})
    assert code(put, other, project, {"n": "2"}) == "WriteQuotaExceed"
    put(client, project, {"n": "3"})
    assert [(entry["status"], entry["user_agent"] == "batch/7 (nightly)") for entry in journal()] == [
        (200, False),
        (403, True),
        (200, False),
    ]


@ONE_SIGNATURE
@pytest.mark.parametrize(
    "when, statuses",
    [
        ({"nth": 2}, [200, 500, 200, 200]),
        ({"every": 2}, [200, 500, 200, 500, 200]),
        ({"after": 2}, [200, 200, 500, 500, 200]),
    ],
)
def test_what_is_sent_again_is_counted_by_a_fault(client, project, store, fault, answers, when, statuses):
    fault({"error": 500}, times=2, **when)
    for n in range(3):
        put(client, project, {"n": str(n)})
    assert answers() == statuses
    assert len(rows(client, project, "*")) == 3


def refuses(client, project):
    """Whether a write is refused for its quota."""
    try:
        put(client, project, {"n": "1"})
    except LogException as refused:
        assert refused.get_error_code() == "WriteQuotaExceed"
        return True
    return False


@ONE_SIGNATURE
def test_a_fault_of_half_of_the_requests_meets_the_same_ones_with_the_same_seed(
    emulator, client, project, store, fault, answers
):
    def met(seed):
        """Which of 24 writes a fault of its own refuses."""
        fault({"quota": "write"}, times=None, probability=0.5, seed=seed)
        refused = [refuses(client, project) for _ in range(24)]
        emulator.ask("DELETE", "faults")
        return refused

    first, again, other = met(7), met(7), met(8)
    assert set(first) == {True, False}
    assert again == first
    assert other != first
    assert answers() == [403 if refused else 200 for refused in first + again + other]
    assert len(rows(client, project, "*")) == answers().count(200)


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
