//! What our SQL library is to take for SQL: Presto's grammar, as far as the library has it.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::{
    ast::Expr,
    dialect::{Dialect, GenericDialect},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, TokenWithSpan, Word},
};

use super::{SqlError, parse::at, types::TYPE_LEVELS_MAX};

/// Words behind an expression that go on with the query: no alias without AS.
/// Source: Presto's reserved words, and those that begin its clauses.
const ENDS_AN_EXPRESSION: &[Keyword] = &[
    Keyword::WITH,
    Keyword::SELECT,
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::ORDER,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::FETCH,
    Keyword::WINDOW,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::VALUES,
    Keyword::INTO,
    Keyword::END,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
];

/// Words that are no names where they begin an expression. Source: Presto's reserved words, and INTERVAL and
/// TRIM, which the service's documents use in no other way.
const BEGINS_AN_EXPRESSION: &[Keyword] =
    &[Keyword::CASE, Keyword::CAST, Keyword::EXISTS, Keyword::EXTRACT, Keyword::INTERVAL, Keyword::TRIM];

/// Beginnings of expressions that are read in one statement (guess: what a statement of the longest allowed has,
/// six times over). Where the library cannot read something in one way it tries another, and within that
/// all again: twice the time for each level.
const BEGINNINGS_MAX: u32 = 20_000;

/// Stack that must be left where an expression begins, bytes (own choice: without optimizations one level may take
/// 100 KiB).
const STACK_BYTES_LEFT_MIN: usize = 1 << 20;

/// Words behind a table that go on with FROM.
const ENDS_A_TABLE: &[Keyword] = &[
    Keyword::ON,
    Keyword::USING,
    Keyword::JOIN,
    Keyword::INNER,
    Keyword::CROSS,
    Keyword::FULL,
    Keyword::LEFT,
    Keyword::RIGHT,
    Keyword::OUTER,
    Keyword::NATURAL,
    Keyword::LATERAL,
    Keyword::FOR,
    Keyword::TABLESAMPLE,
];

/// The dialect, of one statement. Where the library asks by name, it is the generic one: that reads `unnest(…)` and
/// types like `map(varchar, bigint)`.
#[derive(Debug, Default)]
pub struct Presto {
    /// Beginnings of expressions that were read.
    beginnings: Cell<u32>,
}

impl Dialect for Presto {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '_' | '@')
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn parse_prefix(&self, _: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.beginnings.set(self.beginnings.get().saturating_add(1));
        // Not all of the library's ways back to here count levels: `interval interval …` does not.
        let is_deep = stacker::remaining_stack().is_some_and(|bytes| bytes < STACK_BYTES_LEFT_MIN);
        // The one error after which the library tries nothing else.
        let refused = is_deep || self.beginnings.get() > BEGINNINGS_MAX;
        refused.then_some(Err(ParserError::RecursionLimitExceeded))
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn is_column_alias(&self, word: &Keyword, _: &mut Parser<'_>) -> bool {
        !ENDS_AN_EXPRESSION.contains(word)
    }

    fn is_table_alias(&self, word: &Keyword, _: &mut Parser<'_>) -> bool {
        !ENDS_AN_EXPRESSION.contains(word) && !ENDS_A_TABLE.contains(word)
    }

    fn is_reserved_for_identifier(&self, word: Keyword) -> bool {
        BEGINS_AN_EXPRESSION.contains(&word)
    }
}

/// Words before a type in parentheses or angle brackets. Source: our SQL library.
const HOLDS_A_TYPE: [&str; 10] =
    ["array", "map", "row", "tuple", "struct", "union", "table", "nested", "nullable", "lowcardinality"];

/// What is open at a place between tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Parenthesis,
    /// A type, or a call of a function of that name.
    Type,
    /// A type in angle brackets.
    AngledType,
}

/// Refuses types in types beyond [`TYPE_LEVELS_MAX`] levels: the library reads any number of them.
///
/// # Errors
/// There are more.
pub fn check_types(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let mut open = Vec::new();
    let mut behind_name = false;
    for token in tokens {
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen if behind_name => open.push(Open::Type),
            Token::LParen => open.push(Open::Parenthesis),
            Token::Lt if behind_name => open.push(Open::AngledType),
            Token::Gt => _ = open.pop_if(|open| *open == Open::AngledType),
            Token::ShiftRight => {
                open.pop_if(|open| *open == Open::AngledType);
                open.pop_if(|open| *open == Open::AngledType);
            }
            Token::RParen => {
                // What seemed to be angle brackets compared.
                while open.pop_if(|open| *open == Open::AngledType).is_some() {}
                open.pop();
            }
            _ => {}
        }
        if behind_name && open.iter().filter(|open| **open != Open::Parenthesis).count() > TYPE_LEVELS_MAX {
            let message = format!("types are nested more than {TYPE_LEVELS_MAX} levels deep");
            return Err(SqlError::Syntax { at: at(token.span.start), message });
        }
        behind_name = matches!(&token.token, Token::Word(word)
            if HOLDS_A_TYPE.iter().any(|name| word.value.eq_ignore_ascii_case(name)));
    }
    Ok(())
}

/// Writes types as the library reads them: `array(bigint)` becomes `array<bigint>`, and
/// `row(a bigint)` becomes `tuple(a bigint)`. They stand behind AS, in a cast.
pub fn rewrite_types(tokens: &mut [TokenWithSpan]) {
    let mut at = 0;
    while at < tokens.len() {
        let is_as = matches!(tokens.get(at).map(|token| &token.token), Some(Token::Word(word)) if word.keyword == Keyword::AS);
        at += 1;
        if is_as {
            at = rewrite_type(tokens, at);
        }
    }
}

/// Rewrites the type that begins at `at`, if one does; gives the place behind what it looked at.
fn rewrite_type(tokens: &mut [TokenWithSpan], at: usize) -> usize {
    let at = skip_blanks(tokens, at);
    let Some(Token::Word(word)) = tokens.get(at).map(|token| &token.token) else { return at };
    let kind = match word.value.to_ascii_lowercase().as_str() {
        "array" => Kind::Array,
        "map" => Kind::Map,
        "row" => Kind::Row,
        _ => return at,
    };
    let open = skip_blanks(tokens, at + 1);
    if tokens.get(open).map(|token| &token.token) != Some(&Token::LParen) {
        return at;
    }
    if kind == Kind::Row {
        put(
            tokens,
            at,
            Token::Word(Word { value: "TUPLE".into(), quote_style: None, keyword: Keyword::TUPLE }),
        );
    }
    let (mut next, mut depth, mut begins) = (open + 1, 1usize, true);
    while let Some(token) = tokens.get(next).map(|token| token.token.clone()) {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::Comma => begins = true,
            Token::Whitespace(_) => {
                next += 1;
                continue;
            }
            // In a row, a type may stand behind a name.
            Token::Word(_) if begins || kind == Kind::Row => {
                begins = false;
                let behind = rewrite_type(tokens, next);
                if behind > next {
                    next = behind;
                    continue;
                }
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
        next += 1;
    }
    if kind == Kind::Array && tokens.get(next).is_some() {
        put(tokens, open, Token::Lt);
        put(tokens, next, Token::Gt);
    }
    next + 1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Map,
    Row,
}

fn put(tokens: &mut [TokenWithSpan], at: usize, token: Token) {
    if let Some(slot) = tokens.get_mut(at) {
        slot.token = token;
    }
}

fn skip_blanks(tokens: &[TokenWithSpan], mut at: usize) -> usize {
    while matches!(tokens.get(at).map(|token| &token.token), Some(Token::Whitespace(_))) {
        at += 1;
    }
    at
}
