//! The index editor.

use serde_json::{Value, json};
use sls_api::ops::InLogstore;
use sls_api::ops::indexes::{CreateIndex, GetIndex, Index, IndexType};
use sls_api::{Json, NoQuery};

use super::setup::write;
use super::visitor::Visitor;

const PAGE: &str = "/projects/demo/logstores/nginx-access/index";

async fn with_logstore() -> Visitor {
    let visitor = Visitor::start().await;
    visitor.done("/projects/demo/logstores", &[("logstore", "nginx-access")]).await;
    visitor
}

fn logstore() -> InLogstore {
    InLogstore { logstore: "nginx-access".parse().unwrap() }
}

async fn index(visitor: &Visitor) -> Index {
    visitor.ask::<GetIndex>(logstore(), NoQuery {}, ()).await.0
}

#[tokio::test]
async fn an_index_is_made_changed_and_deleted() {
    let visitor = with_logstore().await;
    visitor.page(PAGE).await.has(&["There is no index"]);
    let form = [
        ("line", "true"),
        ("line-tokens", r", |\n\\"),
        ("line-chn", "true"),
        ("rows", "3"),
        ("text-bytes", "4096"),
        ("name-0", "status"),
        ("type-0", "long"),
        ("alias-0", "code"),
        ("analytics-0", "true"),
        ("tokens-0", ","),
        ("name-1", ""),
        ("type-1", "text"),
        ("name-2", "body"),
        ("type-2", "json"),
        ("tokens-2", " "),
        ("case-2", "true"),
        ("sub-2", "user.id long\r\nuser.name text who\r\n"),
        ("all-2", "true"),
        ("depth-2", "3"),
    ];
    visitor.done(PAGE, &form).await;
    let made = index(&visitor).await;
    let line = made.line.unwrap();
    assert_eq!(line.token, [",", " ", "|", "\n", "\\"]);
    assert!(line.chn && !line.case_sensitive);
    assert_eq!(made.max_text_len, Some(4096));
    let keys = made.keys.unwrap();
    assert_eq!(keys.len(), 2);
    let status = &keys["status"];
    assert_eq!(
        (status.kind, status.alias.as_deref(), status.doc_value),
        (IndexType::Long, Some("code"), Some(true))
    );
    let body = &keys["body"];
    assert_eq!(
        (body.case_sensitive, body.doc_value, body.index_all, body.max_depth),
        (true, Some(false), Some(true), Some(3))
    );
    let inside = body.json_keys.as_ref().unwrap();
    assert_eq!(
        (inside["user.id"].kind, inside["user.name"].alias.as_deref()),
        (IndexType::Long, Some("who"))
    );
    visitor.page(PAGE).await.has(&["user.id long\nuser.name text who\n", "value=\"status\"", r", |\n\\"]);
    visitor.done(PAGE, &[("rows", "1"), ("name-0", "status"), ("type-0", "text"), ("tokens-0", " ")]).await;
    let changed = index(&visitor).await;
    assert!(changed.line.is_none());
    assert_eq!(changed.keys.unwrap()["status"].kind, IndexType::Text);
    visitor.done(&format!("{PAGE}/delete"), &[]).await;
    visitor.page(PAGE).await.has(&["There is no index"]);
}

#[tokio::test]
async fn what_the_form_does_not_show_stays() {
    let visitor = with_logstore().await;
    let index: Index = serde_json::from_value(json!({
        "ttl": 9, "line": {"token": [","], "exclude_keys": ["secret"]}, "log_reduce": true,
        "keys": {"a": {"type": "text", "token": [" "], "vector_index": "x"}}, "scan_index": false,
    }))
    .unwrap();
    visitor.ask::<CreateIndex>(logstore(), NoQuery {}, Json(index)).await;
    let form = [
        ("line", "true"),
        ("line-tokens", ","),
        ("rows", "1"),
        ("name-0", "a"),
        ("type-0", "text"),
        ("tokens-0", " ;"),
    ];
    visitor.done(PAGE, &form).await;
    let now = visitor.ask::<GetIndex>(logstore(), NoQuery {}, ()).await.0;
    let now: Value = serde_json::to_value(now).unwrap();
    assert_eq!(now["ttl"], 9);
    assert_eq!(now["line"]["exclude_keys"], json!(["secret"]));
    assert_eq!((&now["log_reduce"], &now["scan_index"]), (&json!(true), &json!(false)));
    assert_eq!(now["keys"]["a"]["vector_index"], "x");
    assert_eq!(now["keys"]["a"]["token"], json!([" ", ";"]));
}

#[tokio::test]
async fn fields_of_recent_logs_are_proposed_and_nothing_is_saved() {
    let visitor = with_logstore().await;
    let hostile = "<script>alert(1)</script>";
    write(
        &visitor,
        3,
        &[("status", "200"), ("time", "0.25"), ("body", r#"{"user": {"id": 7}}"#), (hostile, "x")],
    )
    .await;
    let page = visitor.page(&format!("{PAGE}?propose=true")).await;
    page.has(&["4 fields of recent logs are proposed", "user.id long", "&lt;script&gt;"])
        .lacks(&["<script>alert"]);
    visitor.page(PAGE).await.has(&["There is no index"]).lacks(&["value=\"status\""]);
}

#[tokio::test]
async fn what_is_no_index_is_refused() {
    let visitor = with_logstore().await;
    let row = |kind: &'static str| vec![("rows", "1"), ("name-0", "a"), ("type-0", kind)];
    let cases = [
        vec![],
        row("bool"),
        [row("json"), vec![("sub-0", "x json")]].concat(),
        [row("text"), vec![("text-bytes", "1")]].concat(),
        vec![("line", "true"), ("rows", "2000")],
        vec![("line", "true"), ("rows", "many")],
        [vec![("rows", "2"), ("name-0", "a"), ("type-0", "long")], vec![("name-1", "a"), ("type-1", "long")]]
            .concat(),
    ];
    for case in cases {
        let refused = visitor.post(PAGE, &case).await;
        assert_eq!(refused.status, 400, "{case:?}: {}", refused.text);
    }
    visitor.page(PAGE).await.has(&["There is no index"]);
}
