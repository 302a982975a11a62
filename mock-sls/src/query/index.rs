//! The index of a Logstore as the query sees it: which fields can be searched, how their text
//! is cut, and which of them are SQL columns.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sls_api::ops::indexes::{Index, IndexKey, IndexLine, IndexType};

use super::tokenizer::Tokenizer;

/// Text of one value that SQL sees when the index does not say, characters.
/// Source: general knowledge of the product; 64 to 16384 can be set.
pub const DEFAULT_MAX_TEXT_LEN: usize = 2048;

/// A validated index.
#[derive(Debug, Clone, Default)]
pub struct IndexConfig {
    /// Full-text index.
    pub line: Option<LineIndex>,
    keys: Vec<KeyIndex>,
    by_name: HashMap<String, usize>,
    /// Longest text of one value in SQL, characters.
    pub max_text_len: usize,
}

/// The full-text index.
#[derive(Debug, Clone)]
pub struct LineIndex {
    /// How text is cut.
    pub tokenizer: Arc<Tokenizer>,
    /// Only these fields, when given.
    pub include: Option<HashSet<String>>,
    /// Not these fields.
    pub exclude: HashSet<String>,
}

impl LineIndex {
    /// Whether the field called `key` belongs to the full text.
    pub fn covers(&self, key: &[u8]) -> bool {
        if self.include.is_none() && self.exclude.is_empty() {
            return true;
        }
        let Ok(key) = std::str::from_utf8(key) else {
            return self.include.is_none();
        };
        let included = self.include.as_ref().is_none_or(|include| include.contains(key));
        included && !self.exclude.contains(key)
    }
}

/// The index of one field.
#[derive(Debug, Clone)]
pub struct KeyIndex {
    /// Name of the field; tags are called `__tag__:name`.
    pub name: String,
    /// Second name in SQL.
    pub alias: Option<String>,
    /// Whether SQL sees it.
    pub doc_value: bool,
    /// What its values are.
    pub kind: KeyKind,
}

/// Type of an indexed field.
#[derive(Debug, Clone)]
pub enum KeyKind {
    /// Words.
    Text(Arc<Tokenizer>),
    /// Whole numbers.
    Long,
    /// Decimal numbers.
    Double,
    /// A JSON document.
    Json(JsonIndex),
}

/// The index of a JSON field.
#[derive(Debug, Clone)]
pub struct JsonIndex {
    /// How its texts are cut.
    pub tokenizer: Arc<Tokenizer>,
    /// The leaves that are indexed, by path (`a.b`).
    pub leaves: Vec<KeyIndex>,
    /// Whether every other leaf is indexed as text.
    pub index_all: bool,
}

/// What a searched key refers to.
#[derive(Debug, Clone)]
pub enum Indexed<'i> {
    /// A field, tag or reserved field of its own.
    Field(&'i KeyIndex),
    /// A leaf of a JSON field. Its kind is never [`KeyKind::Json`].
    Leaf {
        /// The JSON field.
        container: &'i str,
        /// Path in it.
        path: &'i str,
        /// What the leaf is.
        kind: KeyKind,
    },
    /// A reserved field or tag that is indexed whatever the index says.
    Reserved,
}

impl IndexConfig {
    /// An index of these parts. A later key of the same name replaces an earlier one.
    pub fn new(line: Option<LineIndex>, keys: Vec<KeyIndex>, max_text_len: usize) -> Self {
        let by_name = keys.iter().enumerate().map(|(at, key)| (key.name.clone(), at)).collect();
        Self { line, keys, by_name, max_text_len }
    }

    /// The indexed fields, in the order of the configuration.
    pub fn keys(&self) -> &[KeyIndex] {
        &self.keys
    }

    /// The index of the field called `name`.
    pub fn key(&self, name: &str) -> Option<&KeyIndex> {
        self.by_name.get(name).and_then(|&at| self.keys.get(at))
    }

    /// What `name` means in `name:value`, if it is indexed.
    pub fn resolve<'i>(&'i self, name: &'i str) -> Option<Indexed<'i>> {
        if let Some(key) = self.key(name) {
            return Some(Indexed::Field(key));
        }
        if matches!(name, "__topic__" | "__source__") || name.starts_with("__tag__:") {
            return Some(Indexed::Reserved);
        }
        name.match_indices('.').find_map(|(dot, _)| self.leaf(&name[..dot], &name[dot + 1..]))
    }

    fn leaf<'i>(&'i self, container: &'i str, path: &'i str) -> Option<Indexed<'i>> {
        let KeyKind::Json(json) = &self.key(container)?.kind else {
            return None;
        };
        let kind = match json.leaves.iter().find(|leaf| leaf.name == path) {
            Some(leaf) => leaf.kind.clone(),
            None if json.index_all => KeyKind::Text(json.tokenizer.clone()),
            None => return None,
        };
        Some(Indexed::Leaf { container, path, kind })
    }
}

impl From<&Index> for IndexConfig {
    fn from(index: &Index) -> Self {
        let keys = index.keys.iter().flatten().map(|(name, key)| KeyIndex::new(name, key)).collect();
        let max_text_len = index.max_text_len.and_then(|length| usize::try_from(length).ok());
        Self::new(
            index.line.as_ref().map(LineIndex::from),
            keys,
            max_text_len.unwrap_or(DEFAULT_MAX_TEXT_LEN),
        )
    }
}

impl From<&IndexLine> for LineIndex {
    fn from(line: &IndexLine) -> Self {
        Self {
            tokenizer: tokenizer(&line.token, line.case_sensitive, line.chn),
            include: line.include_keys.as_ref().map(|keys| keys.iter().cloned().collect()),
            exclude: line.exclude_keys.iter().flatten().cloned().collect(),
        }
    }
}

impl KeyIndex {
    fn new(name: &str, key: &IndexKey) -> Self {
        let tokenizer = tokenizer(&key.token, key.case_sensitive, key.chn.unwrap_or_default());
        Self {
            name: name.to_owned(),
            alias: alias(key.alias.as_ref()),
            doc_value: key.doc_value.unwrap_or_default(),
            kind: match key.kind {
                IndexType::Json => KeyKind::Json(json_index(key, tokenizer)),
                scalar => scalar_kind(scalar, tokenizer),
            },
        }
    }
}

fn json_index(key: &IndexKey, tokenizer: Arc<Tokenizer>) -> JsonIndex {
    let leaves = key.json_keys.iter().flatten().map(|(path, leaf)| KeyIndex {
        name: path.clone(),
        alias: alias(leaf.alias.as_ref()),
        doc_value: leaf.doc_value,
        kind: scalar_kind(leaf.kind, tokenizer.clone()),
    });
    JsonIndex { leaves: leaves.collect(), index_all: key.index_all.unwrap_or_default(), tokenizer }
}

/// The kind of a field that is not taken apart; a JSON leaf declared as JSON is text.
fn scalar_kind(kind: IndexType, tokenizer: Arc<Tokenizer>) -> KeyKind {
    match kind {
        IndexType::Long => KeyKind::Long,
        IndexType::Double => KeyKind::Double,
        IndexType::Text | IndexType::Json => KeyKind::Text(tokenizer),
    }
}

fn alias(alias: Option<&String>) -> Option<String> {
    alias.filter(|name| !name.is_empty()).cloned()
}

fn tokenizer(tokens: &[String], case_sensitive: bool, chinese: bool) -> Arc<Tokenizer> {
    Arc::new(Tokenizer::new(tokens.iter().flat_map(|token| token.chars()), case_sensitive, chinese))
}
