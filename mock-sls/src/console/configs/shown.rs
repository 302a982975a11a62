//! What the preview shows: what is wrong, what the regex takes of each log, what becomes of it, and the YAML.

use maud::{Markup, html};
use sls_pipeline::preview::{Fate, Field, Previewed};

use super::super::page::time;
use super::super::visit::Visit;
use super::draft::Mode;
use super::sample::Tried;

/// Characters of a log, or of a value, that are shown.
const TEXT_CHARS_MAX: usize = 2_000;
/// Colours of fields; further ones begin again.
const COLOURS: usize = 8;

/// The preview of a config in this mode. `yaml` is left out where the config cannot be made.
pub(super) fn preview(visit: &Visit, mode: Mode, tried: &Tried, yaml: Option<&str>) -> Markup {
    html! {
        @if !tried.errors.is_empty() {
            div.notice.bad role="alert" {
                strong { (visit.t("This config cannot work", "该配置无法生效")) }
                ul { @for error in &tried.errors { li { bdi { (error) } } } }
            }
        }
        @if !tried.warnings.is_empty() {
            div.notice.warn { ul { @for warning in &tried.warnings { li { bdi { (warning) } } } } }
        }
        @if mode == Mode::Nginx && !tried.keys.is_empty() { (derived(visit, tried)) }
        @if let Some(preview) = &tried.preview {
            @if let Some(report) = preview.report.as_ref().filter(|report| !report.to_string().is_empty()) {
                p #report class=(if report.is_fine() { "notice good" } else { "notice warn" }) { (report) }
            }
            @for (number, event) in preview.events.iter().enumerate() { (log(visit, number + 1, event)) }
            @if preview.is_cut { p.quiet-text { (visit.t("There are more logs in the sample.", "样例中还有更多日志。")) } }
            @if let Some(first) = preview.events.first() { (captured(tried, first)) }
        } @else if tried.errors.is_empty() {
            p.quiet-text { (visit.t("Paste a sample to see what becomes of it.", "粘贴日志样例以预览解析结果。")) }
        }
        @if let Some(yaml) = yaml {
            details {
                summary { (visit.t("Show as AliyunLogConfig YAML", "以 AliyunLogConfig YAML 显示")) }
                pre #yaml tabindex="0" { (yaml) }
            }
        }
    }
}

/// What a `log_format` stands for.
fn derived(visit: &Visit, tried: &Tried) -> Markup {
    html! {
        dl.facts {
            dt { (visit.t("Regex", "正则")) } dd { code { (tried.regex) } }
            dt { (visit.t("Keys", "Key")) } dd { code { (tried.keys.join(", ")) } }
            @if let Some((key, format)) = &tried.time { dt { (visit.t("Time", "时间")) } dd { code { (key) " " (format) } } }
        }
        button type="submit" name="do" value="to-regex" { (visit.t("Go on with this regex", "转为完整正则模式")) }
    }
}

