//! Snapshot, restore, reset; quotas; that nothing stays behind.

use std::sync::Arc;

use expect_test::expect;
use http::Request;
use mock_sls::quotas::Quotas;
use mock_sls::{Config, Data};
use rusqlite::Connection;
use sls_api::ops::logstores::{GetLogStore, ListLogStore, ListLogStoreQuery};
use sls_api::ops::projects::{DeleteProject, ListProject, ListProjectQuery};
use sls_api::{NoPath, NoQuery};

use super::bed::{Bed, logstore};
use super::raw::{self, Answer};
use super::transcript;

async fn names(bed: &Bed) -> Vec<String> {
    let list = bed.send::<ListLogStore>(&NoPath {}, &ListLogStoreQuery::default(), &()).await.unwrap();
    list.0.logstores.iter().map(ToString::to_string).collect()
}

async fn post(bed: &Bed, target: &str) -> Answer {
    let request = Request::post(target).header("host", "127.0.0.1").body(Vec::new()).unwrap();
    raw::send(bed.server.addr(), request).await
}

#[tokio::test]
async fn a_snapshot_brings_back_what_was_there_and_nothing_else() {
    let bed = Bed::with_logstore().await;
    bed.server.snapshot("before").await.unwrap();
    bed.create_logstore("later", 1).await;
    bed.server.restore("before").await.unwrap();
    assert_eq!(names(&bed).await, ["ls"]);
    // The copy is still there, and the database can be written as before.
    bed.create_logstore("again", 1).await;
    bed.server.restore("before").await.unwrap();
    assert_eq!(names(&bed).await, ["ls"]);
}

