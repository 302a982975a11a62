"""aliyun-log-producer: logs sent in the background, in batches, and told of one by one."""

import threading
import time

import pytest
from aliyun_log_producer import Log, Producer, ProducerClosedError, ProducerConfig

from conftest import ENDPOINT, KEY_ID, KEY_SECRET, STORE, client_with, rows

HANG_GUARD_S = 120


@pytest.fixture
def client(emulator):
    """The SDK's client, to look at what arrived."""
    return client_with()


def config(secret=KEY_SECRET, **settings):
    return ProducerConfig(
        endpoint=ENDPOINT, access_key_id=KEY_ID, access_key_secret=secret, linger=0.01, **settings
    )


class Outcomes:
    """Takes what is told of each log, and waits for as many as were sent."""

    def __init__(self):
        self.told = []
        self._changed = threading.Condition()

    def __call__(self, error):
        with self._changed:
            self.told.append(error)
            self._changed.notify_all()

    def of(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, HANG_GUARD_S), self.told
        return self.told


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_every_log_is_sent_and_told_of(client, project, store, compression):
    outcomes = Outcomes()
    with Producer(config(compression=compression)) as producer:
        writer = producer.writer(project, store)
        for n in range(50):
            writer.send({"n": str(n)}, topic="t", source="10.0.0.9", on_delivery=outcomes)
        writer.send(Log([("n", "50")], time=int(time.time())), topic="t", on_delivery=outcomes)
        producer.flush()
        assert outcomes.of(51) == [None] * 51
    found = rows(client, project, "*")
    assert sorted(int(row["n"]) for row in found) == list(range(51))
    assert {row["__topic__"] for row in found} == {"t"}
    assert all(row["__tag__:__pack_id__"] for row in found), "so that context can be asked for"


def test_closing_sends_what_waits(client, project, store):
    producer = Producer(config())
    writer = producer.writer(project, store)
    writer.send({"n": "last"})
    producer.close()
    assert [row["n"] for row in rows(client, project, "*")] == ["last"]
    with pytest.raises(ProducerClosedError):
        writer.send({"n": "late"})


def test_what_the_service_refuses_is_told_with_its_code(client, project, store):
    for secret, logstore, status, code in [
        ("wrong", STORE, 401, "SignatureNotMatch"),
        (KEY_SECRET, "missing", 404, "LogStoreNotExist"),
    ]:
        outcomes = Outcomes()
        with Producer(config(secret, max_attempts=1)) as producer:
            producer.writer(project, logstore).send({"n": "1"}, on_delivery=outcomes)
            producer.flush()
            [error] = outcomes.of(1)
        assert (error.http_status, error.error_code) == (status, code)
        assert len(error.request_id) == 24
    assert rows(client, project, "*") == []
