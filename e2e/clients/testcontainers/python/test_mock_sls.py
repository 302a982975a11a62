"""Log Service in a container, for a Python test: testcontainers and the official SDK.

Run by `just testcontainers`; explained in docs/testcontainers.md.
"""

import os
import time

import pytest
from aliyun.log import IndexConfig, IndexLineConfig, LogClient, LogItem, PutLogsRequest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

IMAGE = os.environ.get("MOCK_SLS_IMAGE", "sls-bed/mock-sls:dev")
PORT = 8080
KEY = ("mockAccessKeyId", "mockAccessKeySecret")


@pytest.fixture
def sls(monkeypatch):
    """A client of an emulator that lives as long as the test."""
    container = (
        DockerContainer(IMAGE)
        .with_exposed_ports(PORT)
        .waiting_for(HttpWaitStrategy(PORT, "/_mock/v1/health").for_status_code(200))
    )
    # Leaving the block removes the container, also when a test fails.
    with container:
        endpoint = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(PORT)}"
        # The SDK puts the project before the host name, which no DNS server knows; as its proxy the
        # emulator gets the whole name and reads the project there.
        monkeypatch.setenv("HTTP_PROXY", endpoint)
        yield LogClient("http://sls.test", *KEY)


def test_a_log_that_was_put_is_found(sls):
    project, logstore = "python-project", "app"
    sls.create_project(project, "test")
    sls.create_logstore(project, logstore, ttl=1, shard_count=2)
    sls.create_index(project, logstore, IndexConfig(line_config=IndexLineConfig(token_list=[" "])))

    now = int(time.time())
    item = LogItem(timestamp=now, contents=[("content", "hello from python")])
    sls.put_logs(PutLogsRequest(project, logstore, topic="", source="", logitems=[item]))

    found = sls.get_log(project, logstore, now - 60, now + 60, query="python").get_logs()
    assert [log.get_contents()["content"] for log in found] == ["hello from python"]
