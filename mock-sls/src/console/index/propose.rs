//! Fields of recent logs, with the types that fit all their values.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use prost::Message;
use serde_json::Value;
use sls_api::log_group::LogGroup;
use sls_api::ops::indexes::{Index, IndexKey, IndexLine, IndexType, JsonKey};

use super::super::Console;
use super::super::place::InLogstore;
use super::super::problem::Problem;
use super::rows::default_tokens;
use crate::query::source::Order;
use crate::store::blocks::{self, BlockMeta, Blocks};
use crate::store::logstores::read_target;

/// Log groups that are looked at, the youngest first.
const BLOCKS_MAX: usize = 50;
/// Logs that are looked at.
const LOGS_MAX: usize = 1_000;
/// Bytes of values that are looked at: of longer ones the type is text.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Fields that are proposed.
const FIELDS_MAX: usize = 100;
/// Fields inside of one JSON field that are proposed.
const SUB_FIELDS_MAX: usize = 50;
/// Levels of JSON that are looked into.
const DEPTH_MAX: usize = 4;

/// An index of all text, with the separators of the service's console.
pub(super) fn full_text() -> Index {
    Index { line: Some(IndexLine { token: default_tokens(), ..IndexLine::default() }), ..Index::default() }
}

/// Adds to an index the fields of recent logs that it does not have; returns how many.
pub(super) async fn add_to(console: &Console, at: &InLogstore, index: &mut Index) -> Result<usize, Problem> {
    let now = console.app.clock.now();
    let name = at.logstore.clone();
    let look = console.look(&at.project, move |db, project| {
        let target = read_target(db, project, &name, now)?;
        let mut found: Vec<BlockMeta> = Vec::new();
        blocks::scan(db, target, 0, i64::from(u32::MAX), None, Order::NewestFirst, &mut |block| {
            found.push(*block);
            if found.len() < BLOCKS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let mut blocks = Blocks::new(db)?;
        let mut seen = Seen::default();
        for block in &found {
            if let Ok(group) = LogGroup::decode(blocks.read(block)?) {
                seen.add(&group);
            }
        }
        Ok(seen)
    });
    let seen = look.await?;
    let keys = index.keys.get_or_insert_default();
    let before = keys.len();
    for (name, kinds) in seen.fields {
        if keys.len() - before < FIELDS_MAX {
            keys.entry(name).or_insert_with(|| kinds.key());
        }
    }
    Ok(keys.len() - before)
}

/// The fields that were seen.
#[derive(Default)]
struct Seen {
    logs: usize,
    fields: BTreeMap<String, Kinds>,
}

impl Seen {
    fn add(&mut self, group: &LogGroup) {
        for log in &group.logs {
            if self.logs >= LOGS_MAX {
                return;
            }
            self.logs += 1;
            for content in &log.contents {
                let is_own = content.key.starts_with("__") && content.key.ends_with("__");
                if content.key.is_empty() || is_own {
                    continue;
                }
                self.fields.entry(content.key.clone()).or_default().add(&content.value);
            }
        }
    }
}

/// What all values of a field may be.
#[derive(Default)]
struct Kinds {
    values: usize,
    longs: usize,
    doubles: usize,
    objects: usize,
    inside: BTreeMap<String, Kinds>,
}

impl Kinds {
    fn add(&mut self, value: &[u8]) {
        let text = std::str::from_utf8(value).unwrap_or_default().trim();
        // Says nothing of the type.
        if value.is_empty() || text == "-" {
            return;
        }
        self.values += 1;
        if text.parse::<i64>().is_ok() {
            self.longs += 1;
        }
        if text.parse::<f64>().is_ok_and(f64::is_finite) {
            self.doubles += 1;
        }
        if text.starts_with('{')
            && text.len() <= VALUE_BYTES_MAX
            && let Ok(Value::Object(object)) = serde_json::from_str(text)
        {
            self.objects += 1;
            for (name, value) in &object {
                self.look_inside(name.clone(), value, 1);
            }
        }
    }

    fn look_inside(&mut self, path: String, value: &Value, depth: usize) {
        match value {
            Value::Object(object) if depth < DEPTH_MAX => {
                for (name, value) in object {
                    self.look_inside(format!("{path}.{name}"), value, depth + 1);
                }
            }
            Value::Object(_) | Value::Array(_) | Value::Null => {}
            value => {
                if path.contains(char::is_whitespace)
                    || (self.inside.len() >= SUB_FIELDS_MAX && !self.inside.contains_key(&path))
                {
                    return;
                }
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let kinds = self.inside.entry(path).or_default();
                kinds.values += 1;
                // Only numbers of JSON are numbers there.
                kinds.longs += usize::from(value.is_i64() && text.parse::<i64>().is_ok());
                kinds.doubles += usize::from(value.is_number());
            }
        }
    }

    fn kind(&self) -> IndexType {
        match self.values {
            0 => IndexType::Text,
            all if self.longs == all => IndexType::Long,
            all if self.doubles == all => IndexType::Double,
            all if self.objects == all => IndexType::Json,
            _ => IndexType::Text,
        }
    }

    fn key(&self) -> IndexKey {
        let kind = self.kind();
        let is_text = matches!(kind, IndexType::Text | IndexType::Json);
        let inside = || {
            let keys = self.inside.iter().map(|(path, kinds)| {
                (path.clone(), JsonKey { kind: kinds.kind(), doc_value: true, alias: None })
            });
            keys.collect()
        };
        IndexKey {
            kind,
            token: if is_text { default_tokens() } else { Vec::new() },
            case_sensitive: false,
            chn: None,
            doc_value: Some(true),
            alias: None,
            index_all: (kind == IndexType::Json).then_some(true),
            max_depth: None,
            json_keys: (kind == IndexType::Json).then(inside),
            other: serde_json::Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(values: &[&str]) -> IndexType {
        let mut kinds = Kinds::default();
        values.iter().for_each(|value| kinds.add(value.as_bytes()));
        kinds.kind()
    }

    #[test]
    fn a_type_fits_all_values() {
        assert_eq!(kind_of(&["1", "-20", "-", ""]), IndexType::Long);
        assert_eq!(kind_of(&["1", "0.5"]), IndexType::Double);
        assert_eq!(kind_of(&["1", "x"]), IndexType::Text);
        assert_eq!(kind_of(&["nan", "inf"]), IndexType::Text);
        assert_eq!(kind_of(&[]), IndexType::Text);
        assert_eq!(kind_of(&["{}", "{\"a\": 1}"]), IndexType::Json);
        assert_eq!(kind_of(&["{}", "{broken"]), IndexType::Text);
    }

    #[test]
    fn json_is_looked_into() {
        let mut kinds = Kinds::default();
        kinds.add(br#"{"user": {"id": 7, "name": "ann"}, "ms": 1.5, "list": [1], "none": null}"#);
        kinds.add(br#"{"user": {"id": "7"}, "ms": 2}"#);
        let inside = kinds.key().json_keys.unwrap();
        let shown: Vec<_> = inside.iter().map(|(path, key)| (path.as_str(), key.kind)).collect();
        assert_eq!(
            shown,
            [("ms", IndexType::Double), ("user.id", IndexType::Text), ("user.name", IndexType::Text)]
        );
    }
}
