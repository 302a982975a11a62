//! The pages of the test bed.

use http::StatusCode;
use mock_sls::Running;
use serde_json::{Value, json};
use sls_api::codec::Compression;
use sls_api::log_group::{Content, Log, LogGroup, LogTag};
use sls_api::names::ProjectName;
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::CreateIndex;
use sls_api::ops::logs::{CompressedLogs, PutLogs};
use sls_api::ops::logstores::{CreateLogStore, DeleteLogStore, LogstoreSettings};
use sls_api::ops::projects::{CreateProject, NewProject};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig};

use super::bed::{Visitor, between, start};

/// A client of the API with the project `demo` and its Logstore `access`, as other programs are.
struct Api {
    client: Client,
    project: ProjectName,
}

impl Api {
    async fn of(server: &Running) -> Self {
        let key = AccessKey::new(mock_sls::DEFAULT_ACCESS_KEY_ID, mock_sls::DEFAULT_ACCESS_KEY_SECRET);
        let client = Client::new(ClientConfig::new(server.endpoint().parse().unwrap(), key)).unwrap();
        let api = Self { client, project: "demo".parse().unwrap() };
        let project = Some(&api.project);
        let new = Json(NewProject::new(api.project.clone(), ""));
        api.client.send::<CreateProject>(project, &NoPath {}, &NoQuery {}, &new).await.unwrap();
        let settings = Json(LogstoreSettings::new("access".parse().unwrap(), 30, 1));
        api.client.send::<CreateLogStore>(project, &NoPath {}, &NoQuery {}, &settings).await.unwrap();
        let index = serde_json::from_value(json!({"line": {"token": [" ", "=", "&", "?"]}})).unwrap();
        api.client.send::<CreateIndex>(project, &access(), &NoQuery {}, &Json(index)).await.unwrap();
        api
    }

    /// Writes logs with one field.
    async fn put(&self, values: &[&str]) -> Result<(), sls_client::ClientError> {
        let log = |value: &&str| Log {
            time: u32::try_from(jiff::Timestamp::now().as_second()).unwrap(),
            contents: vec![Content::new("content", value.as_bytes().to_vec())],
            time_ns: None,
        };
        let group = LogGroup {
            logs: values.iter().map(log).collect(),
            topic: Some("nginx".to_owned()),
            log_tags: vec![LogTag { key: "_pod_name_".to_owned(), value: "pod-1".to_owned() }],
            ..LogGroup::default()
        };
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        self.client.send::<PutLogs>(Some(&self.project), &access(), &NoQuery {}, &body).await.map(|_| ())
    }
}

fn access() -> InLogstore {
    InLogstore { logstore: "access".parse().unwrap() }
}

