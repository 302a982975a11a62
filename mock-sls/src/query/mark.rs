//! Which part of a query an error is about, for those that mark it.

use std::ops::Range;

use super::QueryError;
use super::lex::{Token, lex};
use super::sql::At;
use super::statement::{self, Tail};

impl QueryError {
    /// The characters of `query` that are wrong, counted from 0, as far as that is known. An empty range is a
    /// place where something is missing.
    pub fn mark(&self, query: &str) -> Option<Range<usize>> {
        let text = Text { query };
        let marked = match self {
            Self::Syntax { from, to, .. } => text.in_search(from.saturating_sub(1)..to.saturating_sub(1)),
            Self::UnclosedQuote { column } => {
                let search = text.search();
                text.in_search(column.saturating_sub(1)..search.chars().count())
            }
            Self::LeadingWildcard { word } => text.token(word)?,
            Self::KeyNotIndexed { key } | Self::NotNumeric { key } | Self::NotANumber { key, .. } => {
                text.token(key)?
            }
            Self::StrayPipe { near } => text.after_pipe(near)?,
            Self::SqlWithoutSearch => 0..query.chars().count(),
            Self::Sql(error) => text.in_sql(error.at()?)?,
            _ => return None,
        };
        Some(marked)
    }
}

struct Text<'q> {
    query: &'q str,
}

impl Text<'_> {
    /// The search, as the parser gets it.
    fn search(&self) -> &str {
        let search = statement::search(self.query);
        search.trim()
    }

    /// Characters of the search as characters of the query.
    fn in_search(&self, range: Range<usize>) -> Range<usize> {
        let blanks = self.query.chars().take_while(|c| c.is_whitespace()).count();
        range.start + blanks..range.end + blanks
    }

    /// The first token of the search with this text.
    fn token(&self, wanted: &str) -> Option<Range<usize>> {
        let tokens = lex(self.search()).ok()?;
        let found = tokens.into_iter().find(|spanned| match &spanned.token {
            Token::Bare(bare) => bare.text() == wanted,
            Token::Quoted(text) | Token::Phrase(text) => text == wanted,
            Token::Symbol(_) | Token::Relation(_) => false,
        })?;
        Some(self.in_search(found.from - 1..found.to - 1))
    }

    /// What stands first behind the pipe; the pipe itself if nothing does.
    fn after_pipe(&self, near: &str) -> Option<Range<usize>> {
        let pipe = statement::search(self.query).len();
        let behind = self.query.get(pipe + 1..)?;
        let at = if near.is_empty() { pipe } else { pipe + 1 + behind.find(near)? };
        let from = self.query.get(..at)?.chars().count();
        Some(from..from + near.chars().count().max(1))
    }

    /// The name or sign at the place that the error names.
    fn in_sql(&self, at: At) -> Option<Range<usize>> {
        let Ok(Tail::Sql(sql)) = statement::split(self.query).map(|statement| statement.tail) else {
            return None;
        };
        // SQL is the end of the query but for blanks and semicolons.
        let start = self.query.rfind(sql)?;
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
        let before: usize = sql.split('\n').take(line).map(|line| line.chars().count() + 1).sum();
        let from = before + column;
        let mut rest = sql.chars().skip(from).peekable();
        let length = match rest.peek() {
            None => 0,
            Some('"') => 1 + rest.skip(1).take_while(|c| *c != '"').count() + 1,
            Some('\'') => 1 + rest.skip(1).take_while(|c| *c != '\'').count() + 1,
            Some(_) => rest.take_while(|c| c.is_alphanumeric() || *c == '_').count().max(1),
        };
        let all = self.query.chars().count();
        let from = self.query.get(..start)?.chars().count() + from;
        Some(from.min(all)..(from + length).min(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;
    use crate::query::sql::SqlError;

    /// The query with its mark in brackets.
    fn marked(query: &str, error: &QueryError) -> String {
        let mark = error.mark(query).expect("a place");
        let mut chars: Vec<String> = query.chars().map(String::from).collect();
        chars.insert(mark.end, "]".to_owned());
        chars.insert(mark.start, "[".to_owned());
        chars.concat()
    }

    fn refused(query: &str) -> String {
        let error = match statement::split(query) {
            Ok(statement) => parse::parse(statement.search).expect_err("a wrong query"),
            Err(error) => error,
        };
        marked(query, &error)
    }

    #[test]
    fn what_is_wrong_in_a_search_is_marked() {
        assert_eq!(refused("  城市:a and )"), "  城市:a and [)]");
        assert_eq!(refused("a and"), "a and[]");
        assert_eq!(refused(" a \"open"), " a [\"open]");
        assert_eq!(refused("a *b | select 1"), "a [*b] | select 1");
        assert_eq!(refused("a | 选 b"), "a | [选] b");
        assert_eq!(refused("a |"), "a [|]");
        assert_eq!(refused("select count(*) from log"), "[select count(*) from log]");
    }

    #[test]
    fn keys_that_cannot_be_searched_are_marked() {
        let key = |key: &str| key.to_owned();
        assert_eq!(marked("a and b:c", &QueryError::KeyNotIndexed { key: key("b") }), "a and [b]:c");
        assert_eq!(marked("\"b d\" > 3", &QueryError::NotNumeric { key: key("b d") }), "[\"b d\"] > 3");
        assert_eq!(QueryError::KeyNotIndexed { key: key("x") }.mark("a"), None);
        assert_eq!(QueryError::IndexMissing.mark("a"), None);
    }

    #[test]
    fn what_is_wrong_in_sql_is_marked() {
        let error = |line, column| {
            let at = At { line, column };
            QueryError::Sql(SqlError::ColumnNotExists { at, name: "x".to_owned(), quoted: false })
        };
        assert_eq!(marked(" 市 | select a,\n 列 ;", &error(2, 2)), " 市 | select a,\n [列] ;");
        assert_eq!(marked("* | select \"a b\", c", &error(1, 8)), "* | select [\"a b\"], c");
        assert_eq!(marked("* | select a", &error(1, 99)), "* | select a[]");
        assert_eq!(error(0, 0).mark("* | select a"), None);
    }
}
