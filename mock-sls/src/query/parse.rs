//! Tokens of a search to its tree: `or` below `and` (also by juxtaposition) below `not`.
//!
//! Grammar and errors: `sls-query.md` §2. Pure, knows no index.

use super::{
    QueryError,
    expr::{Bound, Glyph, Key, Number, Range, SearchExpr, Test, Text},
    lex::{Bare, Relation, Spanned, Token, lex},
};

/// Conditions a search may have. Source: document "Common errors of query and analysis".
pub const CONDITIONS_MAX: usize = 30;
/// Levels of parentheses and `not`. Guess: protects the stack.
pub const NESTING_MAX: usize = 64;

/// Parses the search half of a query.
pub fn parse(search: &str) -> Result<SearchExpr, QueryError> {
    let tokens = lex(search)?;
    if tokens.is_empty() {
        return Ok(SearchExpr::All);
    }
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end: search.chars().count() + 1,
        conditions: 0,
        negated: 0,
        depth: 0,
    };
    let expr = parser.or()?;
    if parser.peek().is_some() {
        return Err(parser.unexpected());
    }
    match parser.conditions {
        count if count > CONDITIONS_MAX => Err(QueryError::TooManyConditions { count, max: CONDITIONS_MAX }),
        _ => Ok(expr),
    }
}

