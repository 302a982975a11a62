"""Starts the emulator and points the SDK at it: `requests` takes HTTP_PROXY, the endpoint is a
made-up name."""

import json
import os
import subprocess
import time

import pytest
from aliyun.log import LogClient

ENDPOINT = "http://sls.test"
PROJECT = "consumers-python"
LOGSTORE = "consumed"

# How long a test may wait for what must happen, seconds: a guard against hanging, no measure.
HANG_GUARD_S = 600


class Emulator:
    """A running emulator, its key pair and a client of it."""

    def __init__(self, process):
        self.process = process
        started = json.loads(process.stdout.readline())
        self.key_id = started["accessKeyId"]
        self.secret = started["accessKeySecret"]
        self.proxy = started["endpoint"]

    def client(self):
        return LogClient(ENDPOINT, self.key_id, self.secret)


@pytest.fixture(scope="session")
def emulator():
    binary = os.environ["MOCK_SLS_BIN"]
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        running = Emulator(process)
        os.environ["HTTP_PROXY"] = os.environ["http_proxy"] = running.proxy
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = ""
        running.client().create_project(PROJECT, "consumers of the Python SDK")
        yield running
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def logstore(emulator):
    """An empty Logstore of four shards."""
    client = emulator.client()
    client.create_logstore(PROJECT, LOGSTORE, ttl=1, shard_count=4)
    yield LOGSTORE
    client.delete_logstore(PROJECT, LOGSTORE)


def eventually(condition, what):
    """Waits until `condition()` holds."""
    deadline = time.monotonic() + HANG_GUARD_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)
