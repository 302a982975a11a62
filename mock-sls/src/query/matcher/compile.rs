//! From the tree of a search and an index to a [`Matcher`].

use std::sync::Arc;

use super::{FullText, Matcher, Node, Place, Test};
use crate::query::{
    QueryError,
    expr::{self, Glyph, Key, Number, Range, SearchExpr, Text},
    index::{IndexConfig, Indexed, KeyKind},
    needle::Needle,
    tokenizer::Tokenizer,
};

/// What to do with `#"…"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phrases {
    /// The words must stand as written.
    AsWritten,
    /// The words may stand in any order. Source: document "Phrase search" (histograms).
    AsWords,
}

/// How a search is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What to do with phrases.
    pub phrases: Phrases,
    /// Whether names of fields are words of the full text.
    /// Source: the documents of 2021 ("keywords can be field names or field values").
    pub field_names_are_words: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { phrases: Phrases::AsWritten, field_names_are_words: true }
    }
}

impl Matcher {
    /// Makes `expr` ready for logs written under `index`.
    ///
    /// # Errors
    /// A key without index, a number searched in text or text in a number, a word that begins
    /// with a wildcard.
    pub fn new(expr: &SearchExpr, index: &IndexConfig, options: Options) -> Result<Self, QueryError> {
        Compiler { index, options, unindexed_never_matches: false }.matcher(expr)
    }

    /// As [`Self::new`] for logs of an earlier index: what that index does not have is not an
    /// error but is not found. Source: document "Configure indexes" (later logs only).
    pub fn for_earlier_index(
        expr: &SearchExpr,
        index: &IndexConfig,
        options: Options,
    ) -> Result<Self, QueryError> {
        Compiler { index, options, unindexed_never_matches: true }.matcher(expr)
    }
}

struct Compiler<'i> {
    index: &'i IndexConfig,
    options: Options,
    unindexed_never_matches: bool,
}

impl Compiler<'_> {
    fn matcher(&self, expr: &SearchExpr) -> Result<Matcher, QueryError> {
        let node = self.node(expr)?;
        let required = node.required().and_then(Needle::finder);
        Ok(Matcher { node, required })
    }

    fn node(&self, expr: &SearchExpr) -> Result<Node, QueryError> {
        match expr {
            SearchExpr::All => Ok(Node::All),
            SearchExpr::And(parts) => Ok(Node::And(self.cheapest_first(parts)?)),
            SearchExpr::Or(parts) => Ok(Node::Or(self.cheapest_first(parts)?)),
            SearchExpr::Not(part) => Ok(Node::Not(Box::new(self.node(part)?))),
            SearchExpr::FullText(text) => {
                let exact = self.options.phrases == Phrases::AsWritten;
                FullText::new(text, self.index, self.options.field_names_are_words, exact).map(Node::FullText)
            }
            SearchExpr::Field(key, test) => match self.field(key, test) {
                Err(
                    QueryError::KeyNotIndexed { .. }
                    | QueryError::NotNumeric { .. }
                    | QueryError::NotANumber { .. },
                ) if self.unindexed_never_matches => Ok(Node::Never),
                compiled => compiled,
            },
        }
    }

    /// What is decided first saves what is dearer.
    fn cheapest_first(&self, parts: &[SearchExpr]) -> Result<Box<[Node]>, QueryError> {
        let mut nodes = parts.iter().map(|part| self.node(part)).collect::<Result<Box<[_]>, _>>()?;
        nodes.sort_by_key(Node::cost);
        Ok(nodes)
    }

    fn field(&self, key: &Key, test: &expr::Test) -> Result<Node, QueryError> {
        let name = key.as_str();
        let indexed =
            self.index.resolve(name).ok_or_else(|| QueryError::KeyNotIndexed { key: name.to_owned() })?;
        let (place, kind) = match indexed {
            Indexed::Field(field) => (place(name), field.kind.clone()),
            Indexed::Reserved => (place(name), KeyKind::Text(Arc::new(Tokenizer::whole_value()))),
            Indexed::Leaf { container, path, kind } => {
                (Place::Leaf { container: container.as_bytes().into(), path: path.into() }, kind)
            }
        };
        let test = match (test, &kind) {
            (expr::Test::Present, _) => Test::Present,
            (expr::Test::Empty, _) => Test::Empty,
            (expr::Test::Within(range), KeyKind::Long) => Test::Long(*range),
            (expr::Test::Within(range), KeyKind::Double) => Test::Double(*range),
            (expr::Test::Within(_), _) => return Err(QueryError::NotNumeric { key: name.to_owned() }),
            (expr::Test::Text(text), KeyKind::Long) => Test::Long(exactly(name, text)?),
            (expr::Test::Text(text), KeyKind::Double) => Test::Double(exactly(name, text)?),
            (expr::Test::Text(text), KeyKind::Text(tokenizer)) => self.words(text, tokenizer)?,
            (expr::Test::Text(text), KeyKind::Json(json)) => self.words(text, &json.tokenizer)?,
        };
        Ok(Node::Field(place, test))
    }

    fn words(&self, text: &Text, tokenizer: &Arc<Tokenizer>) -> Result<Test, QueryError> {
        let mut needles = needles(text, tokenizer)?;
        if let Text::Phrase(phrase) = text
            && self.options.phrases == Phrases::AsWritten
        {
            needles.push(Needle::inside(phrase, tokenizer.case_sensitive()));
        }
        Ok(Test::Words { tokenizer: tokenizer.clone(), needles: needles.into() })
    }
}

/// The words of a searched text as `tokenizer` cuts it.
pub(super) fn needles(text: &Text, tokenizer: &Tokenizer) -> Result<Vec<Needle>, QueryError> {
    let needles: Vec<Needle> =
        tokenizer.words_of_query(&glyphs(text)).iter().map(|word| Needle::new(word, tokenizer)).collect();
    match needles.iter().any(Needle::begins_with_wildcard) {
        true => Err(QueryError::LeadingWildcard { word: text.to_string() }),
        false => Ok(needles),
    }
}

pub(super) fn glyphs(text: &Text) -> Vec<Glyph> {
    match text {
        Text::Bare(glyphs) => glyphs.clone(),
        Text::Quoted(text) | Text::Phrase(text) => text.chars().map(Glyph::Char).collect(),
    }
}

/// `status:200` means `status = 200`. Source: `sls-query.md` §2.
fn exactly(key: &str, text: &Text) -> Result<Range, QueryError> {
    let text = text.to_string();
    match Number::parse(&text) {
        Some(number) => Ok(Range::exactly(number)),
        None => Err(QueryError::NotANumber { key: key.to_owned(), value: text }),
    }
}

fn place(name: &str) -> Place {
    match name {
        "__topic__" => Place::Topic,
        "__source__" => Place::Source,
        _ => match name.strip_prefix("__tag__:") {
            Some(tag) => Place::Tag(tag.as_bytes().into()),
            None => Place::Content(name.as_bytes().into()),
        },
    }
}
