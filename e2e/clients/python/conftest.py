"""The emulator that MOCK_SLS_BIN names, as a fixture; every test of this folder talks to it."""

import json
import os
import pathlib
import subprocess
import urllib.request
import uuid

import pytest

KEY_ID, KEY_SECRET = "mockAccessKeyId", "mockAccessKeySecret"
# Any name will do: the emulator is the proxy that all plain-http names lead to.
ENDPOINT = "http://sls.test"


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

    def operations(self):
        """What the emulator says about the calls so far."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.address}/_mock/v1/operations", timeout=60) as answer:
            return json.load(answer)

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
    running = Emulator()
    yield running
    running.stop(getattr(request.module, "CLIENT", "python"))


@pytest.fixture
def project_name():
    return f"p-{uuid.uuid4().hex[:12]}"