struct Parser<'t> {
    tokens: &'t [Spanned],
    at: usize,
    /// Column after the last character of the search.
    end: usize,
    conditions: usize,
    /// How many `not` enclose this place.
    negated: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Result<SearchExpr, QueryError> {
        let mut parts = vec![self.and()?];
        while self.take_keyword("or") {
            parts.push(self.and()?);
        }
        Ok(several(parts, SearchExpr::Or))
    }

    fn and(&mut self) -> Result<SearchExpr, QueryError> {
        let mut parts = vec![self.unary()?];
        loop {
            let joined = self.take_keyword("and");
            if !joined && !self.operand_follows() {
                return Ok(several(parts, SearchExpr::And));
            }
            parts.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<SearchExpr, QueryError> {
        if !self.take_keyword("not") {
            return self.primary();
        }
        self.negated += 1;
        let operand = self.nested(Self::unary)?;
        self.negated -= 1;
        Ok(SearchExpr::Not(Box::new(operand)))
    }

    fn primary(&mut self) -> Result<SearchExpr, QueryError> {
        if self.take_symbol('(') {
            let inner = self.nested(Self::or)?;
            self.expect_symbol(')')?;
            return Ok(inner);
        }
        let Some(token) = self.peek() else {
            return Err(self.unexpected());
        };
        let expr = match token {
            Token::Bare(bare) if is_operator(bare) => return Err(self.unexpected()),
            Token::Bare(_) | Token::Quoted(_) => self.word_or_field()?,
            Token::Phrase(text) => {
                self.at += 1;
                SearchExpr::FullText(self.phrase(text)?)
            }
            _ => return Err(self.unexpected()),
        };
        self.conditions += 1;
        Ok(expr)
    }

    /// A word, or a key when a `:`, a comparison or a range follows.
    fn word_or_field(&mut self) -> Result<SearchExpr, QueryError> {
        let Some(first) = self.next() else {
            return Err(self.unexpected());
        };
        let is_tag = matches!(first, Token::Bare(bare) if bare.text() == "__tag__");
        let key = match (is_tag && self.take_symbol(':')).then(|| self.next()) {
            None => key_text(first),
            Some(Some(name @ (Token::Bare(_) | Token::Quoted(_)))) => format!("__tag__:{}", key_text(name)),
            Some(other) => return Err(self.unexpected_before(other.is_some())),
        };
        // Time is not searched but asked for with from and to. Source: live note in the specification.
        let key_follows = matches!(self.peek(), Some(Token::Symbol(':') | Token::Relation(_)));
        if key == "__time__" && key_follows {
            return Err(self.unexpected());
        }
        let key = || Key::new(key.clone());
        match self.peek() {
            Some(Token::Symbol(':')) => {
                self.at += 1;
                Ok(SearchExpr::Field(key(), self.value()?))
            }
            Some(Token::Relation(relation)) => {
                self.at += 1;
                let number = self.number()?;
                Ok(SearchExpr::Field(key(), Test::Within(compared(*relation, number))))
            }
            Some(Token::Bare(bare)) if !bare.escaped && bare.text() == "in" => {
                match self.range_at(self.at + 1)? {
                    Some(range) => Ok(SearchExpr::Field(key(), Test::Within(range))),
                    None => self.word(first),
                }
            }
            _ => self.word(first),
        }
    }

    fn word(&self, token: &Token) -> Result<SearchExpr, QueryError> {
        match token {
            Token::Bare(bare) if bare.glyphs == [Glyph::AnyRun] => Ok(SearchExpr::All),
            Token::Bare(bare) => Ok(SearchExpr::FullText(bare_text(bare)?)),
            other => Ok(SearchExpr::FullText(Text::Quoted(key_text(other)))),
        }
    }

    fn value(&mut self) -> Result<Test, QueryError> {
        if let Some(range) = self.range_at(self.at)? {
            return Ok(Test::Within(range));
        }
        let test = match self.peek() {
            Some(Token::Bare(bare)) if bare.glyphs == [Glyph::AnyRun] => Test::Present,
            Some(Token::Bare(bare)) => Test::Text(bare_text(bare)?),
            Some(Token::Quoted(text)) if text.is_empty() => Test::Empty,
            Some(Token::Quoted(text)) => Test::Text(Text::Quoted(text.clone())),
            Some(Token::Phrase(text)) => Test::Text(self.phrase(text)?),
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(test)
    }

    /// A range that begins at token `start`. A `[` must begin one, a `(` may.
    fn range_at(&mut self, start: usize) -> Result<Option<Range>, QueryError> {
        let open = match self.tokens.get(start).map(|s| &s.token) {
            Some(Token::Symbol(open @ ('[' | '('))) => *open,
            _ => return Ok(None),
        };
        let before = std::mem::replace(&mut self.at, start + 1);
        match self.range_inside(open) {
            Ok(range) => Ok(Some(range)),
            Err(error) if open == '[' => Err(error),
            Err(_) => {
                self.at = before;
                Ok(None)
            }
        }
    }

    fn range_inside(&mut self, open: char) -> Result<Range, QueryError> {
        // A comma may stand between the numbers, alone or glued to one of them.
        let mut numbers: Vec<Option<Number>> = Vec::new();
        while let Some(Token::Bare(bare)) = self.peek() {
            for text in bare.text().split(',').filter(|text| !text.is_empty()) {
                numbers.push(match text {
                    "*" => None,
                    _ => Some(Number::parse(text).ok_or_else(|| self.unexpected())?),
                });
            }
            self.at += 1;
        }
        let (low, high) = match numbers.as_slice() {
            [low, high] => (*low, *high),
            _ => return Err(self.unexpected()),
        };
        let closed = self.take_symbol(']');
        if !closed {
            self.expect_symbol(')')?;
        }
        let bound = |number: Option<Number>, inclusive| match number {
            None => Bound::Open,
            Some(number) if inclusive => Bound::Inclusive(number),
            Some(number) => Bound::Exclusive(number),
        };
        Ok(Range { low: bound(low, open == '['), high: bound(high, closed) })
    }

    fn number(&mut self) -> Result<Number, QueryError> {
        let number = match self.peek() {
            Some(Token::Bare(bare)) => Number::parse(&bare.text()),
            Some(Token::Quoted(text)) => Number::parse(text),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(number)
    }

    fn phrase(&self, text: &str) -> Result<Text, QueryError> {
        if self.negated > 0 {
            return Err(QueryError::PhraseMisused { what: "not" });
        }
        if text.contains(['*', '?']) {
            return Err(QueryError::PhraseMisused { what: "wildcards" });
        }
        Ok(Text::Phrase(text.to_owned()))
    }

    fn nested<T>(&mut self, parse: fn(&mut Self) -> Result<T, QueryError>) -> Result<T, QueryError> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(QueryError::TooDeep { max: NESTING_MAX });
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn operand_follows(&self) -> bool {
        match self.peek() {
            Some(Token::Bare(bare)) => !bare.is_keyword("or"),
            Some(Token::Quoted(_) | Token::Phrase(_) | Token::Symbol('(')) => true,
            _ => false,
        }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).map(|spanned| &spanned.token)
    }

    fn next(&mut self) -> Option<&'t Token> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Bare(bare)) if bare.is_keyword(word));
        self.at += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: char) -> Result<(), QueryError> {
        match self.take_symbol(symbol) {
            true => Ok(()),
            false => Err(self.unexpected()),
        }
    }

    fn unexpected_before(&mut self, consumed: bool) -> QueryError {
        self.at -= usize::from(consumed);
        self.unexpected()
    }

    fn unexpected(&self) -> QueryError {
        match self.tokens.get(self.at) {
            Some(spanned) => {
                QueryError::Syntax { from: spanned.from, to: spanned.to, near: spanned.token.to_string() }
            }
            None => QueryError::Syntax { from: self.end, to: self.end, near: "end of query".to_owned() },
        }
    }
}

fn several(mut parts: Vec<SearchExpr>, join: fn(Vec<SearchExpr>) -> SearchExpr) -> SearchExpr {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn is_operator(bare: &Bare) -> bool {
    ["and", "or", "not"].iter().any(|word| bare.is_keyword(word))
}

fn key_text(token: &Token) -> String {
    match token {
        Token::Bare(bare) => bare.text(),
        Token::Quoted(text) => text.clone(),
        other => other.to_string(),
    }
}

fn bare_text(bare: &Bare) -> Result<Text, QueryError> {
    match bare.glyphs.first() {
        Some(Glyph::AnyOne | Glyph::AnyRun) => Err(QueryError::LeadingWildcard { word: bare.text() }),
        _ => Ok(Text::Bare(bare.glyphs.clone())),
    }
}

fn compared(relation: Relation, number: Number) -> Range {
    let (low, high) = match relation {
        Relation::Less => (Bound::Open, Bound::Exclusive(number)),
        Relation::LessOrEqual => (Bound::Open, Bound::Inclusive(number)),
        Relation::Equal => return Range::exactly(number),
        Relation::GreaterOrEqual => (Bound::Inclusive(number), Bound::Open),
        Relation::Greater => (Bound::Exclusive(number), Bound::Open),
    };
    Range { low, high }
}

#[cfg(test)]
mod tests;
