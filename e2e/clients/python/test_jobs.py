"""The Python SDK: jobs. The emulator runs none, so what is asserted is what is kept of them."""

import json
import time

from aliyun.log.job import Export, ExportConfiguration, JobSchedule
from aliyun.log.oss_sink import AliyunOSSSink
from aliyun.log.scheduled_sql import ScheduledSQL, ScheduledSQLConfiguration

from conftest import code

HOURLY = {"type": "FixedRate", "interval": "1h"}


def test_alerts_are_switched_on_and_off(client, project, store):
    query = {"chartTitle": "c", "logStore": store, "query": "* | select count(*) as n", "start": "-60s", "end": "now"}
    alert = {
        "name": "many",
        "displayName": "Many",
        "type": "Alert",
        "state": "Enabled",
        "schedule": HOURLY,
        "configuration": {"condition": "n > 1", "dashboard": "d", "queryList": [query], "notificationList": []},
    }
    client.create_alert(project, alert)
    got = client.get_alert(project, "many").get_entity()
    assert (got["configuration"]["condition"], got["schedule"]["interval"]) == ("n > 1", "1h")
    assert got["state"] == "Enabled"
    client.disable_alert(project, "many")
    assert client.get_alert(project, "many").get_entity()["state"] == "Disabled"
    client.enable_alert(project, "many")
    assert client.get_alert(project, "many").get_entity()["state"] == "Enabled"
    client.update_alert(project, {**alert, "displayName": "More"})
    assert client.get_alert(project, "many").get_entity()["displayName"] == "More"
    assert [one["name"] for one in client.list_alert(project).get_entities()] == ["many"]
    assert code(client.create_alert, project, alert) == "JobAlreadyExist"
    client.delete_alert(project, "many")
    assert code(client.get_alert, project, "many") == "JobNotExist"


def test_transformations_are_started_and_stopped(client, project, store):
    configuration = {"logstore": store, "script": 'e_set("a", "b")', "version": 2, "sinks": [], "parameters": {}}
    schedule = {"type": "Resident"}
    client.create_etl(project, "clean", configuration, schedule, "Clean", "first")
    got = client.get_etl(project, "clean").get_body()
    assert (got["type"], got["displayName"], got["configuration"]["script"]) == ("ETL", "Clean", 'e_set("a", "b")')
    client.update_etl(project, "clean", {**configuration, "script": "e_drop()"}, schedule, "Clean", "second")
    got = client.get_etl(project, "clean").get_body()
    assert (got["description"], got["configuration"]["script"]) == ("second", "e_drop()")
    client.stop_etl(project, "clean")
    stopped = client.get_etl(project, "clean").get_body()["status"]
    client.start_etl(project, "clean")
    started = client.get_etl(project, "clean").get_body()["status"]
    assert (stopped, started) == ("STOPPED", "RUNNING")
    listed = client.list_etls(project).get_body()
    assert ([one["name"] for one in listed["results"]], listed["total"]) == (["clean"], 1)
    client.delete_etl(project, "clean")
    assert code(client.get_etl, project, "clean") == "JobNotExist"


def scheduled(store, script):
    schedule = JobSchedule()
    schedule.setType("FixedRate")
    schedule.setInterval("60s")
    configuration = ScheduledSQLConfiguration()
    configuration.setSourceLogstore(store)
    configuration.setDestLogstore("sums")
    configuration.setScript(script)
    configuration.setFromTime(int(time.time()))
    job = ScheduledSQL()
    job.setName("sum")
    job.setDisplayName("Sum")
    job.setDescription("")
    job.setSchedule(schedule)
    job.setConfiguration(configuration)
    return job