/// One log: its text with what the fields take of it, and the fields.
fn log(visit: &Visit, number: usize, event: &Previewed) -> Markup {
    let (class, fate) = match event.fate {
        Fate::Sent => ("badge good", visit.t("sent", "上传")),
        Fate::SentRaw => {
            ("badge warn", visit.t("does not match, sent in __raw_log__", "解析失败，存入 __raw_log__"))
        }
        Fate::Unmatched => ("badge bad", visit.t("does not match, dropped", "解析失败，丢弃")),
        Fate::Stray => ("badge bad", visit.t("part of no record, dropped", "不属于任何日志，丢弃")),
        Fate::Filtered => ("badge warn", visit.t("held back by a filter", "被过滤")),
    };
    html! {
        section.log aria-label={ (visit.t("Log ", "日志 ")) (number) } {
            p { strong { (number) } " " span class=(class) { (fate) } }
            pre.sample { @for part in parts(event) { (part) } }
            @if let Some(place) = &event.mismatch {
                p.error {
                    @match place.pattern_column {
                        Some(column) => {
                            (visit.t("It matches up to the mark; there the regex has ", "匹配至标记处，此处正则为 ")) code { (place.pattern_rest) }
                            " (" (visit.t("column ", "第 ")) (column) (visit.t("", " 列")) ")"
                        }
                        None => (visit.t("The regex ends at the mark, the log goes on.", "正则在标记处结束，日志仍有剩余。")),
                    }
                }
            }
            @if !event.fields.is_empty() {
                div.scroll { table.fields {
                    thead { tr { th { "#" } th { (visit.t("Key", "Key")) } th { (visit.t("Value", "值")) } } }
                    tbody {
                        @for (place, field) in event.fields.iter().enumerate() {
                            tr {
                                td { span class=(colour(place)) { (place + 1) } }
                                th scope="row" { bdi { (field.key) } }
                                td { bdi { (cut(&String::from_utf8_lossy(&field.value))) } }
                            }
                        }
                        tr {
                            td {} th scope="row" { "__time__" }
                            td {
                                (time(i64::from(event.time.seconds)))
                                @match event.has_own_time {
                                    Some(true) => {}
                                    Some(false) => { " " span.badge.bad { (visit.t("does not fit its format: time of collection", "与时间格式不符，使用采集时间")) } }
                                    None => { " " span.quiet-text { (visit.t("of collection", "采集时间")) } }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn colour(place: usize) -> String {
    format!("part part-{}", place % COLOURS + 1)
}

/// The text of a log in pieces, those of fields marked with their numbers; the mark of a mismatch stands where it is.
fn parts(event: &Previewed) -> Vec<Markup> {
    let letters: Vec<char> = event.text.chars().take(TEXT_CHARS_MAX).collect();
    let text = |from: usize, to: usize| {
        letters.get(from..to.min(letters.len())).unwrap_or_default().iter().collect::<String>()
    };
    let mut placed: Vec<(usize, usize, usize, &Field)> = event
        .fields
        .iter()
        .enumerate()
        .filter_map(|(number, field)| field.place.map(|(start, end)| (start, end, number, field)))
        .filter(|(start, end, ..)| start < end)
        .collect();
    placed.sort_by_key(|(start, end, ..)| (*start, *end));
    let mut made = Vec::new();
    let mut at = 0;
    for (start, end, number, field) in placed {
        // Groups in groups are shown by the outer one.
        if start < at || start >= letters.len() {
            continue;
        }
        made.push(html! { (visible(&text(at, start))) });
        made.push(html! { mark class=(colour(number)) title=(field.key) { (visible(&text(start, end))) sub { (number + 1) } } });
        at = end;
    }
    match &event.mismatch {
        Some(place) => {
            let good = event.text.get(..place.text_offset).map_or(0, |before| before.chars().count());
            made.push(html! { span.matched { (visible(&text(0, good))) } strong.here aria-hidden="true" { "▲" } (visible(&text(good, letters.len()))) });
        }
        None => made.push(html! { (visible(&text(at, letters.len()))) }),
    }
    if event.text.chars().nth(TEXT_CHARS_MAX).is_some() {
        made.push(html! { "…" });
    }
    made
}

/// Control characters as their pictures.
fn visible(text: &str) -> String {
    let shown = text.chars().map(|letter| match letter {
        '\n' | '\t' => letter,
        control @ '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(control)).unwrap_or(control),
        '\x7f' => '\u{2421}',
        other => other,
    });
    shown.collect()
}

fn cut(text: &str) -> String {
    let mut shown: String = visible(&text.chars().take(TEXT_CHARS_MAX).collect::<String>());
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// The values of the first log, for the script to show beside the keys.
fn captured(tried: &Tried, first: &Previewed) -> Markup {
    html! {
        ul #captured hidden {
            @for key in &tried.keys {
                @let field = first.fields.iter().find(|field| field.key == *key);
                li { (field.map(|field| cut(&String::from_utf8_lossy(&field.value))).unwrap_or_default()) }
            }
        }
    }
}
