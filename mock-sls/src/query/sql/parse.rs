//! SQL text to syntax tree, with the service's error texts.

use sqlparser::{
    ast::{Expr, ObjectName, Query},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use super::{
    SqlError,
    dialect::{Presto, check_types, rewrite_types},
    error::At,
};

/// Length of a statement, bytes. Guess: as for pipelines (64 KB).
const SQL_BYTES_MAX: usize = 64 * 1024;
/// Tokens of a statement but for commas, texts and numbers: they bound the depth of its tree.
/// Guess: protects the stack, with room for lists of any length.
const NODES_MAX: usize = 3_000;

/// Stack that a statement is read on, bytes (own choice: without optimizations one level may take 100 KiB, and the
/// library allows about fifty). Threads have less, and whoever uses us as a library chooses how much.
const STACK_BYTES: usize = 16 << 20;

/// Aggregates of distinct values in one statement. Source: document "SQL error center".
const DISTINCT_MAX: usize = 10;

/// Parses one query.
pub fn parse(sql: &str) -> Result<Query, SqlError> {
    parse_with(sql, |parser| parser.parse_query().map(|query| *query).map_err(parser_error))
}

/// Reads a text to its end, with room for as many levels as may be.
pub fn parse_with<T>(
    text: &str,
    read: impl FnOnce(&mut Parser<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let dialect = Presto::default();
    let mut parser = parser(&dialect, text)?;
    let found = stacker::grow(STACK_BYTES, || read(&mut parser)).map_err(|error| placed(error, text))?;
    at_end(&mut parser)?;
    Ok(found)
}

/// An error at the end of the text has no place: gives it that.
fn placed(error: SqlError, sql: &str) -> SqlError {
    match error {
        SqlError::Syntax { at: NOWHERE, message } => {
            let line = sql.lines().count().max(1);
            let column = sql.lines().last().map_or(0, |last| last.chars().count()) + 1;
            syntax(At { line: line as u64, column: column as u64 }, message)
        }
        other => other,
    }
}

/// A parser of a text that is no longer than a statement may be.
fn parser<'d>(dialect: &'d Presto, sql: &str) -> Result<Parser<'d>, SqlError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(too_long());
    }
    let mut tokens = Tokenizer::new(dialect, sql)
        .tokenize_with_location()
        .map_err(|error| syntax(at(error.location), error.message))?;
    check_tokens(&tokens)?;
    check_types(&tokens)?;
    rewrite_types(&mut tokens);
    Ok(Parser::new(dialect).with_tokens_with_locations(tokens))
}

/// Checks that nothing is left.
fn at_end(parser: &mut Parser<'_>) -> Result<(), SqlError> {
    let rest = parser.next_token();
    match rest.token {
        Token::EOF => Ok(()),
        token => {
            let message = format!("mismatched input '{token}' expecting {{<EOF>}}");
            Err(syntax(at(rest.span.start), message))
        }
    }
}

/// Refuses what the parser would read in another way than the service does.
/// Texts: document "Common errors of query and analysis".
fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let is_node = |token: &&TokenWithSpan| {
        !matches!(
            token.token,
            Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::SingleQuotedString(_)
        )
    };
    if tokens.iter().filter(is_node).count() > NODES_MAX {
        return Err(too_long());
    }
    let mut distinct = 0;
    for (token, next) in tokens.iter().zip(tokens.iter().skip(1)) {
        let place = at(token.span.start);
        let is_distinct = matches!(&next.token, Token::Word(word) if word.keyword == Keyword::DISTINCT);
        distinct += usize::from(token.token == Token::LParen && is_distinct);
        if matches!((&token.token, &next.token), (Token::Number(..), Token::Word(_))) {
            let message =
                "identifiers must not start with a digit; surround the identifier with double quotes";
            return Err(syntax(place, message));
        }
        if token.token == Token::Colon {
            let message = "identifiers must not contain ':'; surround the identifier with double quotes";
            return Err(syntax(place, message));
        }
    }
    match distinct > DISTINCT_MAX {
        true => Err(SqlError::TooManyDistinct { max: DISTINCT_MAX }),
        false => Ok(()),
    }
}