def test_scheduled_sql_has_a_list_of_runs(client, project, store):
    client.create_scheduled_sql(project, scheduled(store, "* | select 1 as a"))
    got = client.get_scheduled_sql(project, "sum").get_scheduled_sql()
    assert got["configuration"]["script"] == "* | select 1 as a"
    client.update_scheduled_sql(project, scheduled(store, "* | select 2 as a"))
    got = client.get_scheduled_sql(project, "sum").get_scheduled_sql()
    assert got["configuration"]["script"] == "* | select 2 as a"
    listed = client.list_scheduled_sql(project)
    assert (listed.get_total(), listed.get_count()) == (1, 1)
    hour = int(time.time()) // 3600 * 3600
    runs = client.list_scheduled_sql_job_instance(project, "sum", hour - 3600, hour)
    assert (runs.get_total(), runs.get_count()) == (0, 0)
    assert code(client.get_scheduled_sql_job_instance, project, "sum", "run-1") == "JobInstanceNotExist"
    retry = client.modify_scheduled_sql_job_instance_state
    assert code(retry, project, "sum", "run-1", "RUNNING") == "JobInstanceNotExist"
    client.delete_scheduled_sql(project, "sum")
    assert code(client.get_scheduled_sql, project, "sum") == "JobNotExist"


def test_ingestions_are_started_stopped_and_restarted(client, project, store):
    def ingestion(prefix):
        source = {"type": "AliyunOSS", "bucket": "b", "endpoint": "oss.test", "prefix": prefix, "format": {"type": "Line"}}
        configuration = {"version": "v2.0", "logstore": store, "source": source}
        job = {"name": "read", "displayName": "Read", "type": "Ingestion", "configuration": configuration}
        return json.dumps({**job, "schedule": {"type": "Resident", "runImmediately": True}})

    def status():
        return client.get_ingestion(project, "read").ingestion_config["status"]

    client.create_ingestion(project, ingestion("one/"))
    client.update_ingestion(project, "read", ingestion("two/"))
    got = client.get_ingestion(project, "read").ingestion_config
    assert got["configuration"]["source"]["prefix"] == "two/"
    client.stop_ingestion(project, "read")
    assert status() == "DISABLED"
    client.start_ingestion(project, "read")
    assert status() == "ENABLED"
    client.restart_ingestion(project, "read", ingestion("three/"))
    got = client.get_ingestion(project, "read").ingestion_config
    assert got["configuration"]["source"]["prefix"] == "three/"
    assert client.list_ingestion(project, store).get_total() == 1
    client.delete_ingestion(project, "read")
    assert code(client.get_ingestion, project, "read") == "JobNotExist"


def test_exports_to_object_storage(client, project, store):
    def export(bucket):
        sink = AliyunOSSSink("arn", bucket, "p", ".gz", "%Y", "time", 256, 300, "+0800", "json", "gzip", {})
        configuration = ExportConfiguration()
        configuration.setLogstore(store)
        configuration.setRoleArn("arn")
        configuration.setSink(sink)
        configuration.setFromTime(1)
        configuration.setToTime(0)
        schedule = JobSchedule()
        schedule.setType("Resident")
        schedule.setRunImmediately(True)
        job = Export()
        job.setName("copy")
        job.setDisplayName("Copy")
        job.setConfiguration(configuration)
        job.setSchedule(schedule)
        return job

    client.create_export(project, export("one"))
    got = client.get_export(project, "copy").get_export()
    assert (got["type"], got["configuration"]["sink"]["bucket"]) == ("Export", "one")
    changed = {**got, "configuration": {**got["configuration"], "sink": {"type": "AliyunOSS", "bucket": "two"}}}
    client.update_export(project, "copy", json.dumps(changed))
    assert client.get_export(project, "copy").get_export()["configuration"]["sink"]["bucket"] == "two"
    assert client.list_export(project).get_total() == 1
    assert client.list_logstore_export(project, store).get_total() == 1
    assert client.list_logstore_export(project, "other").get_total() == 0
    client.delete_export(project, "copy")
    assert code(client.get_export, project, "copy") == "JobNotExist"


def test_an_index_is_built_anew_by_a_job(client, project, store):
    client.create_rebuild_index(project, store, "anew", "Anew", 1_700_000_000, 1_700_003_600)
    got = client.get_rebuild_index(project, "anew").get_body()
    assert (got["type"], got["configuration"]["logstore"], got["configuration"]["fromTime"]) == (
        "RebuildIndex",
        store,
        1_700_000_000,
    )
