"""alibabacloud-sls20201230: resources that only this SDK reaches, or that have paths of their own
in it. Each is made, read, changed, listed and removed."""

import pytest
from alibabacloud_sls20201230 import models

from test_oapi import CLIENT, OPTIONS, STORE, client_with, code, made, project, store  # noqa: F401

HOURLY = {"type": "FixedRate", "interval": "1h"}


@pytest.fixture
def client(emulator):
    """Signatures of both versions are test_oapi's subject."""
    return client_with()


def source(**fields):
    return {"logstore": STORE, "source": fields}


def sink(**fields):
    return {"logstore": STORE, "roleArn": "arn", "sink": {"roleArn": "arn", **fields}, "fromTime": 1, "toTime": 0}


# Word of methods: word of models, word of lists, configuration.
JOBS = {
    "alert": ("Alert", "alerts", {"type": "default", "version": "2.0", "threshold": 1, "dashboard": "d"}),
    "scheduled_sql": ("ScheduledSQL", "scheduled_sqls", {"script": "* | select 1 as a", "sourceLogstore": STORE}),
    "etl": ("ETL", "etls", {"script": "e_drop()", "logstore": STORE, "lang": "SPL", "roleArn": "arn", "sinks": []}),
    "ossexport": ("OSSExport", "ossexports", sink(bucket="b", endpoint="oss.test")),
    "osshdfsexport": ("OSSHDFSExport", "osshdfsexports", sink(bucket="b", endpoint="oss.test")),
    "max_compute_export": ("MaxComputeExport", "max_compute_exports", sink(odpsProject="p", odpsTable="t")),
    "ossingestion": ("OSSIngestion", "ossingestions", source(bucket="b", endpoint="oss.test")),
    "azure_blob_ingestion": ("AzureBlobIngestion", "azure_blob_ingestion", source(containerName="c")),
    "gcsingestion": ("GCSIngestion", "gcsingestions", source(bucket="b")),
    "elasticsearch_ingestion": ("ElasticsearchIngestion", "elasticsearch_ingestions", source(index="i")),
    "s3ingestion": ("S3Ingestion", "s3ingestions", source(AWSRegion="r", bucket="b")),
}


def request_of(name):
    """A request of the SDK, whatever capitals its name has."""
    found = {known.lower(): known for known in dir(models)}
    return getattr(models, found[name.lower()])


@pytest.mark.parametrize("word", JOBS)
def test_jobs_have_paths_of_their_own(client, project, store, word):
    kind, plural, configuration = JOBS[word]
    name = f"{word.replace('_', '-')}-1"

    def job(display):
        return {"name": name, "displayName": display, "configuration": configuration, "schedule": HOURLY}

    def get():
        return getattr(client, f"get_{word}")(project, name).body

    create = getattr(client, f"create_{word}")
    create(project, made(request_of(f"Create{kind}Request"), job("First")))
    got = get()
    assert (got.name, got.display_name) == (name, "First")
    kept = got.configuration.to_map()
    assert {key: kept.get(key) for key in configuration if key not in ("sink", "source")} == {
        key: value for key, value in configuration.items() if key not in ("sink", "source")
    }
    assert code(create, project, made(request_of(f"Create{kind}Request"), job("First"))) == "JobAlreadyExist"
    if hasattr(client, f"update_{word}"):
        update = made(request_of(f"Update{kind}Request"), job("Second"))
        getattr(client, f"update_{word}")(project, name, update)
        assert get().display_name == "Second"
    # Only of exports and transformations does the status say whether they run.
    stopped = ("DISABLED", "ENABLED") if "ingestion" in word else ("STOPPED", "RUNNING")
    for stop, start, states in [("stop", "start", stopped), ("disable", "enable", ("DISABLED", "ENABLED"))]:
        if hasattr(client, f"{stop}_{word}"):
            seen = []
            for action in (stop, start):
                getattr(client, f"{action}_{word}")(project, name)
                state = get()
                seen.append((getattr(state, "status", None) or state.state).upper())
            assert tuple(seen) == states
    listed = getattr(client, f"list_{plural}")(project, request_of(f"List{plural.replace('_', '')}Request")()).body
    assert (listed.total, [one.name for one in listed.results]) == (1, [name])
    # The SDK forgot the one of gcsingestion.
    if hasattr(client, f"delete_{word}"):
        getattr(client, f"delete_{word}")(project, name)
        assert code(getattr(client, f"get_{word}"), project, name) == "JobNotExist"


