//! The end of a container's log.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::html;
use serde::Deserialize;

use super::api::{Failure, LOG_BYTES_MAX};
use super::kinds::PODS;
use super::{answer, place};
use crate::console::Console;
use crate::console::page::{Link, Page};
use crate::console::place::{Asked, At};
use crate::console::shown::visible;
use crate::console::visit::Visit;

/// Lines that are shown unless the visitor wants another number of them, and the numbers he may choose.
const LINES: usize = 200;
const LINES_CHOICES: [usize; 4] = [50, LINES, 1_000, 5_000];
/// Characters of a line that are shown (own choice: a line of 1 MB should not hide the others).
const LINE_CHARS_MAX: usize = 4_000;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/cluster/logs/{namespace}/{pod}/{container}", get(show))
}

#[derive(Deserialize)]
struct Named {
    namespace: String,
    pod: String,
    container: String,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Wanted {
    lines: usize,
    previous: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { lines: LINES, previous: false }
    }
}

async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    At(named): At<Named>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let page = page(&console, &visit, &named, &wanted).await;
    answer(&visit, page)
}

async fn page<'v>(
    console: &Console,
    visit: &'v Visit,
    named: &Named,
    wanted: &Wanted,
) -> Result<Page<'v>, Failure> {
    let Named { namespace, pod, container } = named;
    let lines = wanted.lines.clamp(1, LINES_CHOICES.into_iter().max().unwrap_or(LINES));
    let cluster = console.cluster()?;
    let bytes = cluster.log((namespace, pod), container, lines, wanted.previous).await;
    // That a container has no log yet is no failure of the page.
    let (log, why) = match bytes {
        Ok(bytes) => (bytes, None),
        Err(Failure::Refused { status, message }) if status == http::StatusCode::BAD_REQUEST => {
            (Default::default(), Some(message))
        }
        Err(failure) => return Err(failure),
    };
    let cut = log.len() >= LOG_BYTES_MAX;
    let form = html! {
        form.row method="get" {
            label for="lines" { (visit.t("Lines", "行数")) }
            select #lines name="lines" {
                @for choice in LINES_CHOICES { option value=(choice) selected[choice == lines] { (choice) } }
            }
            label.tick { input type="checkbox" name="previous" value="true" checked[wanted.previous]; (visit.t("of the instance before", "上一次运行的日志")) }
            button type="submit" { (visit.t("Show", "查看")) }
        }
    };
    let body = html! {
        (form)
        div #log-parts data-live="" {
            @if let Some(why) = &why { div.notice.warn { p { (visible(why)) } } }
            @if cut { div.notice.warn { p { (visit.t("Only the first MiB of these lines is shown.", "仅显示这些行的前 1 MiB。")) } } }
            @if log.is_empty() && why.is_none() { p.empty { (visit.t("The log is empty.", "日志为空。")) } }
            @else if !log.is_empty() { pre.log data-end="" tabindex="0" { bdi { (shown(&log)) } } }
        }
    };
    let place = place(visit).into_iter().chain([Link::new(PODS.page(namespace, pod), pod.as_str())]);
    let title = format!("{} {container}", visit.t("Log of", "日志："));
    Ok(Page::new(visit, title).place(place).style("bed.css").script("live.js").wide().body(body))
}

/// The lines with what is not text made visible, long ones cut.
fn shown(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let end = line.char_indices().nth(LINE_CHARS_MAX).map(|(at, _)| at);
        out += &visible(line.get(..end.unwrap_or(line.len())).unwrap_or_default());
        if end.is_some() {
            out.push('…');
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_does_not_hide_the_next() {
        let log = format!("{}\n\u{1b}[1mnext\n", "x".repeat(1 << 20));
        let shown = shown(log.as_bytes());
        assert!(shown.len() < LINE_CHARS_MAX + 100, "{}", shown.len());
        assert!(shown.ends_with("…\n␛[1mnext\n"), "{}", &shown[shown.len() - 40..]);
        assert_eq!(super::shown(&[0xff, b'\n']), "\u{fffd}\n");
    }
}
