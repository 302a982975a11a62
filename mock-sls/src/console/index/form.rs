//! The form of an index: the full text, and a row for each field.

use maud::{Markup, html};
use sls_api::ops::indexes::{Index, IndexKey, IndexType};

use super::super::fields::{code, number, tick};
use super::super::page::csrf;
use super::super::place::InLogstore;
use super::super::visit::Visit;
use super::rows::{default_tokens, kind_name, sub_lines, typed};

/// Rows without a field, to be filled.
const BLANK_ROWS: usize = 2;

/// The form.
pub(super) fn form(visit: &Visit, at: &InLogstore, index: &Index) -> Markup {
    let line = index.line.clone();
    let tokens = line.as_ref().map_or_else(default_tokens, |line| line.token.clone());
    let keys = index.keys.clone().unwrap_or_default();
    let rows = keys.len() + BLANK_ROWS;
    html! {
        form #index method="post" action={ (at.path()) "/index" } {
            (csrf(visit))
            fieldset {
                legend { (visit.t("Full text", "全文索引")) }
                (tick("line", visit.t("Words are found in every field", "开启全文索引"), line.is_some(), ""))
                (code("line-tokens", visit.t("Characters that separate words", "分词符"), &typed(&tokens), visit.t("\\n, \\t and \\r are newline, tab and carriage return, \\\\ is a backslash", "\\n、\\t、\\r 为换行、制表与回车，\\\\ 为反斜杠")))
                div.row {
                    (tick("line-case", visit.t("Case counts", "大小写敏感"), line.as_ref().is_some_and(|line| line.case_sensitive), ""))
                    (tick("line-chn", visit.t("Chinese text is cut into words", "包含中文"), line.as_ref().is_some_and(|line| line.chn), ""))
                }
            }
            fieldset {
                legend { (visit.t("Fields", "字段索引")) }
                p.hint { (visit.t("A field is searched as name: value. SQL uses those with analytics. Empty a name to take the field away.", "以 字段名: 值 查询；开启统计的字段可用于 SQL。清空名称即删除该字段。")) }
                input #rows type="hidden" name="rows" value=(rows);
                div.scroll { table.index {
                    thead { tr {
                        th { (visit.t("Name", "字段名称")) } th { (visit.t("Type", "类型")) } th { (visit.t("Alias", "别名")) }
                        th { (visit.t("Separators", "分词符")) } th { (visit.t("Case", "大小写敏感")) } th { (visit.t("Chinese", "包含中文")) }
                        th { (visit.t("Analytics", "开启统计")) } th { (visit.t("Inside of JSON", "JSON 子字段")) }
                    } }
                    tbody #fields {
                        @for (row, (name, key)) in keys.iter().enumerate() { (field(visit, row, name, Some(key))) }
                        @for row in keys.len()..rows { (field(visit, row, "", None)) }
                    }
                } }
                button #add type="button" hidden { (visit.t("Another field", "添加字段")) }
            }
            (number("text-bytes", visit.t("Longest text value that SQL sees, in bytes", "统计字段最大长度（字节）"), index.max_text_len, "64 – 16384"))
            div.actions { button.primary type="submit" { (visit.t("Save", "保存")) } }
        }
    }
}

fn field(visit: &Visit, row: usize, name: &str, key: Option<&IndexKey>) -> Markup {
    let kind = key.map_or(IndexType::Text, |key| key.kind);
    let tokens = match key.filter(|key| !key.token.is_empty()) {
        Some(key) => typed(&key.token),
        None => typed(&default_tokens()),
    };
    let sub = key.and_then(|key| key.json_keys.as_ref()).map(sub_lines).unwrap_or_default();
    let label = |english: &'static str, chinese: &'static str| {
        let of = if name.is_empty() { (row + 1).to_string() } else { name.to_owned() };
        format!("{} {of}", visit.t(english, chinese))
    };
    let tick = |id: &str, text: String, ticked: bool| {
        html! { input type="checkbox" name={ (id) "-" (row) } value="true" checked[ticked] aria-label=(text); }
    };
    html! {
        tr {
            td { input.code name={ "name-" (row) } value=(name) autocomplete="off" spellcheck="false" aria-label=(label("Name of field", "字段名称")); }
            td {
                select name={ "type-" (row) } aria-label=(label("Type of", "类型")) {
                    @for known in [IndexType::Text, IndexType::Long, IndexType::Double, IndexType::Json] {
                        option value=(kind_name(known)) selected[known == kind] { (kind_name(known)) }
                    }
                }
            }
            td { input.code name={ "alias-" (row) } value=(key.and_then(|key| key.alias.as_deref()).unwrap_or_default()) autocomplete="off" aria-label=(label("Alias of", "别名")); }
            td { input.code name={ "tokens-" (row) } value=(tokens) autocomplete="off" spellcheck="false" aria-label=(label("Separators of", "分词符")); }
            td { (tick("case", label("Case counts in", "大小写敏感"), key.is_some_and(|key| key.case_sensitive))) }
            td { (tick("chn", label("Chinese in", "包含中文"), key.and_then(|key| key.chn).unwrap_or_default())) }
            td { (tick("analytics", label("Analytics of", "开启统计"), key.is_none_or(|key| key.doc_value.unwrap_or_default()))) }
            td {
                details open[!sub.is_empty()] {
                    summary { (visit.t("Fields in it", "子字段")) }
                    textarea.code name={ "sub-" (row) } rows="3" spellcheck="false" placeholder="user.id long" aria-label=(label("Path, type, alias, one a line, in", "路径 类型 别名，每行一个")) { "\n" (sub) }
                    label.tick { (tick("all", label("All texts in", "索引全部文本"), key.and_then(|key| key.index_all).unwrap_or_default())) span { (visit.t("all texts in it", "索引全部文本")) } }
                    input.short type="number" name={ "depth-" (row) } value=[key.and_then(|key| key.max_depth)] placeholder="-1" aria-label=(label("Levels of", "最大深度"));
                }
            }
        }
    }
}
