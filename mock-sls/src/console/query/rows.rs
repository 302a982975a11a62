//! Found logs, one below the other or as a table. What a page carries of them is bounded: what is long is cut, and
//! the whole log is a page of its own.

use std::collections::HashSet;

use maud::{Markup, html};
use sls_api::log_group::{SOURCE_KEY, TAG_PREFIX, TIME_KEY, TIME_NS_KEY, TOPIC_KEY};
use sls_api::ops::logs::Row;

use super::shown::{Shown, shown, size};
use super::view::View;
use crate::console::page::time;
use crate::console::place::InLogstore;
use crate::console::visit::Visit;

/// HTML of all logs of a page, bytes, so that the page stays below 150 KB with everything around them.
const PAGE_BYTES_MAX: usize = 88 * 1024;
/// HTML of a log that is shown beside others, bytes; fewer where there are many logs.
const LOG_BYTES_MAX: usize = 6 * 1024;
/// HTML of a value that is shown beside others, bytes.
const VALUE_BYTES_MAX: usize = 1_500;
/// HTML of the line that stands for a log, bytes.
const LINE_BYTES_MAX: usize = 400;
/// HTML around a field, bytes, about.
const FIELD_BYTES: usize = 70;
/// HTML around the line and the links of a log, bytes, about.
const LOG_BYTES: usize = 260;
/// HTML of a cell of the table, bytes.
const CELL_BYTES_MAX: usize = 300;
/// HTML of a cell from which on its column is made wide, bytes.
const WIDE_BYTES: usize = 40;
/// Columns of the table unless others are chosen.
const COLUMNS: usize = 8;
/// Names of columns to choose from. Own choice.
const COLUMN_NAMES_MAX: usize = 100;

/// Field that leads back to a log: see [`crate::query::rows`].
const PACK_META_KEY: &str = "__pack_meta__";
/// Tag that says what the log's writer wrote it with.
const PACK_ID_KEY: &str = "__tag__:__pack_id__";

/// A found log.
pub struct Log<'r> {
    row: &'r Row,
}

impl<'r> Log<'r> {
    /// The log in a row.
    pub fn new(row: &'r Row) -> Self {
        Self { row }
    }

    /// When, Unix seconds.
    pub fn second(&self) -> i64 {
        self.row.get(TIME_KEY).and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    fn nanoseconds(&self) -> Option<u32> {
        self.row.get(TIME_NS_KEY)?.parse().ok()
    }

    /// Where it is, for [`super::log`].
    pub fn place(&self) -> Option<&'r str> {
        self.row.get(PACK_META_KEY)
    }

    /// The fields that the log was written with.
    pub fn fields(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        self.columns().filter(|(name, _)| !is_reserved(name))
    }

    /// What its group says about it: topic, source, tags.
    pub fn tags(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        let tag = |name: &str| name == TOPIC_KEY || name == SOURCE_KEY || name.starts_with(TAG_PREFIX);
        self.columns().filter(move |(name, value)| tag(name) && !value.is_empty())
    }

