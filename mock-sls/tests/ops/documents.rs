//! Every operation on every kind of document, from the table alone: made once, shown, changed,
//! listed, removed, with the errors that the table gives. What is peculiar to one kind is in
//! `scripts`.

use std::fmt::Write as _;

use expect_test::expect_file;
use serde_json::{Map, Value, json};
use sls_api::ops::documents::{Call, Key, Kind, Place, Shape, Verb, kinds};

use super::bed::Bed;
use super::raw::Answer;
use super::transcript::{self, Calls};

/// Name of the document that each kind makes.
const NAME: &str = "doc-1";

/// Sends to the place of a kind and keeps what was said.
struct Play<'a> {
    bed: &'a Bed,
    kind: &'a Kind,
    calls: &'a mut Calls,
    log: String,
}

impl Play<'_> {
    async fn send(&mut self, call: &Call, query: &str, body: &Value) -> Answer {
        let account =
            if matches!(self.kind.place, Place::Account | Place::Within { .. }) { "account " } else { "" };
        let path =
            call.path.replace("{logstore}", "ls").replace("{parent}", "parent").replace("{name}", NAME);
        let selector = call.selector.map(|(key, value)| format!("{key}={value}"));
        let parameters: Vec<&str> = selector
            .as_deref()
            .into_iter()
            .chain([query].into_iter().filter(|query| !query.is_empty()))
            .collect();
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        let body = if body.is_null() { String::new() } else { format!(" {body}") };
        let line = format!("{account}{} {path}{query}{body}", call.method);
        let sent = transcript::send(self.bed, &line).await;
        assert_eq!(sent.0, Some(call.name), "{line} means another operation");
        self.calls.add(sent.0);
        writeln!(self.log, "{line}\n{}", transcript::shown(&sent)).unwrap();
        sent.1
    }

    fn call(&self, wanted: impl Fn(Verb) -> bool) -> Option<&'static Call> {
        self.kind.calls.iter().find(|call| wanted(call.verb))
    }

    /// The smallest document that the kind accepts.
    fn document(&self) -> Value {
        let mut body = Map::new();
        if let Key::Field(field, _) = self.kind.key {
            body.insert(field.to_owned(), NAME.into());
        }
        for (field, shape) in self.kind.required {
            let value = match shape {
                Shape::Text if self.kind.logstores.contains(field) => "ls".into(),
                Shape::Text => "text".into(),
                Shape::Object => json!({}),
                Shape::List => json!([]),
                Shape::Number => 1.into(),
                Shape::Bool => true.into(),
                Shape::OneOf(texts) => texts[0].into(),
            };
            body.insert((*field).to_owned(), value);
        }
        Value::Object(body)
    }

    /// Parameters that name the document where neither path nor body does.
    fn naming(&self) -> String {
        let Key::Query(names) = self.kind.key else { return String::new() };
        let document = self.document();
        let pair = |name: &&str| Some(format!("{name}={}", document.get(name)?.as_str()?));
        names.iter().filter_map(pair).collect::<Vec<_>>().join("&")
    }
}

