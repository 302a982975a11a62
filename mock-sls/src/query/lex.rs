//! Cuts a search into tokens.

use super::{QueryError, expr::Glyph};

/// One token and the columns it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned {
    /// The token.
    pub token: Token,
    /// Column of its first character, from 1.
    pub from: usize,
    /// Column after its last character.
    pub to: usize,
}

/// A token of the search grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Unquoted text; a backslash made the next character literal.
    Bare(Bare),
    /// `"…"`, without the quotes and escapes.
    Quoted(String),
    /// `#"…"`.
    Phrase(String),
    /// One of `( ) [ ] : |`.
    Symbol(char),
    /// A comparison.
    Relation(Relation),
}

/// An unquoted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    /// Its characters and wildcards.
    pub glyphs: Vec<Glyph>,
    /// Whether a backslash stood in it, so that it is no keyword.
    pub escaped: bool,
}

impl Bare {
    /// The text as written, without backslashes.
    pub fn text(&self) -> String {
        self.glyphs.iter().map(Glyph::to_string).collect()
    }

    /// Whether this is the keyword `word`, in any case.
    pub fn is_keyword(&self, word: &str) -> bool {
        !self.escaped && self.text().eq_ignore_ascii_case(word)
    }
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Relation {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bare(bare) => f.write_str(&bare.text()),
            Self::Quoted(text) => write!(f, "\"{text}\""),
            Self::Phrase(text) => write!(f, "#\"{text}\""),
            Self::Symbol(symbol) => write!(f, "{symbol}"),
            Self::Relation(relation) => f.write_str(match relation {
                Relation::Less => "<",
                Relation::LessOrEqual => "<=",
                Relation::Equal => "=",
                Relation::GreaterOrEqual => ">=",
                Relation::Greater => ">",
            }),
        }
    }
}

/// The tokens of `search`, in order.
pub fn lex(search: &str) -> Result<Vec<Spanned>, QueryError> {
    let mut lexer = Lexer { rest: search.chars().peekable(), column: 1 };
    let mut tokens = Vec::new();
    while let Some(&c) = lexer.rest.peek() {
        if c.is_whitespace() {
            lexer.bump();
            continue;
        }
        let from = lexer.column;
        let token = lexer.token(c)?;
        tokens.push(Spanned { token, from, to: lexer.column });
    }
    Ok(tokens)
}

struct Lexer<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    column: usize,
}

impl Lexer<'_> {
    fn bump(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.column += 1;
        Some(c)
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let next = self.rest.peek() == Some(&wanted);
        if next {
            self.bump();
        }
        next
    }

    fn token(&mut self, first: char) -> Result<Token, QueryError> {
        match first {
            '(' | ')' | '[' | ']' | ':' | '|' => {
                self.bump();
                Ok(Token::Symbol(first))
            }
            '<' | '>' | '=' => Ok(Token::Relation(self.relation())),
            '"' => self.quoted().map(Token::Quoted),
            '#' => self.phrase_or_bare(),
            _ => Ok(Token::Bare(self.bare(Vec::new()))),
        }
    }

    fn relation(&mut self) -> Relation {
        match self.bump() {
            Some('<') if self.take_if('=') => Relation::LessOrEqual,
            Some('<') => Relation::Less,
            Some('>') if self.take_if('=') => Relation::GreaterOrEqual,
            Some('>') => Relation::Greater,
            _ => Relation::Equal,
        }
    }

    fn phrase_or_bare(&mut self) -> Result<Token, QueryError> {
        self.bump();
        match self.rest.peek() {
            Some('"') => self.quoted().map(Token::Phrase),
            _ => Ok(Token::Bare(self.bare(vec![Glyph::Char('#')]))),
        }
    }

    fn quoted(&mut self) -> Result<String, QueryError> {
        let column = self.column;
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => return Ok(text),
                '\\' => text.extend(self.bump()),
                _ => text.push(c),
            }
        }
        Err(QueryError::UnclosedQuote { column })
    }

    fn bare(&mut self, mut glyphs: Vec<Glyph>) -> Bare {
        let mut escaped = false;
        while let Some(&c) = self.rest.peek() {
            if c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"' | ':' | '<' | '>' | '=' | '|') {
                break;
            }
            self.bump();
            glyphs.push(match c {
                '*' => Glyph::AnyRun,
                '?' => Glyph::AnyOne,
                '\\' => {
                    escaped = true;
                    Glyph::Char(self.bump().unwrap_or('\\'))
                }
                _ => Glyph::Char(c),
            });
        }
        Bare { glyphs, escaped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn check(search: &str, expected: expect_test::Expect) {
        let tokens = lex(search).unwrap();
        let lines: Vec<String> = tokens.iter().map(|t| format!("{}..{} {}", t.from, t.to, t.token)).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn columns_count_characters() {
        check(
            r#"城市:"上 海" a>=-1.5"#,
            expect![[r#"
                1..3 城市
                3..4 :
                4..9 "上 海"
                10..11 a
                11..13 >=
                13..17 -1.5"#]],
        );
    }

    #[test]
    fn escapes_make_characters_literal() {
        let tokens = lex(r#"a\:b\* "say \"hi\"" #"x y" #tag \and"#).unwrap();
        let texts: Vec<String> = tokens.iter().map(|t| t.token.to_string()).collect();
        assert_eq!(texts, ["a:b*", r#""say "hi"""#, r##"#"x y""##, "#tag", "and"]);
        assert!(matches!(&tokens[0].token, Token::Bare(b) if b.glyphs[3] == Glyph::Char('*')));
        assert!(matches!(&tokens[4].token, Token::Bare(b) if !b.is_keyword("and")));
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_column() {
        assert_eq!(lex("a \"b"), Err(QueryError::UnclosedQuote { column: 3 }));
        assert_eq!(lex("\"a\\"), Err(QueryError::UnclosedQuote { column: 1 }));
    }
}
