"""The Python SDK with an https endpoint: CONNECT, TLS and a certificate that it verifies."""

import pytest
from aliyun.log import LogClient, LogException

from conftest import KEY_ID, KEY_SECRET, Emulator

ENDPOINT = "https://cn-hangzhou.log.aliyuncs.com"


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    authority = tmp_path / "ca.pem"
    running = Emulator("--tls-listen", "127.0.0.1:0", "--tls-ca", str(authority))
    monkeypatch.setenv("HTTPS_PROXY", running.address)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    yield running
    running.stop("python")


def test_a_real_https_endpoint_leads_to_the_emulator(trusted, project_name):
    client = LogClient(ENDPOINT, KEY_ID, KEY_SECRET)
    client.create_project(project_name, "over TLS")
    assert client.get_project(project_name).get_description() == "over TLS"
    client.delete_project(project_name)


def test_a_client_that_does_not_trust_the_authority_refuses(trusted, monkeypatch, project_name):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(LogException) as refused:
        LogClient(ENDPOINT, KEY_ID, KEY_SECRET).get_project(project_name)
    assert "certificate" in refused.value.get_error_message().lower()