fn too_long() -> SqlError {
    let message =
        format!("the statement has more than {SQL_BYTES_MAX} bytes or {NODES_MAX} names and operators");
    syntax(START, message)
}

/// The place of an expression: that of its first name or literal, as far as it is easily known.
/// The library's own way visits the whole tree, and a chain of operators makes a deep one.
pub fn start_of(mut expr: &Expr) -> At {
    loop {
        expr = match expr {
            Expr::Identifier(name) => return at(name.span.start),
            Expr::CompoundIdentifier(names) => {
                return names.first().map_or(START, |name| at(name.span.start));
            }
            Expr::Value(value) => return at(value.span.start),
            Expr::Function(function) => return name_start(&function.name),
            Expr::Case { case_token, .. } => return at(case_token.0.span.start),
            Expr::BinaryOp { left, .. } => left,
            Expr::Nested(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::Like { expr: inner, .. }
            | Expr::InList { expr: inner, .. }
            | Expr::InSubquery { expr: inner, .. }
            | Expr::Between { expr: inner, .. }
            | Expr::AtTimeZone { timestamp: inner, .. }
            | Expr::CompoundFieldAccess { root: inner, .. } => inner,
            _ => return START,
        };
    }
}

/// The place of a name.
pub fn name_start(name: &ObjectName) -> At {
    name.0.first().and_then(|part| part.as_ident()).map_or(START, |name| at(name.span.start))
}

/// The place that the library does not know.
const NOWHERE: At = At { line: 0, column: 0 };

/// The place of what has none of its own.
pub const START: At = At { line: 1, column: 1 };

/// The place of a token.
pub fn at(location: Location) -> At {
    At { line: location.line, column: location.column }
}

fn syntax(at: At, message: impl Into<String>) -> SqlError {
    SqlError::Syntax { at, message: message.into() }
}

/// `Expected: x, found: y` as the service says it. Source: document "SQL error center".
fn in_vendors_words(text: &str) -> String {
    let rest = text.strip_prefix("Expected").map(|rest| rest.trim_start_matches([':', ' ']));
    match rest.and_then(|rest| rest.rsplit_once(", found: ")) {
        Some((expected, "EOF")) => format!("mismatched input '<EOF>' expecting {{{expected}}}"),
        Some((expected, found)) => format!("mismatched input '{found}' expecting {{{expected}}}"),
        None => text.to_owned(),
    }
}

/// The error of the library, with the service's words.
pub fn parser_error(error: ParserError) -> SqlError {
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (text, place) = message.split_once(" at Line: ").unwrap_or((&message, ""));
            let (line, column) = place.split_once(", Column: ").unwrap_or_default();
            let number = |text: &str| text.trim().parse().unwrap_or_default();
            syntax(At { line: number(line), column: number(column) }, in_vendors_words(text))
        }
        ParserError::RecursionLimitExceeded => syntax(START, "the statement is nested too deeply"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Beginnings of what may hold itself.
    const OPENERS: [&str; 35] = [
        "((",
        "f(distinct ",
        "array[",
        "array[cast(",
        "map(row(",
        "try_cast(",
        "case a when ",
        "case when a then ",
        "extract(hour from ",
        "substring(",
        "position(",
        "ceil(",
        "overlay(",
        "convert(",
        "trim(both 'a' from ",
        "not (",
        "- ",
        "exists(select ",
        "interval ",
        "interval interval interval interval interval interval interval interval ",
        "(x, y) -> ",
        "f(x -> ",
        "a[",
        "a in (",
        "a between ",
        "a = any(",
        "f(a) over (order by ",
        "f(a) filter (where ",
        "(select a from (((",
        "((select a from b join (",
        "with a as (select ",
        "(values (",
        "struct(",
        "timestamp ",
        "f(a order by ",
    ];

    #[test]
    fn no_statement_takes_long_to_be_refused() {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            for opener in OPENERS {
                _ = parse(&format!("select {}", opener.repeat(40)));
                if done.send(opener).is_err() {
                    return;
                }
            }
        });
        for opener in OPENERS {
            // A hang guard: each takes less than a second, or twice as long for each of 40 levels.
            assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(opener));
        }
    }
}