    fn columns(&self) -> impl Iterator<Item = (&'r str, &'r str)> {
        self.row.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Address of the log's own page.
    pub fn own_page(&self, at: &InLogstore) -> Option<String> {
        let place = serde_urlencoded::to_string([("at", self.place()?)]).ok()?;
        Some(format!("{}/log?{place}", at.path()))
    }

    /// Address of the page with what was written beside it.
    pub fn context(&self, at: &InLogstore) -> Option<String> {
        let names = [("pack_id", self.row.get(PACK_ID_KEY)?), ("pack_meta", self.place()?)];
        Some(format!("{}/context?{}", at.path(), serde_urlencoded::to_string(names).ok()?))
    }

    /// When, to the nanosecond where it says so.
    pub fn time(&self) -> Markup {
        html! {
            (time(self.second()))
            @if let Some(ns) = self.nanoseconds() { span.ns { (format!(".{ns:09}")) } }
        }
    }
}

/// Whether the name is one of the service's own.
pub fn is_reserved(name: &str) -> bool {
    matches!(name, TIME_KEY | TIME_NS_KEY | TOPIC_KEY | SOURCE_KEY | PACK_META_KEY | "__index_number__")
        || name.starts_with(TAG_PREFIX)
}

/// Logs, one below the other.
pub fn list(visit: &Visit, at: &InLogstore, rows: &[Row]) -> Markup {
    let each = (PAGE_BYTES_MAX / rows.len().max(1)).min(LOG_BYTES_MAX);
    html! {
        ol.logs {
            @for row in rows { li.log { (one(visit, at, &Log::new(row), each)) } }
        }
    }
}

/// A log that opens, in about so many bytes.
pub fn one(visit: &Visit, at: &InLogstore, log: &Log<'_>, bytes_max: usize) -> Markup {
    let (own_page, context) = (log.own_page(at), log.context(at));
    let links = own_page.as_ref().map_or(0, String::len) + context.as_ref().map_or(0, String::len);
    let line = line(log, LINE_BYTES_MAX.min(bytes_max / 4));
    let left = bytes_max.saturating_sub(line.0.len() + links + LOG_BYTES);
    html! {
        details {
            summary { (log.time()) " " (line) }
            (fields(visit, log, own_page.as_deref(), left))
            p.row {
                @if let Some(context) = context { a href=(context) { (visit.t("Context", "上下文")) } }
                @if let Some(own_page) = &own_page { a.alone href=(own_page) { (visit.t("This log alone", "单条日志")) } }
            }
        }
    }
}

/// What stands for a log: its fields in one line. The name of a single field says nothing.
fn line(log: &Log<'_>, bytes_max: usize) -> Markup {
    let single = log.fields().count() == 1;
    let mut left = bytes_max;
    let mut parts = Vec::new();
    for (name, value) in log.fields() {
        if left == 0 {
            break;
        }
        let part = shown(value, left);
        left = left.saturating_sub(part.bytes() + name.len() + 20);
        parts.push((name, part));
    }
    html! {
        span.line dir="ltr" {
            @for (name, part) in &parts {
                @if !single { b { (shown(name, VALUE_BYTES_MAX).html) } ": " }
                bdi { (part.html) } @if part.is_cut { "…" } " "
            }
            @if parts.is_empty() { "—" }
        }
    }
}

/// All fields and tags of a log with their values, as far as there is room.
fn fields(visit: &Visit, log: &Log<'_>, own_page: Option<&str>, bytes_max: usize) -> Markup {
    let mut left = bytes_max;
    let all: Vec<(&str, &str)> = log.fields().chain(log.tags()).collect();
    let mut parts: Vec<(&str, &str, Shown)> = Vec::new();
    for (name, value) in &all {
        if left == 0 {
            break;
        }
        let part = shown(value, VALUE_BYTES_MAX.min(left));
        left = left.saturating_sub(part.bytes() + name.len() + FIELD_BYTES);
        parts.push((name, value, part));
    }
    let hidden = all.len() - parts.len();
    html! {
        dl.fields {
            @for (name, value, part) in &parts {
                div {
                    dt { bdi { (shown(name, VALUE_BYTES_MAX).html) } }
                    dd { (value_shown(visit, name, value, part, own_page)) }
                }
            }
        }
        @if hidden > 0 {
            p.hint.more {
                (hidden) " " (visit.t("further fields are on the page of this log.", "个其他字段请见单条日志页面。"))
            }
        }
    }
}

/// A value that can be clicked, with the way to all of it where it is cut. The name is given only where it was
/// shown otherwise.
fn value_shown(visit: &Visit, name: &str, value: &str, part: &Shown, own_page: Option<&str>) -> Markup {
    html! {
        bdi.value { (part.html) }
        @if part.is_cut {
            "… "
            @if let Some(page) = own_page {
                a.whole href=(page) data-field=(name) { (visit.t("show all", "显示全部")) " (" (size(value.len())) ")" }
            } @else {
                span.quiet-text { "(" (size(value.len())) ")" }
            }
        }
    }
}

/// Names of all fields in the rows, and then of the index.
pub fn column_names<'n>(rows: &'n [Row], indexed: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let found = rows.iter().flat_map(|row| row.0.iter().map(|(name, _)| name.as_str()));
    let mut seen = HashSet::new();
    let mut names: Vec<&str> = Vec::new();
    let (tags, fields): (Vec<&str>, Vec<&str>) = found.chain(indexed).partition(|name| is_reserved(name));
    for name in fields.into_iter().chain(tags) {
        let own = matches!(name, TIME_KEY | TIME_NS_KEY | PACK_META_KEY);
        if !own && names.len() < COLUMN_NAMES_MAX && seen.insert(name) {
            names.push(name);
        }
    }
    names
}

