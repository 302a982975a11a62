//! A text searched anywhere in a log.
//!
//! Fields with an index of their own are cut as that says, all others as the full-text index
//! says ("field index wins"). A text is cut once for every way of cutting; ways that give the
//! same words are one [`Group`], so that the words may be spread over their fields.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{
    compile::{glyphs, needles},
    indexed_part,
};
use crate::query::{
    QueryError,
    expr::Text,
    index::{IndexConfig, JsonIndex, KeyKind, LineIndex},
    json_leaf,
    log_view::LogView,
    needle::Needle,
    tokenizer::{QueryWord, Tokenizer},
};

/// A text to be found in any searchable field of a log.
#[derive(Debug, Clone)]
pub struct FullText {
    /// Fields with an index of their own.
    fields: Box<[OwnField]>,
    /// All other fields, if there is a full-text index, and its way of cutting.
    line: Option<(LineIndex, WayId)>,
    /// Whether names of the full text's fields are words too.
    names: bool,
    ways: Vec<Way>,
    groups: Vec<Group>,
    /// Whether the words of the only group are in a field's text as they are, not behind the
    /// escapes of JSON; one needle per word that rules most fields out before they are looked up.
    plain: Option<Box<[Needle]>>,
    /// A phrase, which must stand as written in one field.
    phrase: bool,
}

/// Position of a [`Way`].
pub(super) type WayId = usize;

/// A way of cutting, and the text cut so.
#[derive(Debug, Clone)]
struct Way {
    tokenizer: Arc<Tokenizer>,
    group: usize,
    /// One per word of the group.
    needles: Box<[Needle]>,
    /// The phrase as written.
    phrase: Option<Needle>,
}

/// The words that one or several ways make of the text.
#[derive(Debug, Clone)]
struct Group {
    words: Vec<QueryWord>,
}

#[derive(Debug, Clone)]
struct OwnField {
    name: Box<[u8]>,
    values: Values,
}

/// What of a field with its own index is searched by words alone.
#[derive(Debug, Clone)]
enum Values {
    /// Nothing: numbers are found by `key:value` only. Source: document, of medium certainty.
    None,
    Text(WayId),
    Json(WayId, Leaves),
}

#[derive(Debug, Clone)]
enum Leaves {
    All,
    /// The text leaves with these paths.
    Some(Box<[Box<str>]>),
}

impl FullText {
    /// `text`, searched in what `index` covers. A phrase must stand as written if `exact`.
    pub fn new(text: &Text, index: &IndexConfig, names: bool, exact: bool) -> Result<Self, QueryError> {
        let phrase = exact && matches!(text, Text::Phrase(_));
        let mut made = Self {
            fields: Box::default(),
            line: None,
            names,
            ways: Vec::new(),
            groups: Vec::new(),
            plain: None,
            phrase,
        };
        let mut fields = Vec::new();
        for key in index.keys().iter().filter(|key| !key.name.starts_with("__tag__:")) {
            let values = match &key.kind {
                KeyKind::Long | KeyKind::Double => Values::None,
                KeyKind::Text(tokenizer) => Values::Text(made.way(text, tokenizer)?),
                KeyKind::Json(json) => Values::Json(made.way(text, &json.tokenizer)?, Leaves::new(json)),
            };
            fields.push(OwnField { name: key.name.as_bytes().into(), values });
        }
        made.fields = fields.into();
        if let Some(line) = &index.line {
            made.line = Some((line.clone(), made.way(text, &line.tokenizer)?));
        }
        made.plain = made.plain_needles();
        Ok(made)
    }

    fn plain_needles(&self) -> Option<Box<[Needle]>> {
        let json = self.fields.iter().any(|field| matches!(field.values, Values::Json(..)));
        match self.groups.as_slice() {
            [_] if !json => {
                // A needle for which case does not matter also finds what the others find.
                let folding = self.ways.iter().find(|way| !way.tokenizer.case_sensitive());
                folding.or(self.ways.first()).map(|way| way.needles.clone())
            }
            _ => None,
        }
    }

    /// The way of cutting that `tokenizer` stands for; equal ones share it.
    fn way(&mut self, text: &Text, tokenizer: &Arc<Tokenizer>) -> Result<WayId, QueryError> {
        if let Some(known) = self.ways.iter().position(|way| way.tokenizer == *tokenizer) {
            return Ok(known);
        }
        let words = tokenizer.words_of_query(&glyphs(text));
        let group = self.groups.iter().position(|group| group.words == words).unwrap_or(self.groups.len());
        if group == self.groups.len() {
            self.groups.push(Group { words });
        }
        self.ways.push(Way {
            tokenizer: tokenizer.clone(),
            group,
            needles: needles(text, tokenizer)?.into(),
            phrase: self.phrase.then(|| Needle::inside(&text.to_string(), tokenizer.case_sensitive())),
        });
        Ok(self.ways.len() - 1)
    }

    /// Whether the text is in the log.
    pub fn matches(&self, log: &LogView<'_>) -> bool {
        let words_found = self.groups.iter().enumerate().any(|(id, group)| {
            (0..group.words.len()).all(|word| {
                let plain = self.plain.as_ref().and_then(|plain| plain.get(word));
                let may = |text: &[u8]| plain.is_none_or(|needle| needle.may_be_in(text));
                self.any_text(log, may, |value, way| self.has_word(id, word, value, way))
            })
        });
        words_found
            && (!self.phrase || self.any_text(log, |_| true, |value, way| self.has_phrase(value, way)))
    }