#[tokio::test]
async fn the_journal_tells_requests_of_clients_and_none_of_the_console() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    api.put(&["a"]).await.unwrap();
    let page = visitor.get("/testbed/journal").await;
    page.has(&["4 requests", "CreateProject", "CreateIndex", "PutLogs", "/projects/demo/logstores/access"]);
    page.lacks(&[">ListProject<"]);
    for (filter, count) in [
        ("operation=PutLogs", 1),
        ("operation=write,CreateProject", 2),
        ("project=demo", 4),
        ("project=other", 0),
        ("logstore=access", 2),
        ("status=2xx", 4),
        ("status=failed", 0),
        ("client=127.0.0.1", 4),
        ("client=10.0.0.1", 0),
        ("fault=*", 0),
        ("from=2020-01-01T00:00", 4),
        ("to=2020-01-01T00:00:00", 0),
        ("limit=2", 2),
        ("error_code=WriteQuotaExceed", 0),
    ] {
        let page = visitor.get(&format!("/testbed/journal?{filter}")).await;
        assert_eq!(page.status, StatusCode::OK, "{filter}");
        let told = if count == 0 { "No such request".to_owned() } else { format!("{count} requests") };
        assert!(page.body.contains(&told), "{filter}: no {told:?}");
    }
    for wrong in ["operation=PutLog", "status=many", "client=me", "limit=0", "limit=x", "from=noon", "to=1"] {
        let refused = visitor.get(&format!("/testbed/journal?{wrong}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
    visitor.does("/testbed/journal/clear", &[]).await.has(&["No such request", "The journal is empty."]);
}

#[tokio::test]
async fn the_body_of_a_request_is_decoded() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    api.put(&["<script>alert(1)</script>\u{202e}\0", &"x".repeat(1 << 16)]).await.unwrap();
    let write = visitor.get("/testbed/journal/4").await;
    write.has(&[
        "PutLogs · 4",
        "__tag__:_pod_name_",
        "pod-1",
        "nginx",
        "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩␀",
        "more characters",
        "/projects/demo/logstores/access?q=*&amp;zoom=",
    ]);
    write.lacks(&["<script>alert", "\u{202e}", "\0"]);
    visitor.get("/testbed/journal/3").await.has(&["CreateIndex", "&quot;line&quot;: {\n"]);
    for (path, status) in [
        ("/testbed/journal/5", StatusCode::NOT_FOUND),
        ("/testbed/journal/0", StatusCode::NOT_FOUND),
        ("/testbed/journal/18446744073709551615", StatusCode::NOT_FOUND),
        ("/testbed/journal/x", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(visitor.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_fault_of_the_form_acts_and_is_told_with_its_hits() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    let form = [
        ("kind", "quota"),
        ("quota.", "shard_write"),
        ("error.status", "503"),
        ("operation", "write"),
        ("name", "no-room"),
        ("times", "2"),
        ("seconds", "60"),
    ];
    let added = visitor.does("/testbed/faults/add", &form).await;
    added.has(&["Added: no-room", "{&quot;quota&quot;:&quot;shard_write&quot;}", "active", "still 2×"]);
    let refused = api.put(&["a"]).await.unwrap_err();
    assert!(refused.to_string().contains("ShardWriteQuotaExceed"), "{refused}");
    let [standing] = server.faults().try_into().unwrap();
    assert_eq!((standing.acted, standing.rule.for_ms, standing.times_left), (1, Some(60_000), Some(1)));
    visitor.get("/testbed/journal?fault=no-room").await.has(&["1 requests", "ShardWriteQuotaExceed"]);
    visitor.get("/testbed/journal?status=failed").await.has(&["1 requests"]);
    visitor.does("/testbed/faults/remove", &[("name", "no-room")]).await.has(&["Removed: 1", "No faults"]);
    api.put(&["a"]).await.unwrap();
}

#[tokio::test]
async fn every_kind_of_fault_can_be_made_with_what_the_form_suggests() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let page = visitor.get("/testbed/faults").await.body;
    let kinds: Vec<&str> =
        page.split("name=\"kind\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(kinds.len(), 11, "{kinds:?}");
    for kind in kinds {
        let begin = format!("name=\"kind\" value=\"{kind}\"");
        let part = between(&page, &begin, "name=\"kind\"");
        let mut fields: Vec<(String, String)> = part
            .split("name=\"")
            .skip(1)
            .map(|rest| {
                let (name, rest) = rest.split_once('"').unwrap();
                let value =
                    rest.split_once("value=\"").map_or("", |(_, rest)| rest.split('"').next().unwrap());
                (name.to_owned(), value.to_owned())
            })
            .filter(|(name, _)| {
                name.starts_with(&format!("{kind}.")) && !name.ends_with("message") && !name.ends_with("code")
            })
            .collect();
        fields.push(("kind".to_owned(), kind.to_owned()));
        fields.push(("name".to_owned(), kind.to_owned()));
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        visitor.does("/testbed/faults/add", &fields).await.has(&["Added: "]);
        let rule = server.faults().into_iter().find(|fault| fault.name == kind).expect("the fault").rule;
        let what: Value = serde_json::to_value(&rule.what).unwrap();
        assert!(what.get(kind).is_some(), "{what}");
    }
    visitor.does("/testbed/faults/remove", &[("all", "1")]).await.has(&["Removed: 11"]);
}

#[tokio::test]
async fn faults_come_as_json_and_ready_made_and_what_is_wrong_is_said() {
    let server = start().await;
    let visitor = Visitor::of(&server).await;
    let several = r#"[{"what":{"error":500},"name":"a"},{"what":{"hang":true},"when":{"header":{"name":"x-a","equals":"<b>"}}}]"#;
    let added = visitor.does("/testbed/faults/json", &[("json", several)]).await;
    added.has(&["Added: a, fault-2", "&lt;b&gt;"]);
    added.lacks(&["<b>"]);
    visitor.does("/testbed/faults/preset", &[("preset", "slow")]).await.has(&["Added: slow", "delay_ms"]);
    for (path, fields, why) in [
        ("json", &[("json", "{")][..], "the body is not JSON"),
        (
            "json",
            &[("json", r#"[{"what":{"error":500}},{"what":{"error":99}}]"#)],
            "fault 2: what.error: status 99",
        ),
        ("json", &[("json", r#"{"what":{"eror":500}}"#)], "do you mean error?"),
        ("add", &[("kind", "error"), ("error.status", "many")], "what.error"),
        ("add", &[("kind", "error")], "what.error"),
        ("add", &[], "is no fault"),
        ("add", &[("kind", "quota"), ("quota.", "all")], "unknown variant `all`"),
        ("add", &[("kind", "reset"), ("reset.", "before"), ("operation", "PutLog")], "do you mean PutLogs?"),
        (
            "add",
            &[("kind", "reset"), ("reset.", "before"), ("shard", "-1")],
            "shard: &quot;-1&quot; is no number",
        ),
        ("add", &[("kind", "reset"), ("reset.", "before"), ("client", "me")], "use an IP address"),
        ("add", &[("kind", "reset"), ("reset.", "before"), ("equals", "x")], "header: which one"),
        ("add", &[("kind", "incomplete"), ("incomplete.", "1"), ("operation", "write")], "acts on queries"),
        ("preset", &[("preset", "none")], "there is no preset"),
        ("remove", &[], "name which fault"),
        ("remove", &[("name", "none")], "there is no fault of the name"),
    ] {
        let refused = visitor.post(&format!("/testbed/faults/{path}"), fields).await;
        assert!(refused.status.is_client_error(), "{path} {fields:?}: {}", refused.status);
        refused.has(&[why]);
    }
    assert_eq!(server.faults().len(), 3, "what is refused changes nothing");
}

#[tokio::test]
async fn a_ledger_is_held_against_what_came() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    let line = |seq: u64| format!("GET /?run=r&src=pod-1&seq={seq} ");
    let [one, two, four] = [line(1), line(2), line(4)];
    api.put(&[&one, &two, &two]).await.unwrap();
    api.put(&[&four, "GET / of somebody else"]).await.unwrap();
    // As browsers send the lines of a text, and without a line break at the end.
    let ledger = "{\"run\":\"r\",\"source\":\"pod-1\",\"seq\":1}\r\n{\"run\":\"r\",\"source\":\"pod-1\",\"first\":2,\"last\":3}";
    let asked = [("project", "demo"), ("logstore", "access"), ("ledger", ledger), ("within", "0")];
    let page = visitor.post("/testbed/ledger", &asked).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.has(&[
        "Not exactly once.",
        "Missing: 1",
        "Duplicated: 1",
        "Not in the ledger: 1",
        "GET / of somebody else",
    ]);
    let sums: Vec<&str> = page.body.split("class=\"figure").skip(1).map(|it| between(it, ">", "<")).collect();
    assert_eq!(sums, ["3", "5", "1", "1", "1", "0", "0"], "sent, received, missing, duplicated, foreign, …");
    let link = between(&page.body, "Duplicated: 1", "Its copies");
    let link = between(link, "href=\"", "\"").replace("&amp;", "&");
    assert!(link.starts_with("/projects/demo/logstores/access?q="), "{link}");
    let copies = visitor.get(&link).await;
    assert_eq!(copies.status, StatusCode::OK, "{}", copies.body);
    assert!(copies.body.matches("seq=2").count() >= 2, "both copies are found: {}", copies.body);

    let clean = "{\"run\":\"r\",\"source\":\"pod-1\",\"seq\":1}";
    let asked = [
        ("project", "demo"),
        ("logstore", "access"),
        ("ledger", clean),
        ("query", "\"seq=1\""),
        ("within", "0"),
    ];
    visitor.post("/testbed/ledger", &asked).await.has(&["Every log came once and whole."]);
}

#[tokio::test]
async fn a_scope_counts_what_came_after_it() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    api.put(&["?run=r&src=a&seq=1 "]).await.unwrap();
    let place = [("scope", "second-half"), ("project", "demo"), ("logstore", "access")];
    visitor.does("/testbed/ledger/scope", &place).await.has(&["value=\"second-half\"", "value=\"access\""]);
    api.put(&["?run=r&src=a&seq=2 "]).await.unwrap();
    let ledger = ("ledger", "{\"run\":\"r\",\"source\":\"a\",\"seq\":2}");
    let asked = [&place[..], &[ledger, ("within", "0")]].concat();
    visitor.post("/testbed/ledger", &asked).await.has(&["Every log came once and whole."]);
    for (fields, why) in [
        (&[("ledger", "")][..], "paste one"),
        (&[("ledger", "404: Not Found"), ("project", "demo"), ("logstore", "ls")], "ledger, line 1"),
        (&[ledger, ("project", "demo"), ("logstore", "l!")], "l!"),
        (&[ledger, ("project", "demo"), ("logstore", "ls"), ("within", "61")], "at most 60 s"),
        (&[ledger, ("project", "demo"), ("logstore", "ls"), ("scope", "none")], "there is no scope"),
        (
            &[ledger, ("project", "demo"), ("logstore", "ls"), ("run_field", "run")],
            "run_field, source_field and seq_field",
        ),
        (&[ledger, ("project", "demo"), ("logstore", "ls"), ("query", "* | select 1")], "no SQL"),
        (&[ledger, ("project", "demo"), ("logstore", "ls"), ("query", "((")], "query"),
    ] {
        let refused = visitor.post("/testbed/ledger", fields).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{fields:?}");
        refused.has(&[why]);
    }
}

#[tokio::test]
async fn the_state_is_kept_brought_back_and_removed() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    visitor
        .does("/testbed/state/snapshot", &[("name", "full")])
        .await
        .has(&["Kept as full", "value=\"full\""]);
    api.client.send::<DeleteLogStore>(Some(&api.project), &access(), &NoQuery {}, &()).await.unwrap();
    visitor.does("/testbed/state/restore", &[("name", "full")]).await.has(&["Restored: full"]);
    visitor.get("/projects/demo").await.has(&["/projects/demo/logstores/access"]);
    visitor.does("/testbed/state/reset", &[("project", "demo")]).await.has(&["Emptied: demo"]);
    visitor.get("/projects/demo").await.lacks(&["/projects/demo/logstores/access\""]);
    for (path, fields, status) in [
        ("snapshot", &[("name", "../x")][..], StatusCode::BAD_REQUEST),
        ("snapshot", &[], StatusCode::BAD_REQUEST),
        ("restore", &[("name", "none")], StatusCode::NOT_FOUND),
        ("reset", &[], StatusCode::BAD_REQUEST),
        ("reset", &[("project", "")], StatusCode::BAD_REQUEST),
        ("reset", &[("project", "none-such")], StatusCode::NOT_FOUND),
    ] {
        let refused = visitor.post(&format!("/testbed/state/{path}"), fields).await;
        assert_eq!(refused.status, status, "{path} {fields:?}: {}", refused.body);
    }
    visitor.get("/").await.has(&["/projects/demo\""]);
    visitor.does("/testbed/state/reset", &[("all", "1")]).await.has(&["Everything is removed."]);
    visitor.get("/").await.lacks(&["/projects/demo\""]);
}

#[tokio::test]
async fn the_api_table_is_narrowed_and_counts_calls_of_clients() {
    let server = start().await;
    let api = Api::of(&server).await;
    let visitor = Visitor::of(&server).await;
    api.put(&["a"]).await.unwrap();
    let all = visitor.get("/testbed/operations").await;
    all.has(&["PutLogs", "GetLogs", "None came."]);
    let called = visitor.get("/testbed/operations?called=1").await;
    called.has(&["PutLogs", "CreateIndex", "4 / "]);
    called.lacks(&[">ListProject<"]);
    visitor.get("/testbed/operations?name=putlogs&fidelity=full&tier=A").await.has(&["PutLogs"]);
    visitor.get("/testbed/operations?fidelity=partial").await.has(&["no job ever runs"]);
    visitor.get("/testbed/operations?name=nothing-like-this").await.has(&["No such operation."]);
    let unknown = format!("{}/nowhere?type=<b>", server.endpoint());
    let unknown: http::Uri = unknown.replace('<', "%3C").replace('>', "%3E").parse().unwrap();
    Visitor { address: server.addr(), ..Visitor::of(&server).await }
        .get(&unknown.to_string().replace(&server.endpoint(), ""))
        .await;
    let told = visitor.get("/testbed/operations").await;
    told.has(&["/nowhere", "&lt;b&gt;"]);
    told.lacks(&["None came."]);
}

#[tokio::test]
async fn every_page_has_its_tabs_and_speaks_chinese() {
    let server = start().await;
    let mut visitor = Visitor::of(&server).await;
    visitor.cookies = "console-lang=zh".to_owned();
    for (path, heading) in [
        ("journal", "请求日志"),
        ("faults", "故障注入"),
        ("ledger", "对账"),
        ("state", "状态与快照"),
        ("operations", "API 列表"),
    ] {
        let page = visitor.get(&format!("/testbed/{path}")).await;
        let marked = format!("<a href=\"/testbed/{path}\" aria-current=\"page\">{heading}</a>");
        page.has(&[&format!("<h1><bdi>{heading}</bdi></h1>"), &marked]);
    }
}
