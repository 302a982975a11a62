//! An accounting on a page: the verdict, the sums, each source, and which logs are meant.

use maud::{Markup, html};
use sls_expect::account::{
    AccountAsked, AccountVerdict, Accounting, Altered, Duplicate, DuplicateKind, Numbers, SourceAccount,
};

use super::logs_link;
use crate::console::shown::{value, visible};
use crate::console::visit::Visit;

/// The verdict and all that is known.
pub(super) fn shown(visit: &Visit, asked: &AccountAsked, verdict: &AccountVerdict) -> Markup {
    let accounting = &verdict.accounting;
    let class = if verdict.ok { "notice good" } else { "notice bad" };
    html! {
        div #verdict class=(class) role="status" {
            strong { @if verdict.ok {
                (visit.t("Every log came once and whole.", "每条日志都完整到达且仅一次。"))
            } @else {
                (visit.t("Not exactly once.", "并非恰好一次。"))
            } }
            @for wrong in &verdict.wrong { p { (visible(&wrong.to_string())) } }
        }
        @if let Some(line) = accounting.ledger_cut_line {
            div.notice.warn { p { (visit.t("The ledger ends in the middle of a line, which is not counted: ", "账本在某行中途结束，该行未计入：")) (line) } }
        }
        (sums(visit, accounting))
        (sources(visit, accounting))
        (numbers(visit, asked, visit.t("Missing", "缺失"), accounting.missing.count, &accounting.missing.listed))
        (duplicates(visit, asked, accounting))
        (numbers(visit, asked, visit.t("Not in the ledger", "账本中没有"), accounting.unexpected.count, &accounting.unexpected.listed))
        (altered(visit, asked, visit.t("Altered", "被改动"), accounting.corrupted.count, &accounting.corrupted.listed))
        (altered(visit, asked, visit.t("Cut short", "被截断"), accounting.truncated.count, &accounting.truncated.listed))
        @if accounting.unidentified.count > 0 {
            h3 { (visit.t("Logs that do not say which one they are", "无法识别的日志")) ": " (accounting.unidentified.count) }
            ul { @for text in &accounting.unidentified.listed { li { (value(visit, text)) } } }
        }
    }
}

fn sums(visit: &Visit, accounting: &Accounting) -> Markup {
    let sums = [
        (visit.t("Sent", "发送"), accounting.sent, false),
        (visit.t("Received", "接收"), accounting.received, false),
        (visit.t("Missing", "缺失"), accounting.missing.count, true),
        (visit.t("Duplicated", "重复"), accounting.duplicates.count, true),
        (visit.t("Not in the ledger", "账本中没有"), accounting.unexpected.count, true),
        (
            visit.t("Altered or cut", "改动或截断"),
            accounting.corrupted.count + accounting.truncated.count,
            true,
        ),
        (visit.t("Out of order", "乱序"), accounting.reordered.count, true),
    ];
    html! {
        dl.sums { @for (name, count, bad) in sums {
            div.card { dt { (name) } dd.figure.bad[bad && count > 0] { (count) } }
        } }
        @if let Some(latency) = &accounting.latency {
            p.quiet-text { (visit.t("Time from writing to receipt: ", "从写入到接收：")) "p50 " (latency.p50_ms) " ms, p99 " (latency.p99_ms) " ms, max " (latency.max_ms) " ms" }
        }
    }
}

fn sources(visit: &Visit, accounting: &Accounting) -> Markup {
    html! {
        h3 { (visit.t("Sources", "来源")) ": " (accounting.per_source.count) }
        div.scroll { table {
            thead { tr {
                th { (visit.t("Source", "来源")) } th.number { (visit.t("Sent", "发送")) } th.number { (visit.t("Received", "接收")) }
                th.number { (visit.t("Missing", "缺失")) } th.number { (visit.t("Duplicated", "重复")) }
                th.number { (visit.t("Altered or cut", "改动或截断")) } th.number { (visit.t("Out of order", "乱序")) }
            } }
            tbody { @for source in &accounting.per_source.listed { (source_row(source)) } }
        } }
    }
}

fn source_row(source: &SourceAccount) -> Markup {
    html! { tr {
        th scope="row" { bdi { (visible(&source.source)) } div.hint { bdi { (visible(&source.run)) } } }
        td.number { (source.sent) } td.number { (source.received) } td.number { (source.missing) }
        td.number { (source.duplicates) } td.number { (source.corrupted + source.truncated) } td.number { (source.reordered) }
    } }
}