    /// How many words each group has.
    pub(super) fn words_of_groups(&self) -> impl Iterator<Item = usize> {
        self.groups.iter().map(|group| group.words.len())
    }

    /// Whether the words must stand as written.
    pub(super) fn is_phrase(&self) -> bool {
        self.phrase
    }

    /// Whether a text that is cut in this way has that word of that group.
    pub(super) fn has_word(&self, group: usize, word: usize, text: &[u8], way: WayId) -> bool {
        self.ways.get(way).is_some_and(|way| {
            way.group == group && way.needles.get(word).is_some_and(|it| it.is_in(text, &way.tokenizer))
        })
    }

    fn has_phrase(&self, text: &[u8], way: WayId) -> bool {
        self.ways
            .get(way)
            .is_some_and(|way| way.phrase.as_ref().is_some_and(|phrase| phrase.is_in(text, &way.tokenizer)))
    }

    /// What is searched of the fields of a name.
    pub(super) fn searched<'f>(&'f self, key: &'f [u8]) -> Searched<'f> {
        let line = self.line.as_ref().filter(|(line, _)| line.covers(key)).map(|(_, way)| *way);
        Searched {
            key,
            own: self.fields.iter().find(|field| *field.name == *key).map(|field| &field.values),
            line,
            names: self.names,
        }
    }

    /// What to look for in the values of fields to find that word of that group.
    pub(super) fn needle_in(&self, fields: &Searched<'_>, group: usize, word: usize) -> Sought<'_> {
        let (way, leaves) = match (fields.own, fields.line) {
            (Some(&Values::Text(way)), _) | (None, Some(way)) => (way, false),
            (Some(&Values::Json(way, _)), _) => (way, true),
            (Some(Values::None), _) | (None, None) => return Sought::Nothing,
        };
        let way = self.ways.get(way).filter(|way| way.group == group);
        match way.and_then(|way| way.needles.get(word)) {
            None => Sought::Nothing,
            Some(_) if leaves => Sought::InLeaves,
            Some(needle) => Sought::Needle(needle),
        }
    }

    /// Whether `holds` is true of any searchable text of the log, given how it is cut. `may` rules
    /// texts out before it is known how they are cut.
    fn any_text(
        &self,
        log: &LogView<'_>,
        may: impl Fn(&[u8]) -> bool,
        holds: impl Fn(&[u8], WayId) -> bool + Copy,
    ) -> bool {
        log.contents.iter().any(|&(key, value)| {
            let value = indexed_part(value);
            if !(may(value) || self.names && may(key)) {
                return false;
            }
            let searched = self.searched(key);
            searched.value_has(value, holds) || searched.name_has(holds)
        })
    }

    /// A text that the encoded log must contain to be found, if there is one.
    pub fn required(&self) -> Option<&Needle> {
        self.plain.iter().flatten().max_by_key(|needle| needle.head_bytes())
    }
}

/// What is searched of the fields of a name.
pub(super) struct Searched<'f> {
    key: &'f [u8],
    own: Option<&'f Values>,
    line: Option<WayId>,
    names: bool,
}

impl Searched<'_> {
    /// Whether `holds` is true of a searchable text of this value.
    pub(super) fn value_has(&self, value: &[u8], holds: impl Fn(&[u8], WayId) -> bool) -> bool {
        match (self.own, self.line) {
            (Some(values), _) => values.any_text(value, holds),
            (None, Some(way)) => holds(value, way),
            (None, None) => false,
        }
    }

    /// Whether `holds` is true of the name, if that is searched.
    pub(super) fn name_has(&self, holds: impl Fn(&[u8], WayId) -> bool) -> bool {
        self.names && self.line.is_some_and(|way| holds(self.key, way))
    }
}

/// What to look for in a value.
pub(super) enum Sought<'f> {
    /// The value is not searched for it.
    Nothing,
    /// A word of the value.
    Needle(&'f Needle),
    /// A word of some leaves of JSON, which may be written with escapes.
    InLeaves,
}

impl Values {
    fn any_text(&self, value: &[u8], holds: impl Fn(&[u8], WayId) -> bool) -> bool {
        match self {
            Self::None => false,
            Self::Text(way) => holds(value, *way),
            Self::Json(way, Leaves::Some(paths)) => {
                paths.iter().any(|path| json_leaf::leaf(value, path).is_some_and(|leaf| holds(&leaf, *way)))
            }
            Self::Json(way, Leaves::All) => {
                let mut found = false;
                json_leaf::for_each_leaf(value, |leaf| {
                    found = holds(&leaf, *way);
                    if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                found
            }
        }
    }
}

impl Leaves {
    fn new(json: &JsonIndex) -> Self {
        if json.index_all {
            return Self::All;
        }
        let texts = json.leaves.iter().filter(|leaf| matches!(leaf.kind, KeyKind::Text(_)));
        Self::Some(texts.map(|leaf| leaf.name.as_str().into()).collect())
    }
}
