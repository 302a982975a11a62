"""The Python SDK: logs written, found, counted, analysed, seen in context and pulled."""

import time

import pytest
from aliyun.log import (
    GetHistogramsRequest,
    GetLogsRequest,
    GetProjectLogsRequest,
    ListTopicsRequest,
    LogItem,
    PutLogsRequest,
)

from conftest import STORE, code, put, rows, window


@pytest.mark.parametrize("compress, kind", [(False, None), (True, "lz4"), (True, "zstd")])
def test_a_written_log_is_found_with_its_fields(client, project, store, compress, kind):
    log = {"method": "GET", "status": "404", "path": "/中 文"}
    put(client, project, log, compress=compress, compress_type=kind)
    [row] = rows(client, project, "method: GET and status = 404")
    assert (row["method"], row["status"], row["path"]) == ("GET", "404", "/中 文")
    assert (row["__topic__"], row["__tag__:pod"]) == ("topic-a", "web-0")
    start, end = window()
    [found] = client.get_log(project, store, start, end, topic="topic-a").get_logs()
    assert found.get_source() == "10.0.0.9"
    assert abs(found.get_time() - time.time()) < 600
    assert rows(client, project, "method: POST") == []
    assert rows(client, project, "*", topic="topic-b") == []


def test_pages_go_in_both_directions(client, project, store):
    now = int(time.time())
    items = [LogItem(now - n, contents=[("n", str(n))]) for n in range(5)]
    client.put_logs(PutLogsRequest(project, store, "", "", items))
    assert [row["n"] for row in rows(client, project, "*", size=2)] == ["4", "3"]
    assert [row["n"] for row in rows(client, project, "*", size=2, offset=2, reverse=True)] == ["2", "3"]
    start, end = window()
    paged = client.get_log_all(project, store, start, end, query="*")
    assert sum(page.get_count() for page in paged) == 5


def test_sql_analyses_what_was_written(client, project, store):
    for method, status, cost in [("GET", "200", "0.5"), ("GET", "404", "1.5"), ("PUT", "200", "4")]:
        put(client, project, {"method": method, "status": status, "cost": cost})
    query = "* | select method, count(*) as n, avg(cost) as c from log group by method order by n desc"
    answer = rows(client, project, query)
    assert [(row["method"], row["n"], row["c"]) for row in answer] == [("GET", "2", "1.0"), ("PUT", "1", "4.0")]
    start, end = window()
    sql = client.execute_logstore_sql(project, store, start, end, "* | select max(status) as m", False)
    assert sql.get_logs()[0].get_contents()["m"] == "404"
    assert sql.get_processed_rows() == 3
    request = GetLogsRequest(project, store, start, end, "", query="status > 300 | select count(1) as n")
    assert client.get_logs(request).get_logs()[0].get_contents()["n"] == "1"
    assert code(client.get_log, project, store, start, end, query="* | select nothing from log") == "ParameterInvalid"


def test_sql_on_the_project_names_its_logstore(client, project, store):
    put(client, project, {"method": "GET"}, {"method": "PUT"})
    sql = f"select count(*) as n from {store} where __time__ > {int(time.time()) - 600}"
    found = client.get_project_logs(GetProjectLogsRequest(project, sql))
    assert found.get_logs()[0].get_contents()["n"] == "2"
    assert client.execute_project_sql(project, sql, True).get_logs()[0].get_contents()["n"] == "2"
    assert code(client.execute_project_sql, project, "select 1 as a from missing", True) == "LogStoreNotExist"


def test_a_histogram_counts_every_log(client, project, store):
    put(client, project, {"method": "GET"}, {"method": "GET"}, {"method": "PUT"})
    start, end = window()
    histogram = client.get_histograms(GetHistogramsRequest(project, store, start, end, "", "GET"))
    assert histogram.is_completed()
    assert histogram.get_total_count() == sum(part.get_count() for part in histogram.get_histograms()) == 2
    assert histogram.get_histograms()[0].get_from() == start
    assert histogram.get_histograms()[-1].get_to() == end
    assert code(client.get_histograms, GetHistogramsRequest(project, store, end, start)) == "InvalidTimeRange"


def test_a_log_is_seen_in_its_context(client, project, store):
    for part in range(3):
        logs = [{"n": f"{part}{n}"} for n in range(2)]
        put(client, project, *logs, tags=[("__pack_id__", f"5F2E7B1C9A3D4E60-{part}")])
    put(client, project, {"n": "99"}, tags=[("__pack_id__", "0000000000000000-0")])
    [row] = rows(client, project, "10 | with_pack_meta")
    pack = row["__tag__:__pack_id__"], row["__pack_meta__"]
    context = client.get_context_logs(project, store, *pack, 2, 30)
    assert context.is_completed()
    assert (context.get_total_lines(), context.get_back_lines(), context.get_forward_lines()) == (6, 2, 3)
    logs = [log.get_contents() for log in context.get_logs()]
    assert [log["n"] for log in logs] == ["00", "01", "10", "11", "20", "21"]
    assert [log["__index_number__"] for log in logs] == ["-2", "-1", "0", "1", "2", "3"]
    assert code(client.get_context_logs, project, store, pack[0], "no meta", 2, 2) == "InvalidParameter"