/// Ranges of numbers; the link leads to what is there of their source.
fn numbers(visit: &Visit, asked: &AccountAsked, title: &str, count: u64, listed: &[Numbers]) -> Markup {
    html! { @if count > 0 {
        h3 { (title) ": " (count) }
        div.scroll { table {
            thead { tr { th { (visit.t("Source", "来源")) } th { (visit.t("Numbers", "序号")) } th { (visit.t("Logs", "日志")) } } }
            tbody { @for range in listed { tr {
                th scope="row" { bdi { (visible(&range.source)) } }
                td { @if range.first == range.last { (range.first) } @else { (range.first) "–" (range.last) } }
                td { a href=(link(asked, &range.source, None)) { (visit.t("Logs of this source", "该来源的日志")) } }
            } } }
        } }
        (rest(visit, count, listed.iter().map(|range| range.last - range.first + 1).sum()))
    } }
}

fn duplicates(visit: &Visit, asked: &AccountAsked, accounting: &Accounting) -> Markup {
    let all = &accounting.duplicates;
    let why = |duplicate: &Duplicate| match duplicate.kind {
        DuplicateKind::Retry => visit.t("sent again, as its answer was lost", "应答丢失后重发"),
        DuplicateKind::ReadTwice => visit.t("read or written twice", "被重复读取或写入"),
    };
    html! { @if all.count > 0 {
        h3 { (visit.t("Duplicated", "重复")) ": " (all.count) }
        div.scroll { table {
            thead { tr {
                th { (visit.t("Source", "来源")) } th.number { (visit.t("Number", "序号")) }
                th.number { (visit.t("Times", "次数")) } th { (visit.t("Why", "原因")) } th { (visit.t("Logs", "日志")) }
            } }
            tbody { @for one in &all.listed { tr {
                th scope="row" { bdi { (visible(&one.id.source)) } }
                td.number { (one.id.seq) } td.number { (one.times) } td { (why(one)) }
                td { a href=(link(asked, &one.id.source, Some(one.id.seq))) { (visit.t("Its copies", "查看各份")) } }
            } } }
        } }
        (rest(visit, all.logs, all.listed.len() as u64))
    } }
}

fn altered(visit: &Visit, asked: &AccountAsked, title: &str, count: u64, listed: &[Altered]) -> Markup {
    html! { @if count > 0 {
        h3 { (title) ": " (count) }
        div.scroll { table {
            thead { tr {
                th { (visit.t("Source", "来源")) } th.number { (visit.t("Number", "序号")) }
                th.number { (visit.t("Bytes written", "写入字节")) } th.number { (visit.t("Bytes that came", "到达字节")) }
                th { (visit.t("Logs", "日志")) }
            } }
            tbody { @for one in listed { tr {
                th scope="row" { bdi { (visible(&one.id.source)) } }
                td.number { (one.id.seq) } td.number { (one.written.bytes) } td.number { (one.got.bytes) }
                td { a href=(link(asked, &one.id.source, Some(one.id.seq))) { (visit.t("The log", "查看日志")) } }
            } } }
        } }
        (rest(visit, count, listed.len() as u64))
    } }
}

/// That more are counted than are named.
fn rest(visit: &Visit, count: u64, named: u64) -> Markup {
    html! { @if named < count {
        p.hint { (count - named) " " (visit.t("more are counted and not named here", "条未在此列出")) }
    } }
}

/// Where the logs of a source are searched, or the one with this number.
fn link(asked: &AccountAsked, source: &str, seq: Option<u64>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let query = match (&asked.source_field, &asked.seq_field, seq) {
        (Some(by), Some(number), Some(seq)) => {
            format!("{}: {} and {}: {seq}", quoted(by), quoted(source), quoted(number))
        }
        (Some(by), _, _) => format!("{}: {}", quoted(by), quoted(source)),
        // Words in this order: `seq=1` is not found in `seq=10`.
        (None, _, Some(seq)) => format!("#{}", quoted(&format!("src={source}&seq={seq}"))),
        (None, _, None) => quoted(source),
    };
    logs_link(&asked.project, &asked.logstore, &query, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_search_for_the_log_in_the_form_in_which_it_says_which_one_it_is() {
        let asked =
            AccountAsked { project: "p".to_owned(), logstore: "l".to_owned(), ..AccountAsked::default() };
        let query = |link: String| {
            let (_, query) = link.split_once("?").unwrap();
            let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
            pairs[0].1.clone()
        };
        assert_eq!(query(link(&asked, "pod-1", Some(7))), "#\"src=pod-1&seq=7\"");
        assert_eq!(query(link(&asked, "pod-\"1", None)), "\"pod-\\\"1\"");
        let fields =
            AccountAsked { source_field: Some("pod".to_owned()), seq_field: Some("n".to_owned()), ..asked };
        assert_eq!(query(link(&fields, "pod-1", Some(7))), "\"pod\": \"pod-1\" and \"n\": 7");
    }
}