#[tokio::test]
async fn the_same_works_over_http() {
    let bed = Bed::with_logstore().await;
    assert_eq!(post(&bed, "/_mock/v1/snapshot").await.text(), r#"{"ok":true}"#);
    bed.create_logstore("later", 1).await;
    assert_eq!(post(&bed, "/_mock/v1/restore").await.text(), r#"{"ok":true}"#);
    assert_eq!(names(&bed).await, ["ls"]);
    let list = Request::get("/_mock/v1/snapshots").header("host", "127.0.0.1").body(Vec::new()).unwrap();
    assert_eq!(raw::send(bed.server.addr(), list).await.text(), r#"{"snapshots":["default"]}"#);
    let missing = post(&bed, "/_mock/v1/restore?name=other").await;
    expect![[r#"404 {"ok":false,"error":"There is no snapshot other; there are: [\"default\"]"}"#]]
        .assert_eq(&format!("{} {}", missing.status.as_u16(), missing.text()));
    let bad = post(&bed, "/_mock/v1/snapshot?name=../x").await;
    assert_eq!(bad.status.as_u16(), 400, "{}", bad.text());
    assert!(bad.text().contains("snapshot name"), "{}", bad.text());
}

#[tokio::test]
async fn a_snapshot_of_a_newer_program_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::bare(Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() }).await;
    bed.server.snapshot("newer").await.unwrap();
    let file = Connection::open(folder.path().join("snapshots/newer.sqlite")).unwrap();
    file.pragma_update(None, "user_version", 1_000).unwrap();
    drop(file);
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    let refused = post(&bed, "/_mock/v1/restore?name=newer").await;
    assert_eq!(refused.status.as_u16(), 400, "{}", refused.text());
    assert!(refused.text().contains("schema version 1000"), "{}", refused.text());
    assert_eq!(names(&bed).await, ["ls"]);
    bed.create_logstore("later", 1).await;
}

#[tokio::test]
async fn a_reset_leaves_an_empty_server_or_an_empty_project() {
    let bed = Bed::with_logstore().await;
    assert_eq!(post(&bed, "/_mock/v1/reset?project=proj-a").await.status, 200);
    assert_eq!(names(&bed).await, Vec::<String>::new());
    let missing = post(&bed, "/_mock/v1/reset?project=proj-x").await;
    assert_eq!(missing.status.as_u16(), 404, "{}", missing.text());
    for misspelt in ["reset?projectName=proj-a", "snapshot?project=proj-a", "restore?snapshot=x"] {
        let refused = post(&bed, &format!("/_mock/v1/{misspelt}")).await;
        assert_eq!(refused.status.as_u16(), 400, "{misspelt}: {}", refused.text());
    }
    let list = bed.client.send::<ListProject>(None, &NoPath {}, &ListProjectQuery::default(), &()).await;
    assert_eq!(list.unwrap().0.total, 1);
    assert_eq!(post(&bed, "/_mock/v1/reset").await.status, 200);
    let list = bed.client.send::<ListProject>(None, &NoPath {}, &ListProjectQuery::default(), &()).await;
    assert_eq!(list.unwrap().0.total, 0);
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    bed.server.reset_project(&bed.project).await.unwrap();
    bed.server.reset().await.unwrap();
}

#[tokio::test]
async fn writes_go_on_while_the_state_is_kept_and_brought_back() {
    let bed = Arc::new(Bed::with_logstore().await);
    bed.server.snapshot("start").await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let bed = Arc::clone(&bed);
            tokio::spawn(async move {
                for number in 0..5 {
                    bed.create_logstore(&format!("w{writer}-{number}"), 1).await;
                    bed.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
                }
            })
        })
        .collect();
    for _ in 0..5 {
        bed.server.snapshot("middle").await.unwrap();
        bed.server.restore("start").await.unwrap();
    }
    for writer in writers {
        writer.await.unwrap();
    }
    bed.server.restore("start").await.unwrap();
    assert_eq!(names(&bed).await, ["ls"]);
}

#[tokio::test]
async fn quotas_are_those_of_the_config_and_a_refusal_changes_nothing() {
    let quotas = Quotas {
        projects: 2,
        logstores: 1,
        machine_groups: 0,
        logtail_configs: 0,
        dashboards: 0,
        saved_searches: 0,
        alerts: 1,
        documents: 2,
    };
    let config = Config { auth: mock_sls::Auth::Off, quotas, ..Config::default() };
    let bed = Bed::bare(config).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    for (line, ok) in [
        (r#"POST /logstores {"logstoreName":"more","ttl":1,"shardCount":1}"#, false),
        (r#"POST /metricstores {"name":"more","ttl":1,"shardCount":1}"#, false),
        (r#"POST /machinegroups {"groupName":"mg","machineList":[]}"#, false),
        (
            r#"POST /configs {"configName":"cf","inputType":"file","inputDetail":{},"outputType":"LogService","outputDetail":{"logstoreName":"ls"}}"#,
            false,
        ),
        (r#"POST /dashboards {"dashboardName":"board"}"#, false),
        (r#"POST /savedsearches {"savedsearchName":"find","logstore":"ls","searchQuery":""}"#, false),
        (r#"POST /jobs {"name":"a1","type":"Alert","configuration":{}}"#, true),
        (r#"POST /jobs {"name":"a2","type":"Alert","configuration":{}}"#, false),
        (r#"POST /jobs {"name":"e1","type":"ETL","configuration":{}}"#, true),
        (r#"POST /jobs {"name":"e2","type":"ETL","configuration":{}}"#, false),
        (r#"account POST / {"projectName":"proj-b","description":""}"#, true),
        (r#"account POST / {"projectName":"proj-c","description":""}"#, false),
    ] {
        let (_, answer) = transcript::send(&bed, line).await;
        assert_eq!(answer.status == 200, ok, "{line}: {}", answer.text());
        if !ok {
            let code = answer.error_code();
            assert!(["ProjectQuotaExceed", "ExceedQuota"].contains(&code.as_str()), "{line}: {code}");
        }
    }
    assert_eq!(names(&bed).await, ["ls"]);
}

/// Rows of every table.
fn rows(folder: &std::path::Path) -> Vec<(String, i64)> {
    let db = Connection::open(folder.join("mock-sls.sqlite")).unwrap();
    let mut query = db
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        )
        .unwrap();
    let tables: Vec<String> = query.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count = |table: &String| {
        db.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0)).unwrap()
    };
    tables.iter().map(|table| (table.clone(), count(table))).collect()
}

#[tokio::test]
async fn nothing_stays_behind_when_a_logstore_or_a_project_goes() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        Config { auth: mock_sls::Auth::Off, data: Data::Dir(folder.path().to_owned()), ..Config::default() };
    let bed = Bed::bare(config).await;
    let made = [
        r#"POST /logstores {"logstoreName":"ls","ttl":1,"shardCount":2}"#,
        r#"POST /logstores/ls/index {"line":{"token":[" "]}}"#,
        r#"POST /logstores/ls/shipper {"shipperName":"s1","targetType":"oss","targetConfiguration":{}}"#,
        r#"PUT /logstores/ls/meteringmode {"meteringMode":"ChargeByFunction"}"#,
        r#"POST /tag {"resourceType":"logstore","resourceId":["proj-a#ls"],"tags":[{"key":"a","value":"b"}]}"#,
    ];
    let around = [
        r#"POST /dashboards {"dashboardName":"board"}"#,
        r#"POST /jobs {"name":"a1","type":"Alert","configuration":{}}"#,
        r#"POST /policy {}"#,
        r#"POST /machinegroups {"groupName":"mg","machineIdentifyType":"userdefined","machineList":["x"]}"#,
        r#"POST /configs {"configName":"cf","inputType":"file","inputDetail":{},"outputType":"LogService","outputDetail":{"logstoreName":"ls"}}"#,
        r#"PUT /machinegroups/mg/configs/cf"#,
        r#"POST /tag {"resourceType":"dashboard","resourceId":["proj-a#board"],"tags":[{"key":"a","value":"b"}]}"#,
        r#"POST /tag {"resourceType":"alert","resourceId":["proj-a#a1"],"tags":[{"key":"a","value":"b"}]}"#,
        r#"POST /tag {"resourceType":"machinegroup","resourceId":["proj-a#mg"],"tags":[{"key":"a","value":"b"}]}"#,
        r#"POST /tag {"resourceType":"project","resourceId":["proj-a"],"tags":[{"key":"a","value":"b"}]}"#,
    ];
    let all_200 = async |lines: &[&str]| {
        for line in lines {
            let (_, answer) = transcript::send(&bed, line).await;
            assert_eq!(answer.status, 200, "{line}: {}", answer.text());
        }
    };
    let empty = rows(folder.path());
    bed.create_project().await;
    all_200(&around).await;
    let without_logstore = rows(folder.path());
    all_200(&made).await;
    all_200(&["DELETE /logstores/ls"]).await;
    assert_eq!(rows(folder.path()), without_logstore);
    all_200(&["DELETE /jobs/a1", "DELETE /dashboards/board", "DELETE /machinegroups/mg"]).await;
    let tags = |rows: Vec<(String, i64)>| rows.into_iter().find(|(table, _)| table == "tags").unwrap().1;
    assert_eq!(tags(rows(folder.path())), 1, "only the project's own tag");
    all_200(&made).await;
    bed.send::<DeleteProject>(&NoPath {}, &NoQuery {}, &()).await.unwrap();
    assert_eq!(rows(folder.path()), empty);
}