def test_topics_are_listed(client, project, store):
    for topic in ["b", "a", "b", "c"]:
        put(client, project, {"n": "1"}, topic=topic)
    first = client.list_topics(ListTopicsRequest(project, store, line=2))
    assert (int(first.get_count()), first.get_topics()) == (2, ["a", "b"])
    rest = client.list_topics(ListTopicsRequest(project, store, token=first.get_next_token(), line=2))
    assert (rest.get_topics(), rest.get_next_token() or "") == (["c"], "")


def pulled(client, project, shard, **settings):
    cursor = client.get_begin_cursor(project, STORE, shard).get_cursor()
    return client.pull_logs(project, STORE, shard, cursor, 100, **settings).get_flatten_logs_json()


@pytest.mark.parametrize("settings", [{"compress": False}, {"compress": True}, {"accept_compress_type": "zstd"}])
def test_written_logs_are_pulled_from_their_shards(client, project, store, settings):
    for n in range(4):
        put(client, project, {"n": str(n)})
    put(client, project, {"n": "keyed"}, hashKey="f" * 32)
    by_shard = {n: pulled(client, project, n, **settings) for n in (0, 1)}
    logs = by_shard[0] + by_shard[1]
    assert sorted(log["n"] for log in logs) == ["0", "1", "2", "3", "keyed"]
    assert {(log["__topic__"], log["__source__"], log["__tag__:pod"]) for log in logs} == {
        ("topic-a", "10.0.0.9", "web-0")
    }
    assert "keyed" in {log["n"] for log in by_shard[1]}, "the key is in the range of the second shard"
    only = pulled(client, project, 1, query="keyed")
    assert [log["n"] for log in only] == ["keyed"]


def test_cursors_have_times_and_ends(client, project, store):
    began = int(time.time())
    put(client, project, {"n": "1"}, hashKey="0" * 32)
    begin = client.get_begin_cursor(project, store, 0).get_cursor()
    end = client.get_end_cursor(project, store, 0).get_cursor()
    assert begin != end
    assert client.get_cursor(project, store, 0, began - 60).get_cursor() == begin
    received = client.get_cursor_time(project, store, 0, begin).get_cursor_time()
    assert began <= received <= int(time.time())
    assert client.get_previous_cursor_time(project, store, 0, end).get_cursor_time() == received
    pull = client.pull_logs(project, store, 0, begin, 1)
    assert (pull.get_next_cursor(), pull.get_log_count()) == (end, 1)
    assert client.pull_logs(project, store, 0, end, 1).get_log_count() == 0
    assert client.pull_logs(project, store, 0, begin, 10, end_cursor=begin).get_log_count() == 0
    assert code(client.pull_logs, project, store, 0, "no cursor") == "ParameterInvalid"
    assert code(client.get_cursor, project, store, 7, "begin") == "ShardNotExist"
    between = client.pull_log(project, store, 0, began - 60, int(time.time()) + 60)
    assert sum(part.get_log_count() for part in between) == 1


def test_what_cannot_be_a_log_is_refused(client, project, store):
    def write(items, **settings):
        return code(client.put_logs, PutLogsRequest(project, store, "", "", items, **settings))

    now = int(time.time())
    assert write([LogItem(now, contents=[("k" * 129, "v")])]) == "InvalidKey"
    assert write([LogItem(now, contents=[("k", "v")])], hashKey="no key") == "ParameterInvalid"
    missing = PutLogsRequest(project, "missing", "", "", [LogItem(now, contents=[("k", "v")])])
    assert code(client.put_logs, missing) == "LogStoreNotExist"


def test_a_consumer_group_hands_out_shards_and_keeps_checkpoints(client, project, store):
    client.create_consumer_group(project, store, "readers", 30, in_order=True)
    [group] = client.list_consumer_group(project, store).get_consumer_groups()
    assert (group.get_consumer_group_name(), group.get_timeout(), group.is_in_order()) == ("readers", 30, True)
    client.update_consumer_group(project, store, "readers", timeout=60, in_order=False)
    [group] = client.list_consumer_group(project, store).get_consumer_groups()
    assert (group.get_timeout(), group.is_in_order()) == (60, False)
    assert client.heart_beat(project, store, "readers", "one", []).get_shards() == [0, 1]
    put(client, project, {"n": "1"}, hashKey="0" * 32)
    cursor = client.get_end_cursor(project, store, 0).get_cursor()
    client.update_check_point(project, store, "readers", 0, cursor, "one", False)
    kept = client.get_check_point(project, store, "readers").get_consumer_group_check_points()
    assert [(one["shard"], one["checkpoint"], one["consumer"]) for one in kept] == [(0, cursor, "one"), (1, "", "")]
    [fixed] = client.get_check_point_fixed(project, store, "readers", 0).get_consumer_group_check_points()
    assert fixed["checkpoint"] == cursor
    assert code(client.create_consumer_group, project, store, "readers", 30) == "ConsumerGroupAlreadyExist"
    client.delete_consumer_group(project, store, "readers")
    assert code(client.get_check_point, project, store, "readers") == "ConsumerGroupNotExist"