def test_downloads_are_jobs_that_are_not_changed(client, project, store):
    configuration = {"logstore": store, "query": "*", "fromTime": 1, "toTime": 2, "sink": {"type": "AliyunOSS"}}
    job = {"name": "down", "displayName": "Down", "configuration": {**configuration, "allowInComplete": True}}
    client.create_download_job(project, made(models.CreateDownloadJobRequest, job))
    got = client.get_download_job(project, "down").body
    assert (got.name, got.configuration.query) == ("down", "*")
    assert client.list_download_jobs(project, models.ListDownloadJobsRequest(offset=0, size=10)).body.total == 1
    client.delete_download_job(project, "down")
    assert code(client.get_download_job, project, "down") == "JobNotExist"


def test_processors_of_what_is_written_and_of_what_is_read(client, project):
    for word, kind in [("ingest_processor", "IngestProcessor"), ("consume_processor", "ConsumeProcessor")]:
        fields = {"displayName": "P", "description": "first", "configuration": {"spl": "* | where a = 'b'"}}
        name = word.replace("_", "-")
        getattr(client, f"put_{word}")(project, name, made(getattr(models, f"Put{kind}Request"), fields))
        got = getattr(client, f"get_{word}")(project, name).body
        assert (got.processor_name, got.description, got.configuration.spl) == (name, "first", "* | where a = 'b'")
        listing = getattr(models, f"List{kind}sRequest")()
        listed = getattr(client, f"list_{word}s")(project, listing).body
        assert [one.processor_name for one in listed.processors] == [name]
        getattr(client, f"delete_{word}")(project, name)
        assert getattr(client, f"list_{word}s")(project, listing).body.total == 0


def test_materialized_views(client, project, store):
    view = {
        "name": "view",
        "logstore": store,
        "originalSql": "* | select count(*) as n",
        "aggIntervalMins": 5,
        "startTime": 1,
        "ttl": 7,
        "shardCount": 2,
    }
    client.create_materialized_view(project, made(models.CreateMaterializedViewRequest, view))
    got = client.get_materialized_view(project, "view", models.GetMaterializedViewRequest()).body
    assert (got.logstore, got.original_sql, got.ttl) == (store, view["originalSql"], 7)
    change = models.UpdateMaterializedViewRequest(original_sql="* | select 1 as n", agg_interval_mins=10, ttl=9)
    client.update_materialized_view(project, "view", change)
    got = client.get_materialized_view(project, "view", models.GetMaterializedViewRequest()).body
    assert (got.original_sql, got.ttl) == ("* | select 1 as n", 9)
    listing = models.ListMaterializedViewsRequest(offset=0, size=10)
    assert client.list_materialized_views(project, listing).body.total == 1
    client.delete_materialized_view(project, "view")
    assert client.list_materialized_views(project, listing).body.total == 0


def test_domains_and_transfer_acceleration(client, project):
    client.create_domain(project, models.CreateDomainRequest(domain_name="logs.example.com"))
    assert client.list_domains(project, models.ListDomainsRequest()).body.total == 1
    client.delete_domain(project, "logs.example.com")
    assert client.list_domains(project, models.ListDomainsRequest()).body.total == 0
    client.put_project_transfer_acceleration(project, models.PutProjectTransferAccelerationRequest(enabled=True))


def test_configs_of_agents_and_pipelines(client, project, store):
    fields = {"configType": "profile", "config": "{}", "attributes": {"region": "a"}, "grayConfigs": []}
    client.create_agent_instance_config(made(models.CreateAgentInstanceConfigRequest, fields))
    listing = models.ListAgentInstanceConfigsRequest(config_type="profile")
    assert client.list_agent_instance_configs(listing).body.total == 1
    change = models.UpdateAgentInstanceConfigRequest(config='{"a":1}', attributes={"region": "a"})
    client.update_agent_instance_config("profile", change)
    got = client.get_agent_instance_config("profile", models.GetAgentInstanceConfigRequest()).body
    assert (got.config, got.attributes) == ('{"a":1}', {"region": "a"})
    client.delete_agent_instance_config("profile", models.DeleteAgentInstanceConfigRequest())
    assert client.list_agent_instance_configs(listing).body.total == 0

    pipeline = {
        "configName": "pipe",
        "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/a"]}],
        "flushers": [{"Type": "flusher_sls", "Logstore": store}],
    }
    client.create_logtail_pipeline_config(project, made(models.CreateLogtailPipelineConfigRequest, pipeline))
    got = client.get_logtail_pipeline_config(project, "pipe").body
    assert (got.config_name, got.inputs[0]["FilePaths"]) == ("pipe", ["/var/log/a"])
    listing = models.ListLogtailPipelineConfigRequest()
    assert client.list_logtail_pipeline_config(project, listing).body.configs == ["pipe"]
    client.delete_logtail_pipeline_config(project, "pipe")
    assert code(client.get_logtail_pipeline_config, project, "pipe") == "ConfigNotExist"


