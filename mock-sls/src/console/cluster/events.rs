//! What the cluster says happened.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use serde_json::Value;

use super::kinds::{EVENTS, Kind};
use super::{Wanted, answer, listed, number, rest, text, time};
use crate::console::Console;
use crate::console::page::empty;
use crate::console::place::Asked;
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster/events", get(list))
}

async fn list(State(console): State<Arc<Console>>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Response {
    let page = async {
        let cluster = console.cluster()?;
        let page = listed(cluster, &visit, &wanted, visit.t("Events", "事件")).await?;
        let events = cluster.list(&EVENTS, wanted.namespace()).await?;
        Ok(page.and(html! {
            div #events data-live="" {
                (table(&visit, &events.items))
                (rest(&visit, &events))
            }
        }))
    };
    let page = page.await;
    answer(&visit, page)
}

/// When an event happened last: `lastTimestamp`, or `eventTime` of newer writers.
fn when(event: &Value) -> &str {
    let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"];
    times.into_iter().map(|at| text(event, at)).find(|time| !time.is_empty()).unwrap_or_default()
}

/// The events, the last first.
pub(super) fn table(visit: &Visit, events: &[Value]) -> Markup {
    if events.is_empty() {
        return empty(visit.t("No events.", "没有事件。"));
    }
    // All are of one format, so that texts are in the order of times.
    let mut sorted: Vec<&Value> = events.iter().collect();
    sorted.sort_by(|a, b| when(b).cmp(when(a)));
    html! { div.scroll { table {
        thead { tr {
            th { (visit.t("Last", "最近发生")) } th { (visit.t("Type", "类型")) } th { (visit.t("Reason", "原因")) }
            th { (visit.t("Object", "对象")) } th { (visit.t("Message", "信息")) } th.number { (visit.t("Times", "次数")) }
        } }
        tbody { @for event in sorted { tr {
            td.nowrap { (time(when(event))) }
            td { span.badge.warn[text(event, "/type") != "Normal"] { (visible(text(event, "/type"))) } }
            th scope="row" { (visible(text(event, "/reason"))) }
            td { (about(event)) }
            td.wrap { (value(visit, text(event, "/message"))) }
            td.number { (number(event, "/count").max(number(event, "/series/count")).max(1)) }
        } } }
    } } }
}

fn about(event: &Value) -> Markup {
    let of = |part: &str| text(event, &format!("/involvedObject/{part}"));
    let (kind, name) = (of("kind"), of("name"));
    html! {
        @match Kind::of(kind) {
            Some(known) => a href=(known.page(of("namespace"), name)) { (visible(kind)) "/" (visible(name)) },
            None => { (visible(kind)) "/" (visible(name)) },
        }
    }
}
