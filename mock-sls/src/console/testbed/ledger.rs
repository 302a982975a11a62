//! Accounting: a ledger of what was written, held against what a Logstore received.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use sls_expect::account::AccountAsked;

use super::{accounting, page};
use crate::console::Console;
use crate::console::forms::{Pairs, done};
use crate::console::page::csrf;
use crate::console::place::Asked;
use crate::console::problem::Problem;
use crate::console::visit::Visit;
use crate::expect::{self, Refusal};

/// Where the page is.
const PATH: &str = "/testbed/ledger";
/// How long is waited for what is missing unless the visitor says otherwise, and at most, s: somebody looks at an empty
/// page meanwhile (own choices).
const WAIT_S: u64 = 2;
const WAIT_S_MAX: u64 = 60;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route(PATH, get(ask).post(account)).route("/testbed/ledger/scope", post(scope))
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Wanted {
    project: String,
    logstore: String,
    scope: String,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status(), ..Self::bad(refusal.to_string()) }
    }
}

async fn ask(visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let asked = AccountAsked {
        project: wanted.project,
        logstore: wanted.logstore,
        scope: Some(wanted.scope).filter(|scope| !scope.is_empty()),
        ..AccountAsked::default()
    };
    shown(&visit, &asked, None).into_response()
}

async fn account(
    State(console): State<Arc<Console>>,
    visit: Visit,
    form: Pairs,
) -> Result<Response, Problem> {
    let wait = form.number("within")?.unwrap_or(WAIT_S);
    if wait > WAIT_S_MAX {
        return Err(Problem::bad(format!("within: at most {WAIT_S_MAX} s are waited here")));
    }
    let ledger = form.text("ledger");
    if ledger.is_empty() {
        return Err(Problem::bad("ledger: paste one, or choose a file"));
    }
    let owned = |name: &str| form.filled(name).map(str::to_owned);
    let asked = AccountAsked {
        project: form.text("project").to_owned(),
        logstore: form.text("logstore").to_owned(),
        query: owned("query"),
        scope: owned("scope"),
        within_ms: Some(wait * 1_000),
        run_field: owned("run_field"),
        source_field: owned("source_field"),
        seq_field: owned("seq_field"),
        ..AccountAsked::default()
    };
    let verdict = expect::account_of(&console.app, asked.clone(), ledger.as_bytes()).await?;
    let result = accounting::shown(&visit, &asked, &verdict);
    Ok(shown(&visit, &asked, Some(&result)).into_response())
}

async fn scope(State(console): State<Arc<Console>>, visit: Visit, form: Pairs) -> Result<Response, Problem> {
    let name = expect::new_scope(&console.app, form.filled("scope").map(str::to_owned)).await?;
    let place = [("project", form.text("project")), ("logstore", form.text("logstore")), ("scope", &name)];
    let query = serde_urlencoded::to_string(place).unwrap_or_default();
    let note = visit.t("From now on this scope counts: ", "从现在起计入范围：");
    Ok(done(&format!("{PATH}?{query}"), &format!("{note}{name}")))
}

fn shown<'v>(
    visit: &'v Visit,
    asked: &AccountAsked,
    result: Option<&Markup>,
) -> crate::console::page::Page<'v> {
    let text = |name: &str, label: &str, value: &str, required: bool| {
        html! { div.field {
            label for={ "l-" (name) } { (label) }
            input id={ "l-" (name) } name=(name) value=(value) required[required] autocomplete="off";
        } }
    };
    let given = |text: &Option<String>| text.clone().unwrap_or_default();
    let wait = asked.within_ms.map_or(WAIT_S, |ms| ms / 1_000);
    let body = html! {
        p.quiet-text { (visit.t(
            "A ledger says what was written; here it is held against what arrived: what is missing, came twice, was altered.",
            "账本记录写入了什么；此处将其与实际到达的日志核对：缺失、重复、被改动。",
        )) }
        @if let Some(result) = result { (result) }
        form.card method="post" action=(PATH) {
            (csrf(visit))
            div.fields {
                (text("project", visit.t("Project", "项目"), &asked.project, true))
                (text("logstore", visit.t("Logstore", "日志库"), &asked.logstore, true))
                (text("query", visit.t("Search (all logs without one)", "查询语句（不填则全部日志）"), &given(&asked.query), false))
                (text("scope", visit.t("Scope (only what came since it was made)", "范围（仅统计其创建后到达的日志）"), &given(&asked.scope), false))
                div.field {
                    label for="within" { (visit.t("Wait for what is missing, s", "等待缺失日志（秒）")) }
                    input #within name="within" type="number" min="0" max=(WAIT_S_MAX) value=(wait);
                }
            }
            details {
                summary { (visit.t("Logs that say in fields which one they are", "以字段标识日志")) }
                p.hint { (visit.t("Without fields, run=…&src=…&seq=… is looked for in the text.", "不填则在文本中查找 run=…&src=…&seq=…。")) }
                div.fields {
                    (text("run_field", visit.t("Field of the run", "批次字段"), &given(&asked.run_field), false))
                    (text("source_field", visit.t("Field of the source", "来源字段"), &given(&asked.source_field), false))
                    (text("seq_field", visit.t("Field of the number", "序号字段"), &given(&asked.seq_field), false))
                }
            }
            div.field {
                label for="ledger" { (visit.t("Ledger", "账本")) }
                textarea.code #ledger name="ledger" rows="8" required spellcheck="false"
                    placeholder=r#"{"run":"r","source":"pod-1","first":1,"last":1000}"# {}
                p.hint { (visit.t(
                    "JSON, a line for each log or range of logs, as mock_log --ledger writes it; up to about 5 MB here, without limit with mock-sls account.",
                    "每行一个 JSON，表示一条或一段日志，格式同 mock_log --ledger；此处约 5 MB 以内，更大的请使用 mock-sls account。",
                )) }
                div data-file-into="ledger" data-label=(visit.t("From a file", "从文件读取")) {}
            }
            div.actions { button.primary type="submit" { (visit.t("Account", "对账")) } }
        }
        h2 { (visit.t("New scope", "新建范围")) }
        form.card.narrow method="post" action="/testbed/ledger/scope" {
            (csrf(visit))
            input type="hidden" name="project" value=(asked.project);
            input type="hidden" name="logstore" value=(asked.logstore);
            div.field {
                label for="scope" { (visit.t("Name", "名称")) }
                input #scope name="scope" autocomplete="off";
                p.hint { (visit.t("Made up if empty. Expectations and accounts of this scope see only what comes from now on.", "不填则自动生成。该范围内的断言与对账只统计此后到达的日志。")) }
            }
            div.actions { button type="submit" { (visit.t("Begin", "开始")) } }
        }
    };
    page(visit, visit.t("Ledger", "对账")).script("testbed.js").body(body)
}