async fn make_places(bed: &Bed) {
    bed.create_logstore("ls", 1).await;
    for line in [
        // A metrics config has the name of its metric store.
        &format!(r#"POST /metricstores {{"name":"{NAME}","ttl":1,"shardCount":1}}"#),
        r#"account POST /resources {"name":"parent","type":"userdefine","schema":"{}"}"#,
        r#"account POST /topostores {"name":"parent"}"#,
    ] {
        assert_eq!(transcript::send(bed, line).await.1.status, 200, "{line}");
    }
}

/// All calls of a kind in an order that makes sense.
async fn play(bed: &Bed, kind: &Kind, calls: &mut Calls) -> String {
    let mut play = Play { bed, kind, calls, log: String::new() };
    let naming = play.naming();
    let (get, list) = (play.call(|verb| verb == Verb::Get), play.call(|verb| verb == Verb::List));
    if let Some(get) = get {
        let answer = play.send(get, &naming, &Value::Null).await;
        let expected = if kind.default.is_some() { 200 } else { kind.missing.status };
        assert_eq!(answer.status.as_u16(), expected);
    }
    let document = play.document();
    if let Some(create) = play.call(|verb| verb == Verb::Create) {
        assert_eq!(play.send(create, "", &document).await.status, 200);
        let again = play.send(create, "", &document).await;
        assert_eq!(
            (again.status.as_u16(), again.error_code().as_str()),
            (kind.exists.status, kind.exists.code)
        );
        if !kind.required.is_empty() {
            assert_eq!(play.send(create, "", &json!({})).await.status, 400);
        }
    }
    if let Some(put) = play.call(|verb| verb == Verb::Put) {
        assert_eq!(play.send(put, "", &document).await.status, 200);
    }
    if let Some((many, key)) = play
        .call(|verb| matches!(verb, Verb::PutMany(_)))
        .and_then(|call| if let Verb::PutMany(key) = call.verb { Some((call, key)) } else { None })
    {
        assert_eq!(play.send(many, "", &json!({ key: [document.clone()] })).await.status, 200);
    }
    if let Some(update) = play.call(|verb| verb == Verb::Update) {
        let mut changed = document.clone();
        changed["note"] = "changed".into();
        assert_eq!(play.send(update, "", &changed).await.status, 200);
    }
    // Tables name the action first that changes nothing, which imports refuse.
    for call in kind.calls.iter().rev().filter(|call| matches!(call.verb, Verb::Act(_))) {
        assert_eq!(play.send(call, "", &Value::Null).await.status, 200);
    }
    if let Some(get) = get {
        assert_eq!(play.send(get, &naming, &Value::Null).await.status, 200);
    }
    if let Some(list) = list {
        let answer = play.send(list, "offset=0&size=10", &Value::Null).await;
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(page["count"], page["total"], "{}", list.name);
        let shows_it =
            [kind.list.names, kind.list.items].iter().any(|key| page[key].to_string().contains('"'));
        assert!(shows_it, "{} shows nothing", list.name);
    }
    if let Some(delete) = play.call(|verb| matches!(verb, Verb::Delete | Verb::DeleteMany(_))) {
        let naming = match delete.verb {
            Verb::DeleteMany(parameter) => format!("{parameter}={NAME}"),
            _ => naming,
        };
        assert_eq!(play.send(delete, &naming, &Value::Null).await.status, 200);
        assert_eq!(play.send(delete, &naming, &Value::Null).await.status.as_u16(), kind.missing.status);
    }
    play.log
}

#[tokio::test]
async fn charts_and_policies_are_bounded_like_all_documents() {
    let bed = transcript::bed().await;
    let text = "x".repeat(1_500_000);
    let dashboard = json!({ "dashboardName": "board", "charts": [{ "title": "a", "text": text }] });
    let chart = json!({ "title": "b", "text": text });
    let policy = json!({ "Statement": [text, text] });
    for (line, status) in [
        (format!("POST /dashboards {dashboard}"), 200),
        (format!("POST /dashboards/board/charts {chart}"), 400),
        (format!("POST /policy {policy}"), 400),
        ("GET /dashboards/board/charts/a".to_owned(), 200),
    ] {
        let answer = transcript::send(&bed, &line).await.1;
        assert_eq!(answer.status.as_u16(), status, "{}", &line[..40.min(line.len())]);
    }
}

#[tokio::test]
async fn every_kind_is_made_shown_changed_listed_and_removed() {
    let bed = transcript::bed().await;
    make_places(&bed).await;
    let mut calls = Calls::begin(&bed).await;
    let mut log = String::new();
    for kind in kinds() {
        writeln!(log, "# {} in {:?}", kind.noun, kind.place).unwrap();
        log.push_str(&play(&bed, kind, &mut calls).await);
        log.push('\n');
    }
    calls.check(&bed).await;
    expect_file!["documents.txt"].assert_eq(&log);
}
