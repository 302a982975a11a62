//! How many logs there are when: bars that are buttons, each of which shows its part of the time, and the numbers as
//! a table.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde_json::json;
use sls_api::ops::logs::{GetHistograms, Histogram, HistogramQuery, Histograms, Progress};

use super::range::Range;
use super::view::View;
use crate::console::Console;
use crate::console::page::time;
use crate::console::place::InLogstore;
use crate::console::problem::Problem;
use crate::console::visit::Visit;
use crate::error::ApiError;

/// Heights of the picture, in its own units.
const HEIGHT: u64 = 100;
/// Times that the range "all" is narrowed to where logs are: from 136 years to below an hour.
const NARROWINGS_MAX: usize = 6;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/projects/{project}/logstores/{logstore}/histogram", get(numbers))
}

/// Counts the logs that the view is about, whatever page of them is shown.
pub(super) async fn count(
    console: &Console,
    at: &InLogstore,
    view: &View,
    window: (i64, i64),
) -> Result<Histograms, ApiError> {
    let (mut from, mut to) = window;
    let mut left = if view.range == Range::All { NARROWINGS_MAX } else { 0 };
    loop {
        let query = HistogramQuery { from, to, query: view.search().to_owned(), ..HistogramQuery::default() };
        let counted = console.ask_in::<GetHistograms>(&at.project, at.named(), query, ()).await?;
        let mut filled = counted.buckets.iter().filter(|bucket| bucket.count > 0);
        let (Some(first), true) = (filled.next(), left > 0) else { return Ok(counted) };
        let narrow = (first.from, filled.next_back().unwrap_or(first).to);
        if (narrow.1 - narrow.0) * 2 > to - from {
            return Ok(counted);
        }
        (from, to) = narrow;
        left -= 1;
    }
}

async fn numbers(
    State(console): State<Arc<Console>>,
    at: InLogstore,
    view: View,
) -> Result<Response, Problem> {
    let window = view.range.seconds(console.app.clock.now(), &view.zone());
    let counted = count(&console, &at, &view, window).await?;
    let buckets: Vec<[i64; 3]> = counted
        .buckets
        .iter()
        .map(|bucket| [bucket.from, bucket.to, i64::try_from(bucket.count).unwrap_or(i64::MAX)])
        .collect();
    Ok(axum::Json(json!({ "count": counted.count, "buckets": buckets })).into_response())
}

/// The picture and its numbers.
pub(super) fn figure(visit: &Visit, counted: &Histograms) -> Markup {
    let buckets = &counted.buckets;
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else { return html! {} };
    let highest = buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default();
    let height = |bucket: &Histogram| match bucket.count {
        0 => 0,
        // Whatever is there is seen.
        count => (count * HEIGHT).div_ceil(highest.max(1)).max(2),
    };
    html! {
        section.histogram aria-labelledby="histogram-title" {
            h2.visually-hidden #histogram-title { (visit.t("Logs over time", "日志时间分布")) }
            p.row {
                strong { span #found { (counted.count) } " " (visit.t("logs", "条日志")) }
                @if counted.progress == Progress::Incomplete { span.badge.warn { (visit.t("counted in part", "结果不完整")) } }
                span.quiet-text { (visit.t("highest bar:", "最高：")) " " (highest) }
            }
            div.plot #plot {
                svg viewBox={ "0 0 " (buckets.len()) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                    @for (place, bucket) in buckets.iter().enumerate() {
                        @let height = height(bucket);
                        @if height > 0 { rect x=(format!("{place}.08")) y=(HEIGHT - height) width="0.84" height=(height) {} }
                    }
                }
                div.bars role="group" aria-label=(visit.t("Bars: each shows its part of the time", "柱形：选择后放大到该时间段")) {
                    @for bucket in buckets {
                        button type="submit" form="query" name="zoom" value={ (bucket.from) "-" (bucket.to) } data-count=(bucket.count)
                            aria-label={ (utc(bucket.from)) ": " (bucket.count) } {}
                    }
                }
            }
            p.axis { (time(first.from)) span.quiet-text.drag hidden { (visit.t("drag over bars, or press Enter on one, to zoom", "拖动选择或在柱形上按回车键可放大")) } (time(last.to)) }
            details {
                summary { (visit.t("Numbers", "数据表")) }
                div.scroll.short tabindex="0" role="region" aria-label=(visit.t("Logs over time", "日志时间分布")) { table {
                    thead { tr { th { (visit.t("From", "开始")) } th { (visit.t("To", "结束")) } th.number { (visit.t("Logs", "日志数")) } } }
                    tbody { @for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
                        tr { td { (time(bucket.from)) } td { (time(bucket.to)) } td.number { (bucket.count) } }
                    } }
                } }
            }
        }
    }
}

fn utc(second: i64) -> String {
    jiff::Timestamp::from_second(second).map(|time| time.to_string()).unwrap_or_default()
}
