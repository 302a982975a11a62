//! The tree of a search: what [`parse`](super::parse) makes and [`matcher`](super::matcher) runs.

use std::fmt;

/// One character of an unquoted text, or a wildcard in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Glyph {
    /// Itself.
    Char(char),
    /// `?`: any one character.
    AnyOne,
    /// `*`: any characters, also none.
    AnyRun,
}

impl fmt::Display for Glyph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(c) => write!(f, "{c}"),
            Self::AnyOne => f.write_str("?"),
            Self::AnyRun => f.write_str("*"),
        }
    }
}

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchExpr {
    /// `*`, or nothing: every log.
    All,
    /// All of them hold.
    And(Vec<SearchExpr>),
    /// At least one holds.
    Or(Vec<SearchExpr>),
    /// It does not hold.
    Not(Box<SearchExpr>),
    /// A text anywhere in the log.
    FullText(Text),
    /// A condition on one field.
    Field(Key, Test),
}

impl SearchExpr {
    /// Visits every searched text with the key it is searched in.
    pub fn for_each_text(&self, visit: &mut dyn FnMut(Option<&Key>, &Text)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.for_each_text(visit)),
            Self::Not(part) => part.for_each_text(visit),
            Self::FullText(text) => visit(None, text),
            Self::Field(key, Test::Text(text)) => visit(Some(key), text),
            Self::All | Self::Field(..) => {}
        }
    }
}

impl SearchExpr {
    /// Visits every condition on a field.
    pub fn for_each_field(&self, visit: &mut dyn FnMut(&Key, &Test)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.for_each_field(visit)),
            Self::Not(part) => part.for_each_field(visit),
            Self::Field(key, test) => visit(key, test),
            Self::All | Self::FullText(_) => {}
        }
    }
}

/// The name of a searched field: a key of the index, a path into a JSON field (`info.user`),
/// a tag (`__tag__:name`) or a reserved field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// `source` is short for `__source__`. Source: document "Search syntax".
    pub fn new(name: String) -> Self {
        match name.as_str() {
            "source" => Self("__source__".to_owned()),
            _ => Self(name),
        }
    }

    /// The name, with its `__tag__:` prefix if it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A searched text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Unquoted: `*` and `?` are wildcards.
    Bare(Vec<Glyph>),
    /// Quoted: everything is literal; several words may stand in any order.
    Quoted(String),
    /// `#"…"`: the words must stand as written.
    Phrase(String),
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(glyphs) => glyphs.iter().try_for_each(|glyph| glyph.fmt(f)),
            Self::Quoted(text) | Self::Phrase(text) => f.write_str(text),
        }
    }
}

/// What must hold for a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `key:*`: the log has the field, perhaps empty.
    Present,
    /// `key:""`: the log has the field and it is empty.
    Empty,
    /// `key:text`.
    Text(Text),
    /// `key > 1`, `key = 1`, `key in [1 2)`.
    Within(Range),
}

/// Numbers between two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Lower bound.
    pub low: Bound,
    /// Upper bound.
    pub high: Bound,
}

/// One end of a [`Range`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// `*` or not given.
    Open,
    /// The number itself belongs to the range.
    Inclusive(Number),
    /// The number itself does not belong to the range.
    Exclusive(Number),
}

impl Range {
    /// The range that holds one number.
    pub fn exactly(number: Number) -> Self {
        Self { low: Bound::Inclusive(number), high: Bound::Inclusive(number) }
    }

    /// Whether `value` lies in the range.
    pub fn contains(&self, value: Number) -> bool {
        let above = match self.low {
            Bound::Open => true,
            Bound::Inclusive(low) => value >= low,
            Bound::Exclusive(low) => value > low,
        };
        above
            && match self.high {
                Bound::Open => true,
                Bound::Inclusive(high) => value <= high,
                Bound::Exclusive(high) => value < high,
            }
    }
}

/// A number in a search or in a log.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// Whole, exact.
    Long(i64),
    /// Finite.
    Double(f64),
}

impl Number {
    /// A whole number if it is written as one, else a finite decimal one.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(whole) => Some(Self::Long(whole)),
            Err(_) => parse_double(text).map(Self::Double),
        }
    }

    fn to_f64(self) -> f64 {
        match self {
            Self::Long(n) => n as f64,
            Self::Double(x) => x,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Long(a), Self::Long(b)) => Some(a.cmp(b)),
            _ => self.to_f64().partial_cmp(&other.to_f64()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other).is_some_and(std::cmp::Ordering::is_eq)
    }
}

/// A finite decimal number. Unlike [`str::parse`] it takes no `inf` and no `nan`.
pub fn parse_double(text: &str) -> Option<f64> {
    let digits = text.as_bytes().iter().any(u8::is_ascii_digit);
    text.parse().ok().filter(|x: &f64| digits && x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_beyond_the_precision_of_a_double_differ() {
        let big = Number::parse("9007199254740993").unwrap();
        assert_ne!(big, Number::parse("9007199254740992").unwrap());
        assert_eq!(Number::parse("60"), Number::parse("60.0"));
    }

    #[test]
    fn words_that_rust_reads_as_numbers_are_not_numbers() {
        for text in ["inf", "nan", "infinity", "-inf", "", "-", "1_0", "0x1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
