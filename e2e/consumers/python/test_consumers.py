"""The consumer library of the Python SDK: several processes of one group."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from aliyun.log import LogException, LogItem, PutLogsRequest

from conftest import LOGSTORE, PROJECT, eventually

GROUP = "workers"


class Worker:
    """A consumer process and what it has read."""

    def __init__(self, emulator, name, in_order=False):
        arguments = [emulator.key_id, emulator.secret, PROJECT, LOGSTORE, GROUP, name, str(int(in_order))]
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.read = []
        self.reader = threading.Thread(target=self._collect, daemon=True)
        self.reader.start()

    def _collect(self):
        for line in self.process.stdout:
            shard, text = line.split(maxsplit=1)
            self.read.append((int(shard), text.strip()))

    def shards(self):
        return {shard for shard, _ in list(self.read)}

    def texts(self):
        return [text for _, text in list(self.read)]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait()
            self.reader.join()


@pytest.fixture
def start(emulator, logstore):
    workers = []

    def start(name, in_order=False):
        workers.append(Worker(emulator, name, in_order))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


def put(client, texts, hash_key=None):
    for text in texts:
        item = LogItem(contents=[("text", text)])
        client.put_logs(PutLogsRequest(PROJECT, LOGSTORE, logitems=[item], hashKey=hash_key))


def read_by(workers):
    return {text for worker in workers for text in worker.texts()}


def missing(expected, workers):
    return lambda: f"not read: {sorted(expected - read_by(workers))[:10]}"


def test_nothing_is_lost_when_one_of_three_workers_is_killed(emulator, start):
    client = emulator.client()
    workers = [start(name) for name in ("one", "two", "three")]
    sent = {f"before-{n}" for n in range(200)}
    put(client, sorted(sent))
    eventually(lambda: sent <= read_by(workers), missing(sent, workers))
    # Logs for every shard until each worker has some: the shards are spread by now.
    rounds = 0
    while not all(worker.shards() for worker in workers):
        more = {f"spread-{rounds}-{n}" for n in range(8)}
        put(client, sorted(more))
        sent |= more
        eventually(lambda: sent <= read_by(workers), missing(sent, workers))
        rounds += 1

    workers[0].kill()
    more = {f"after-{n}" for n in range(200)}
    put(client, sorted(more))
    sent |= more
    eventually(lambda: sent <= read_by(workers), missing(sent, workers))
    assert more <= read_by(workers[1:]), "nothing reached the dead one"


def test_shards_made_by_a_split_are_read_after_the_old_one_in_order(emulator, start):
    client = emulator.client()
    key = "10" + "0" * 30
    put(client, [f"old-{n}" for n in range(50)], hash_key=key)
    client.split_shard(PROJECT, LOGSTORE, 0, "20" + "0" * 30)
    put(client, [f"new-{n}" for n in range(50)], hash_key=key)
    worker = start("one", in_order=True)
    expected = {f"{age}-{n}" for age in ("old", "new") for n in range(50)}
    eventually(lambda: expected <= read_by([worker]), missing(expected, [worker]))
    ages = [text.split("-")[0] for text in worker.texts()]
    assert ages == sorted(ages, reverse=True), "all old ones come first"


def test_errors_have_the_codes_that_the_library_looks_for(emulator, logstore):
    client = emulator.client()
    client.create_consumer_group(PROJECT, LOGSTORE, GROUP, 60, False)

    def code(call, *arguments):
        with pytest.raises(LogException) as caught:
            call(PROJECT, LOGSTORE, *arguments)
        return caught.value.get_error_code()

    assert code(client.create_consumer_group, GROUP, 60, False) == "ConsumerGroupAlreadyExist"
    assert code(client.heart_beat, GROUP, "unknown", [0]) == "NotExistConsumerWithBody"
    assert code(client.heart_beat, "nobody", "unknown", []) == "ConsumerGroupNotExist"
    assert code(client.update_check_point, GROUP, 0, "MQ==", "unknown", False) == "ConsumerNotExist"
    assert code(client.pull_logs, 0, "no cursor") == "ParameterInvalid"
    found = client.get_check_point(PROJECT, LOGSTORE, GROUP).get_consumer_group_check_points()
    assert [checkpoint["checkpoint"] for checkpoint in found] == [""] * 4
