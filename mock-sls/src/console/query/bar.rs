//! The form above the logs: query, time, and how they are shown. Works without a script; one adds colours, completion
//! and the queries of before.

use maud::{Markup, html};
use serde_json::{Map, Value};
use sls_api::ops::indexes::{Index, IndexType};

use super::range::{Range, field_value};
use super::searches::Saved;
use super::view::{SIZES, Shape, View};
use crate::console::place::InLogstore;
use crate::console::visit::Visit;

/// Fields that completion offers. Own choice: they are part of the page.
const FIELDS_MAX: usize = 300;

/// The form, for logs of these seconds.
pub fn bar(
    visit: &Visit,
    at: &InLogstore,
    view: &View,
    window: (i64, i64),
    index: Option<&Index>,
    saved: &Saved,
) -> Markup {
    let zone = view.zone();
    html! {
        form.query #query method="get" action=(at.path()) role="search"
            data-fields=(index.map(fields).unwrap_or_default())
            data-line[index.is_some_and(|index| index.line.is_some())]
            data-path=(at.path()) data-from=(window.0) data-to=(window.1) data-view=(view.shape.name()) {
            input type="hidden" name="view" value=(view.shape.name());
            input type="hidden" name="zone" value=(view.zone_name);
            @for column in &view.columns { input type="hidden" name="col" value=(column); }
            @for (name, value) in &view.others { input type="hidden" name=(name) value=(value); }
            div.query-row {
                div.query-box {
                    label.visually-hidden for="q" { (visit.t("Query", "查询语句")) }
                    // The first line end behind the tag is not part of the value.
                    textarea.code #q name="q" rows="1" spellcheck="false" autocomplete="off" autocapitalize="off"
                        placeholder=(visit.t("status:404 and path:\"/api\" | select …", "status:404 and path:\"/api\" | select …"))
                        aria-describedby="query-error" { "\n" (view.query) }
                }
                button.primary type="submit" { (visit.t("Search", "查询")) }
            }
            div.row.options {
                label { span.label { (visit.t("Time", "时间")) }
                    select name="range" {
                        @for (name, text) in Range::choices(visit) {
                            option value=(name) selected[view.range.name() == name] { (text) }
                        }
                    }
                }
                span.moments {
                    label { span.label { (visit.t("From", "从")) " " span.zone { "(" (zone_text(view)) ")" } }
                        input type="datetime-local" step="1" name="from" value=(field_value(window.0, &zone)) data-second=(window.0);
                    }
                    label { span.label { (visit.t("To", "到")) }
                        input type="datetime-local" step="1" name="to" value=(field_value(window.1, &zone)) data-second=(window.1);
                    }
                }
                label { span.label { (visit.t("Order", "排序")) }
                    select name="order" {
                        option value="desc" selected[view.newest_first] { (visit.t("newest first", "最新优先")) }
                        option value="asc" selected[!view.newest_first] { (visit.t("oldest first", "最早优先")) }
                    }
                }
                label { span.label { (visit.t("Per page", "每页")) }
                    select name="size" {
                        @for size in SIZES { option value=(size) selected[view.size == size] { (size) } }
                    }
                }
            }
        }
        div.row.kept {
            (saved.shown(visit, at, view))
            (language(visit))
        }
    }
}

/// The query language in a few lines.
fn language(visit: &Visit) -> Markup {
    let examples = [
        ("error timeout", visit.t("both words, in any order", "同时包含两个词，顺序不限")),
        ("error or not timeout", visit.t("and, or, not; parentheses", "and、or、not 与括号")),
        ("status:404", visit.t("a field has this word or number", "字段包含该词或数值")),
        ("path:\"/api v1\"", visit.t("quotes where a value has blanks or signs", "值含空格或符号时使用引号")),
        ("path:ab*", visit.t("beginning of a word", "词的前缀")),
        (
            "status >= 500",
            visit.t("fields of numbers; also status in [500 599]", "数值字段；也可写作 status in [500 599]"),
        ),
        ("__tag__:__path__:\"/var/log/a.log\"", visit.t("a tag", "标签")),
        ("#\"connection reset\"", visit.t("a phrase", "短语")),
        (
            "* | select status, count(*) as n group by status",
            visit.t("SQL over what is found", "对查询结果做 SQL 分析"),
        ),
    ];
    html! {
        details {
            summary { (visit.t("Query language", "查询语法")) }
            div.card { dl.facts { @for (query, meaning) in examples { dt { code { (query) } } dd { (meaning) } } } }
        }
    }
}

fn zone_text(view: &View) -> &str {
    if view.zone_name.is_empty() { "UTC" } else { &view.zone_name }
}

/// Links to the ways in which logs can be shown.
pub fn shapes(visit: &Visit, at: &InLogstore, view: &View) -> Markup {
    let link = |shape: Shape, text: &str| {
        let to = View { shape, offset: if shape == Shape::Tail { 0 } else { view.offset }, ..view.clone() };
        html! {
            a.button href=(to.link(at, "")) data-shape=(shape.name()) aria-current=[(view.shape == shape).then_some("true")] { (text) }
        }
    };
    html! {
        nav.shapes aria-label=(visit.t("How logs are shown", "显示方式")) {
            (link(Shape::Raw, visit.t("Raw", "原始日志")))
            (link(Shape::Table, visit.t("Table", "表格")))
            (link(Shape::Tail, visit.t("Live tail", "实时日志")))
        }
    }
}

/// Names and types of the indexed fields as JSON, for completion.
fn fields(index: &Index) -> String {
    let name_of = |kind: IndexType| match kind {
        IndexType::Text => "text",
        IndexType::Long => "long",
        IndexType::Double => "double",
        IndexType::Json => "json",
    };
    let mut fields = Map::new();
    for (name, key) in index.keys.iter().flatten() {
        fields.insert(name.clone(), name_of(key.kind).into());
        for (path, inner) in key.json_keys.iter().flatten() {
            fields.insert(format!("{name}.{path}"), name_of(inner.kind).into());
        }
    }
    Value::Object(fields.into_iter().take(FIELDS_MAX).collect()).to_string()
}
