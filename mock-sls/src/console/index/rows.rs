//! The form's fields as an index. What the form has no field for stays as it is.

use std::collections::BTreeMap;

use sls_api::ops::indexes::{Index, IndexKey, IndexLine, IndexType, JsonKey};

use super::super::forms::Pairs;
use super::super::problem::Problem;

/// Rows of a form. Source: own choice, above what an index may have by the limits document.
const ROWS_MAX: usize = 1_000;

/// The separators of new indexes. Source: the default of the service's console.
pub(super) const TOKENS: &str = ", '\";=()[]{}?@&<>/:\n\t\r";

/// The index of a form, on top of that which there is.
pub(super) fn sent(form: &Pairs, current: Index) -> Result<Index, Problem> {
    let exact = |name: &str| form.all(name).next().unwrap_or_default().to_owned();
    let line = form.ticked("line").then(|| IndexLine {
        token: tokens(&exact("line-tokens")),
        case_sensitive: form.ticked("line-case"),
        chn: form.ticked("line-chn"),
        ..current.line.clone().unwrap_or_default()
    });
    let rows: usize = form.number("rows")?.unwrap_or(0);
    if rows > ROWS_MAX {
        return Err(Problem::bad(format!("an index has at most {ROWS_MAX} fields here, not {rows}")));
    }
    let mut before = current.keys.unwrap_or_default();
    let mut keys = BTreeMap::new();
    for row in 0..rows {
        let field = |name: &str| format!("{name}-{row}");
        let Some(name) = form.filled(&field("name")) else { continue };
        let kind = kind(form.text(&field("type")))?;
        let is_text = matches!(kind, IndexType::Text | IndexType::Json);
        let old = before.remove(name);
        let is_json = kind == IndexType::Json;
        let key = IndexKey {
            kind,
            token: if is_text { tokens(&exact(&field("tokens"))) } else { Vec::new() },
            case_sensitive: is_text && form.ticked(&field("case")),
            chn: is_text.then(|| form.ticked(&field("chn"))),
            doc_value: Some(form.ticked(&field("analytics"))),
            alias: form.filled(&field("alias")).map(str::to_owned),
            index_all: is_json.then(|| form.ticked(&field("all"))),
            max_depth: if is_json { form.number(&field("depth"))? } else { None },
            json_keys: if is_json { Some(sub_keys(name, &exact(&field("sub")))?) } else { None },
            other: old.map(|key| key.other).unwrap_or_default(),
        };
        if keys.insert(name.to_owned(), key).is_some() {
            return Err(Problem::bad(format!("the field {name:?} is there twice")));
        }
    }
    Ok(Index {
        line,
        keys: Some(keys).filter(|keys| !keys.is_empty()),
        max_text_len: form.number("text-bytes")?.or(current.max_text_len),
        last_modify_time: None,
        index_mode: None,
        storage: None,
        ..current_rest(current.ttl, current.log_reduce, current.other)
    })
}

fn current_rest(
    ttl: Option<i64>,
    log_reduce: Option<bool>,
    other: serde_json::Map<String, serde_json::Value>,
) -> Index {
    Index { ttl, log_reduce, other, ..Index::default() }
}

fn kind(name: &str) -> Result<IndexType, Problem> {
    match name {
        "text" => Ok(IndexType::Text),
        "long" => Ok(IndexType::Long),
        "double" => Ok(IndexType::Double),
        "json" => Ok(IndexType::Json),
        other => Err(Problem::bad(format!("a field has no type {other:?}; use text, long, double or json"))),
    }
}

/// The name of a type.
pub(super) fn kind_name(kind: IndexType) -> &'static str {
    match kind {
        IndexType::Text => "text",
        IndexType::Long => "long",
        IndexType::Double => "double",
        IndexType::Json => "json",
    }
}

/// Fields inside a JSON field, one a line: path, type, and an alias if it has one.
fn sub_keys(field: &str, lines: &str) -> Result<BTreeMap<String, JsonKey>, Problem> {
    let mut keys = BTreeMap::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let path = words.next().unwrap_or_default();
        let kind = kind(words.next().unwrap_or("text"))?;
        if kind == IndexType::Json {
            return Err(Problem::bad(format!(
                "{field}: {path} is inside a json field: use text, long or double"
            )));
        }
        keys.insert(
            path.to_owned(),
            JsonKey { kind, doc_value: true, alias: words.next().map(str::to_owned) },
        );
    }
    Ok(keys)
}

/// The lines that [`sub_keys`] reads.
pub(super) fn sub_lines(keys: &BTreeMap<String, JsonKey>) -> String {
    let lines = keys.iter().map(|(path, key)| {
        let alias = key.alias.as_deref().map(|alias| format!(" {alias}")).unwrap_or_default();
        format!("{path} {}{alias}\n", kind_name(key.kind))
    });
    lines.collect()
}

/// Separators as they are typed: `\n`, `\t`, `\r` and `\\` stand for one character each.
fn tokens(typed: &str) -> Vec<String> {
    let mut made = Vec::new();
    let mut letters = typed.chars();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            letter => letter,
        };
        let token = letter.to_string();
        if !made.contains(&token) {
            made.push(token);
        }
    }
    made
}

/// Separators as they are typed.
pub(super) fn typed(tokens: &[String]) -> String {
    let one = |token: &String| match token.as_str() {
        "\n" => r"\n".to_owned(),
        "\t" => r"\t".to_owned(),
        "\r" => r"\r".to_owned(),
        "\\" => r"\\".to_owned(),
        other => other.to_owned(),
    };
    tokens.iter().map(one).collect()
}

/// The separators of new indexes, one by one.
pub(super) fn default_tokens() -> Vec<String> {
    TOKENS.chars().map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_survive_being_typed() {
        let all: Vec<String> = TOKENS.chars().chain(['\\', '|', '日']).map(String::from).collect();
        assert_eq!(tokens(&typed(&all)), all);
        assert_eq!(tokens("aa"), ["a"]);
        assert_eq!(tokens("\\"), ["\\"]);
    }

    #[test]
    fn sub_keys_survive_being_typed() {
        let keys = sub_keys("f", "a.b long\n\n c text other\nd\n").unwrap();
        assert_eq!(sub_lines(&keys), "a.b long\nc text other\nd text\n");
        assert!(sub_keys("f", "a json").is_err() && sub_keys("f", "a bool").is_err());
    }
}
