//! What follows the name of a command: options, a list of words, and names behind AS.

use super::parse::Parsed;

/// A piece of a command's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Without quotes.
    Bare(String),
    /// In double quotes: a name.
    Quoted(String),
    /// In single quotes: a text.
    Text(String),
    /// `=`.
    Symbol(char),
}

/// What follows the name of a command: options, and a list.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    options: Vec<(String, Option<String>)>,
    /// The members of the list, each some words.
    pub listed: Vec<Vec<Word>>,
}

impl Arguments {
    /// Reads the text behind the name of a command.
    pub fn of(text: &str) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut rest = text.trim_start();
        while let Some(option) = rest.strip_prefix('-') {
            let end = option.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(option.len());
            let (name, after) = option.split_at(end);
            let (value, after) = match after.strip_prefix('=') {
                None => (None, after),
                Some(after) => {
                    let (word, after) = word(after).ok_or_else(|| format!("-{name} has no value"))??;
                    let (Word::Bare(value) | Word::Quoted(value) | Word::Text(value)) = word else {
                        return Err(format!("-{name} has no value"));
                    };
                    (Some(value), after)
                }
            };
            arguments.options.push((name.to_owned(), value));
            rest = after.trim_start();
        }
        let mut member = Vec::new();
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix(',') {
                arguments.listed.push(std::mem::take(&mut member));
                rest = after;
                continue;
            }
            match word(rest) {
                None => break,
                Some(found) => {
                    let (found, after) = found?;
                    member.push(found);
                    rest = after;
                }
            }
        }
        if !member.is_empty() || !arguments.listed.is_empty() {
            arguments.listed.push(member);
        }
        Ok(arguments)
    }

    /// Itself, if it has no other options than these.
    pub fn only(self, known: &[&str]) -> Result<Self, String> {
        match self.options.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(format!("unknown option -{name}")),
            None => Ok(self),
        }
    }

    /// Whether a switch is on.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(known, value)| known == name && value.as_deref() != Some("false"))
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name)?.1.as_deref()
    }

    /// The field that is taken apart, and how.
    pub fn parsed(&self, words: &[Word]) -> Result<Parsed, String> {
        let [Word::Bare(field) | Word::Quoted(field)] = words else {
            return Err("expected the name of a field".to_owned());
        };
        let preserve = match self.option("mode") {
            None | Some("overwrite") => false,
            Some("preserve") => true,
            Some(other) => return Err(format!("-mode is overwrite or preserve, not {other}")),
        };
        let prefix = self.option("prefix").unwrap_or_default().to_owned();
        Ok(Parsed { field: field.clone(), prefix, preserve })
    }

    /// The list up to AS, and the names behind it.
    pub fn outputs(&self) -> Result<(Vec<Vec<Word>>, Vec<String>), String> {
        let is_as = |word: &Word| matches!(word, Word::Bare(word) if word.eq_ignore_ascii_case("as"));
        let Some(at) = self.listed.iter().position(|words| words.iter().any(is_as)) else {
            return Ok((self.listed.clone(), Vec::new()));
        };
        let mut head: Vec<Vec<Word>> = self.listed.iter().take(at).cloned().collect();
        let words = self.listed.get(at).map_or(&[][..], Vec::as_slice);
        let middle = words.iter().position(is_as).unwrap_or_default();
        head.push(words.iter().take(middle).cloned().collect());
        let first: Vec<Word> = words.iter().skip(middle + 1).cloned().collect();
        let names = std::iter::once(&first).chain(self.listed.iter().skip(at + 1));
        let names = names.map(|words| match words.as_slice() {
            [Word::Bare(name) | Word::Quoted(name)] => Ok(name.clone()),
            _ => Err("expected names behind AS".to_owned()),
        });
        Ok((head, names.collect::<Result<_, _>>()?))
    }
}

/// The first word of a text, and what follows it.
fn word(text: &str) -> Option<Result<(Word, &str), String>> {
    let text = text.trim_start();
    let first = text.chars().next()?;
    if first == '=' {
        return Some(Ok((Word::Symbol('='), &text[1..])));
    }
    if first == '\'' || first == '"' {
        let mut value = String::new();
        let mut rest = &text[1..];
        // A quote is written twice.
        while let Some(end) = rest.find(first) {
            value.push_str(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.strip_prefix(first) {
                Some(after) => {
                    value.push(first);
                    rest = after;
                }
                None => {
                    let word = if first == '"' { Word::Quoted(value) } else { Word::Text(value) };
                    return Some(Ok((word, rest)));
                }
            }
        }
        return Some(Err("unclosed string quote".to_owned()));
    }
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '\'' | '"')).unwrap_or(text.len());
    match end {
        0 => None,
        _ => Some(Ok((Word::Bare(text[..end].to_owned()), &text[end..]))),
    }
}
