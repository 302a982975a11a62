//! A search made ready to run: every name looked up in the index, every text cut into words.
//!
//! [`Matcher::matches`] looks at one log and allocates nothing (JSON strings with escapes
//! excepted). What is searchable, and by which words: `sls-query.md` §1.4.

mod compile;
mod full_text;
mod judge;

use std::{borrow::Cow, sync::Arc};

use super::{
    expr::{Number, Range, parse_double},
    json_leaf,
    log_view::{Field, LogView},
    needle::{Finder, Needle},
    summary::RowSet,
    tokenizer::Tokenizer,
};
use full_text::FullText;

pub use compile::{Options, Phrases};
pub use judge::Verdict;

/// How much of a value is indexed. Source: document "Limits" (10 KB).
pub const INDEXED_BYTES_MAX: usize = 10 * 1024;

/// A search ready to run against logs of one index.
#[derive(Debug, Clone)]
pub struct Matcher {
    node: Node,
    /// Finds a text that every encoded log found must contain.
    required: Option<Finder>,
}

#[derive(Debug, Clone)]
enum Node {
    All,
    /// Holds for no log; what an unindexed key becomes for logs older than its index.
    Never,
    And(Box<[Node]>),
    Or(Box<[Node]>),
    Not(Box<Node>),
    Field(Place, Test),
    FullText(FullText),
}

/// Where the values of a searched key stand in a log.
#[derive(Debug, Clone)]
enum Place {
    Content(Box<[u8]>),
    Topic,
    Source,
    Tag(Box<[u8]>),
    Leaf { container: Box<[u8]>, path: Box<str> },
}

#[derive(Debug, Clone)]
enum Test {
    Present,
    Empty,
    Words { tokenizer: Arc<Tokenizer>, needles: Box<[Needle]> },
    Long(Range),
    Double(Range),
}

impl Matcher {
    /// Whether the log is found.
    pub fn matches(&self, log: &LogView<'_>) -> bool {
        self.node.matches(log)
    }

    /// Those of `logs`, in order parts of the encoded group, that can hold what is searched; nothing if all
    /// can. Only looks for one text in the bytes, which is far cheaper than taking them apart.
    pub fn candidates(&self, group: &[u8], logs: &[&[u8]]) -> Option<RowSet> {
        let finder = self.required.as_ref()?;
        let place = |log: &[u8]| (log.as_ptr() as usize).saturating_sub(group.as_ptr() as usize);
        let mut found = RowSet::none(logs.len());
        let mut left = logs.iter().enumerate().peekable();
        let mut from = 0;
        while let Some(at) = finder.find(group, from) {
            while left.next_if(|(_, log)| place(log) + log.len() <= at).is_some() {}
            let Some(&(row, log)) = left.peek() else { break };
            from = at + 1;
            // What is found between logs belongs to none.
            if at >= place(log) {
                found.insert(row);
                from = place(log) + log.len();
            }
        }
        Some(found)
    }
}

impl Node {
    fn matches(&self, log: &LogView<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Never => false,
            Self::And(parts) => parts.iter().all(|part| part.matches(log)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(log)),
            Self::Not(part) => !part.matches(log),
            Self::Field(place, test) => place.any_value(log, |value| test.holds(value)),
            Self::FullText(text) => text.matches(log),
        }
    }
}

impl Node {
    /// How dear it is to look at a log, in fields looked at: roughly, to put parts into an order.
    fn cost(&self) -> usize {
        match self {
            Self::All | Self::Never => 0,
            Self::Field(Place::Leaf { .. }, _) => 8,
            Self::Field(..) => 1,
            Self::FullText(_) => 16,
            Self::Not(part) => part.cost(),
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::cost).sum(),
        }
    }

    /// A text that the encoded log must contain for the node to hold. Tags and the like stand
    /// beside the log, JSON may hide a text behind escapes: they give none.
    fn required(&self) -> Option<&Needle> {
        match self {
            Self::And(parts) => {
                parts.iter().filter_map(Self::required).max_by_key(|needle| needle.head_bytes())
            }
            Self::Field(Place::Content(_), Test::Words { needles, .. }) => {
                needles.iter().max_by_key(|needle| needle.head_bytes())
            }
            Self::FullText(text) => text.required(),
            _ => None,
        }
    }
}

impl Place {
    /// Whether `holds` is true of a value at this place; a field may occur several times.
    fn any_value(&self, log: &LogView<'_>, holds: impl Fn(&[u8]) -> bool) -> bool {
        let named = |fields: &[Field<'_>], name: &[u8]| {
            fields.iter().any(|&(key, value)| key == name && holds(value))
        };
        match self {
            Self::Content(name) => named(log.contents, name),
            Self::Topic => holds(log.topic),
            Self::Source => holds(log.source),
            Self::Tag(name) => named(log.tags, name),
            Self::Leaf { container, path } => log.contents.iter().any(|&(key, value)| {
                *key == **container
                    && json_leaf::leaf(indexed_part(value), path)
                        .is_some_and(|leaf: Cow<'_, [u8]>| holds(&leaf))
            }),
        }
    }
}

impl Test {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Empty => value.is_empty(),
            Self::Words { tokenizer, needles } => {
                let value = indexed_part(value);
                needles.iter().all(|needle| needle.is_in(value, tokenizer))
            }
            Self::Long(range) => long(value).is_some_and(|n| range.contains(Number::Long(n))),
            Self::Double(range) => double(value).is_some_and(|x| range.contains(Number::Double(x))),
        }
    }
}

/// A value of a `long` field; fractions are none. Source: document "Data types".
pub fn long(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// A value of a `double` field.
pub fn double(value: &[u8]) -> Option<f64> {
    std::str::from_utf8(value).ok().and_then(parse_double)
}

fn indexed_part(value: &[u8]) -> &[u8] {
    value.get(..INDEXED_BYTES_MAX).unwrap_or(value)
}
