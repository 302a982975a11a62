//! The test bed: what the emulator offers beside the API. The journal of requests, faults, the accounting of a ledger,
//! the state as a whole, and the table of operations. The same is under `/_mock/v1` and on the command line.

mod accounting;
mod decoded;
mod entry;
mod fault_form;
mod faults;
mod journal;
mod ledger;
mod operations;
mod state;

use std::sync::Arc;

use axum::Router;

use super::Console;
use super::page::{Link, Page};
use super::visit::Visit;

/// The routes of this folder.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .merge(journal::routes())
        .merge(faults::routes())
        .merge(ledger::routes())
        .merge(state::routes())
        .merge(operations::routes())
}

/// A page of the test bed.
fn page<'v>(visit: &'v Visit, title: &str) -> Page<'v> {
    Page::new(visit, title)
        .tabs([
            Link::new("/testbed/journal", visit.t("Request journal", "请求日志")),
            Link::new("/testbed/faults", visit.t("Faults", "故障注入")),
            Link::new("/testbed/ledger", visit.t("Ledger", "对账")),
            Link::new("/testbed/state", visit.t("State", "状态与快照")),
            Link::new("/testbed/operations", visit.t("API table", "API 列表")),
        ])
        .style("bed.css")
        .script("live.js")
}

/// The logs of a Logstore that a search finds, in a window of seconds since 1970, or of any time.
fn logs_link(project: &str, logstore: &str, query: &str, window: Option<(i64, i64)>) -> String {
    let when = match window {
        Some((from, to)) => ("zoom", format!("{from}-{to}")),
        None => ("range", "all".to_owned()),
    };
    let pairs = serde_urlencoded::to_string([("q", query.to_owned()), when]).unwrap_or_default();
    format!("/projects/{project}/logstores/{logstore}?{pairs}")
}