/// Logs as a table.
pub fn table(visit: &Visit, at: &InLogstore, view: &View, rows: &[Row]) -> Markup {
    let found: Vec<&str> = match view.columns.is_empty() {
        true => column_names(rows, std::iter::empty()).into_iter().take(COLUMNS).collect(),
        false => view.columns.iter().map(String::as_str).collect(),
    };
    let cells = rows.len().max(1) * found.len().max(1);
    let each = (PAGE_BYTES_MAX / cells).saturating_sub(FIELD_BYTES).clamp(24, CELL_BYTES_MAX);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(visit.t("Logs", "日志")) {
            table.cells {
                thead { tr {
                    th { (visit.t("Time", "时间")) }
                    @for name in &found { th data-field=(name) { bdi { (shown(name, CELL_BYTES_MAX).html) } } }
                } }
                tbody {
                    @for row in rows {
                        @let log = Log::new(row);
                        tr {
                            th.when scope="row" {
                                @match log.own_page(at) {
                                    Some(page) => a href=(page) { (log.time()) },
                                    None => (log.time()),
                                }
                            }
                            @for name in &found { @match row.get(name) {
                                None => td {},
                                Some(value) => {
                                    @let part = shown(value, each);
                                    td class=[(part.bytes() > WIDE_BYTES).then_some("long")] {
                                        bdi.value data-cut[part.is_cut] { (part.html) } @if part.is_cut { "…" }
                                    }
                                }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// What SQL or a pipeline answers, as a table: its columns with their types, in order.
pub fn answer(visit: &Visit, keys: &[String], types: &[String], rows: &[Row]) -> Markup {
    let numeric = |column: usize| {
        let kind = types.get(column).map_or("", String::as_str);
        matches!(kind, "bigint" | "double" | "integer" | "long" | "decimal" | "real")
    };
    let mut left = PAGE_BYTES_MAX;
    let mut shown_rows: Vec<Vec<Shown>> = Vec::new();
    for row in rows {
        let cells: Vec<Shown> =
            keys.iter().map(|key| shown(row.get(key).unwrap_or_default(), CELL_BYTES_MAX)).collect();
        let bytes: usize = cells.iter().map(|cell| cell.bytes() + 40).sum();
        if bytes > left {
            break;
        }
        left -= bytes;
        shown_rows.push(cells);
    }
    let hidden = rows.len() - shown_rows.len();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(visit.t("Rows", "结果")) {
            table #answer {
                thead { tr {
                    @for (column, key) in keys.iter().enumerate() {
                        th class=[numeric(column).then_some("number")] data-type=[types.get(column)] { bdi { (shown(key, CELL_BYTES_MAX).html) } }
                    }
                } }
                tbody {
                    @for row in &shown_rows { tr {
                        @for (column, cell) in row.iter().enumerate() {
                            td class=[numeric(column).then_some("number")] { bdi { (cell.html) } @if cell.is_cut { "…" } }
                        }
                    } }
                }
            }
        }
        @if hidden > 0 {
            p.hint { (hidden) " " (visit.t("further rows are not shown here; export them, or ask for fewer.", "行未在此显示；请导出，或缩小查询范围。")) }
        }
    }
}