def test_searches_dashboards_and_views(client, project, store):
    search = {"savedsearchName": "errors", "displayName": "E", "logstore": store, "searchQuery": "a", "topic": ""}
    client.create_saved_search(project, made(models.CreateSavedSearchRequest, search))
    assert client.get_saved_search(project, "errors").body.search_query == "a"
    listing = models.ListSavedSearchRequest(offset=0, size=10)
    assert client.list_saved_search(project, listing).body.total == 1
    client.delete_saved_search(project, "errors")

    chart = {"title": "t", "type": "pie", "search": {}, "display": {}}
    board = {"dashboardName": "board", "displayName": "B", "charts": [chart], "attribute": {}}
    client.create_dashboard(project, models.CreateDashboardRequest(body=made(models.Dashboard, board)))
    got = client.get_dashboard(project, "board").body
    assert (got.display_name, got.charts[0].title) == ("B", "t")
    assert client.list_dashboard(project, models.ListDashboardRequest()).body.dashboards == ["board"]
    client.delete_dashboard(project, "board")

    view = {"name": "view", "storeType": "logstore", "stores": [{"project": project, "storeName": store}]}
    client.create_store_view(project, made(models.CreateStoreViewRequest, view))
    assert client.get_store_view(project, "view").body.stores[0].store_name == store
    assert client.get_store_view_index(project, "view").body.indexes[0].logstore == store
    client.delete_store_view(project, "view")


def test_settings_of_stores_and_projects(client, project, store):
    body = models.UpdateLogStoreMeteringModeRequest(metering_mode="ChargeByDataIngest")
    client.update_log_store_metering_mode(project, store, body)
    assert client.get_log_store_metering_mode(project, store).body.metering_mode == "ChargeByDataIngest"
    key = models.UpdateLogStoreEncryptionRequest(enable=True, encrypt_type="default")
    client.update_log_store_encryption(project, store, key)
    processor = models.UpdateLogStoreProcessorRequest(processor_name="p")
    client.update_log_store_processor(project, store, processor)
    headers = models.PutLogStoreConfigRequest(client_ip_headers=["x-real-ip"])
    client.put_log_store_config(project, store, headers)
    assert client.get_log_store_config(project, store).body.client_ip_headers == ["x-real-ip"]
    client.create_metric_store(project, models.CreateMetricStoreRequest(name="metrics", shard_count=1, ttl=7))
    processor = models.UpdateMetricStoreProcessorRequest(processor_name="p")
    client.update_metric_store_processor(project, "metrics", processor)
    assert client.get_metric_store(project, "metrics").body.ttl == 7
    assert client.list_metric_stores(project, models.ListMetricStoresRequest()).body.metricstores == ["metrics"]
    client.delete_metric_store(project, "metrics")
    client.create_sql_instance(project, models.CreateSqlInstanceRequest(cu=2, use_as_default=True))
    details = [models.CreateLoggingRequestLoggingDetails(logstore=store, type="operation_log")]
    client.create_logging(project, models.CreateLoggingRequest(logging_details=details, logging_project=project))
    got = client.get_logging(project).body
    assert (got.logging_project, got.logging_details[0].type) == (project, "operation_log")
    client.delete_logging(project)
    assert code(client.get_logging, project) == "LoggingNotExist"
    client.put_project_policy(project, models.PutProjectPolicyRequest(body='{"Version":"1","Statement":[]}'))
    client.delete_project_policy(project)


def test_collection_policies_of_the_account(client):
    policy = {
        "policyName": "oss-access",
        "productCode": "oss",
        "dataCode": "access_log",
        "enabled": True,
        "policyConfig": {"resourceMode": "all"},
        "centralizeEnabled": False,
    }
    client.upsert_collection_policy(made(models.UpsertCollectionPolicyRequest, policy))
    listed = client.list_collection_policies(models.ListCollectionPoliciesRequest(product_code="oss")).body
    assert [one.policy_name for one in listed.data] == ["oss-access"]
    wanted = models.GetCollectionPolicyRequest(product_code="oss", data_code="access_log")
    got = client.get_collection_policy("oss-access", wanted).body.collection_policy
    assert (got.enabled, got.policy_config.resource_mode) == (True, "all")
    removal = models.DeleteCollectionPolicyRequest(product_code="oss", data_code="access_log")
    client.delete_collection_policy("oss-access", removal)
    listing = models.ListCollectionPoliciesRequest()
    assert client.list_collection_policies(listing).body.total_count == 0
