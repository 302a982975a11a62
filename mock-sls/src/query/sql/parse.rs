//! SQL text to syntax tree, with the service's error texts.

use sqlparser::{
    ast::Query,
    dialect::GenericDialect,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token, TokenWithSpan, Tokenizer},
};

use super::{SqlError, error::At};

/// Length of a statement, bytes. Guess: as for pipelines (64 KB).
const SQL_BYTES_MAX: usize = 64 * 1024;
/// Tokens of a statement, which bound the depth of its tree. Guess: protects the stack.
const TOKENS_MAX: usize = 4_000;

/// Parses one query.
pub fn parse(sql: &str) -> Result<Query, SqlError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(too_long());
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, sql)
        .tokenize_with_location()
        .map_err(|error| syntax(at(error.location), error.message))?;
    check_tokens(&tokens)?;
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let query = parser.parse_query().map_err(parser_error)?;
    let rest = parser.next_token();
    match rest.token {
        Token::EOF => Ok(*query),
        token => Err(syntax(at(rest.span.start), format!("mismatched input '{token}'"))),
    }
}

/// Refuses what the parser would read in another way than the service does.
/// Texts: document "Common errors of query and analysis".
fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    if tokens.len() > TOKENS_MAX {
        return Err(too_long());
    }
    for (token, next) in tokens.iter().zip(tokens.iter().skip(1)) {
        let place = at(token.span.start);
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
    Ok(())
}

fn too_long() -> SqlError {
    let message = format!("the statement has more than {SQL_BYTES_MAX} bytes or {TOKENS_MAX} tokens");
    syntax(At { line: 1, column: 1 }, message)
}

/// The place of a tree node.
pub fn at(location: Location) -> At {
    At { line: location.line, column: location.column }
}

fn syntax(at: At, message: impl Into<String>) -> SqlError {
    SqlError::Syntax { at, message: message.into() }
}

fn parser_error(error: ParserError) -> SqlError {
    match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let (text, place) = message.split_once(" at Line: ").unwrap_or((&message, ""));
            let (line, column) = place.split_once(", Column: ").unwrap_or(("1", "1"));
            let number = |text: &str| text.trim().parse().unwrap_or(1);
            syntax(At { line: number(line), column: number(column) }, text)
        }
        ParserError::RecursionLimitExceeded => {
            syntax(At { line: 1, column: 1 }, "the statement is nested too deeply")
        }
    }
}
