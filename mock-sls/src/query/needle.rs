//! Looks for one searched word in a value, without cutting the value into words.

mod finder;

pub use finder::Finder;

use super::{
    expr::Glyph,
    summary::{Run, runs_of},
    tokenizer::{QueryWord, Tokenizer, first_char},
};

/// A word to look for.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What a word begins with; not empty unless the word begins with a wildcard.
    head: Literal,
    rest: Rest,
    /// What a value that has the word has by itself, see [`runs_of`].
    runs: Box<[Run]>,
}

#[derive(Debug, Clone)]
enum Rest {
    /// The head is the whole word.
    WordEnds,
    /// `head*`.
    Anything,
    /// Wildcards and more after the head.
    Glob(Box<[Glyph]>),
    /// The head may stand anywhere, also inside a run of text.
    Inside,
}

impl Needle {
    /// The needle for one word of a search, compared as `tokenizer` says.
    pub fn new(word: &QueryWord, tokenizer: &Tokenizer) -> Self {
        let literal = |text: &str| Literal::new(text, tokenizer.case_sensitive());
        let glyphs = match word {
            QueryWord::Chinese(text) => return Self::inside(text, tokenizer.case_sensitive()),
            QueryWord::Word(glyphs) => glyphs,
        };
        let head: String = glyphs
            .iter()
            .map_while(|glyph| match glyph {
                Glyph::Char(c) => Some(*c),
                _ => None,
            })
            .collect();
        let rest = &glyphs[head.chars().count()..];
        let head = literal(&head);
        let words_are_apart = !tokenizer.cuts_at_letters();
        Self {
            runs: head.runs(words_are_apart, words_are_apart && rest.is_empty()),
            head,
            rest: match rest {
                [] => Rest::WordEnds,
                [Glyph::AnyRun] => Rest::Anything,
                _ => Rest::Glob(rest.iter().map(|&glyph| folded(glyph, tokenizer)).collect()),
            },
        }
    }

    /// The needle for a text that may stand anywhere in a value.
    pub fn inside(text: &str, case_sensitive: bool) -> Self {
        let head = Literal::new(text, case_sensitive);
        Self { runs: head.runs(false, false), head, rest: Rest::Inside }
    }

    /// Whether the word begins with a wildcard, which is not supported.
    pub fn begins_with_wildcard(&self) -> bool {
        self.head.bytes.is_empty()
    }

    /// Runs of letters and digits that every value has which has the word.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Length of what is compared byte by byte.
    pub fn head_bytes(&self) -> usize {
        self.head.bytes.len()
    }

    /// What finds the places in many logs where the word may be; nothing if it may be anywhere.
    pub fn finder(&self) -> Option<Finder> {
        (self.head.fold != Fold::Unicode)
            .then(|| Finder::new(&self.head.bytes, self.head.fold == Fold::Exact))
    }

    /// Whether the word may be somewhere in `bytes`.
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.head.fold == Fold::Unicode || self.head.find(bytes, |_, _| true)
    }

    /// Whether `value`, cut by `tokenizer`, has the word.
    pub fn is_in(&self, value: &[u8], tokenizer: &Tokenizer) -> bool {
        match &self.rest {
            Rest::Inside => self.head.find(value, |_, _| true),
            Rest::WordEnds => self.head.find(value, |start, end| {
                tokenizer.boundary_before(value, start) && tokenizer.boundary_after(value, end)
            }),
            Rest::Anything => self.head.find(value, |start, _| tokenizer.boundary_before(value, start)),
            Rest::Glob(glob) => self.head.find(value, |start, end| {
                tokenizer.boundary_before(value, start) && {
                    let tail = &value[end..tokenizer.word_end(value, end)];
                    glob_matches(glob, tail, tokenizer.case_sensitive())
                }
            }),
        }
    }
}

fn folded(glyph: Glyph, tokenizer: &Tokenizer) -> Glyph {
    match glyph {
        Glyph::Char(c) if !tokenizer.case_sensitive() => Glyph::Char(lower(c)),
        other => other,
    }
}

/// A text to find, ready to be compared.
#[derive(Debug, Clone)]
struct Literal {
    /// Lower case unless case matters.
    bytes: Box<[u8]>,
    fold: Fold,
    /// Position in `bytes` of the byte that is likely the rarest in values.
    rare: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// Bytes are compared as they are.
    Exact,
    /// ASCII letters are equal in both cases; nothing else in the literal has case.
    Ascii,
    /// Character by character.
    Unicode,
}

impl Literal {
    fn new(text: &str, case_sensitive: bool) -> Self {
        let fold = match case_sensitive {
            true => Fold::Exact,
            false if text.chars().all(|c| c.is_ascii() || !has_case(c)) => Fold::Ascii,
            false => Fold::Unicode,
        };
        let bytes: Box<[u8]> = match fold {
            Fold::Exact => text.as_bytes().into(),
            Fold::Ascii => text.to_ascii_lowercase().into_bytes().into(),
            Fold::Unicode => text.chars().map(lower).collect::<String>().into_bytes().into(),
        };
        let rare = (0..bytes.len()).min_by_key(|&at| commonness(bytes[at])).unwrap_or(0);
        Self { bytes, fold, rare }
    }

    /// The runs that stand in every value that has the literal; none where letters of other alphabets may be
    /// equal to those of ASCII.
    fn runs(&self, starts_word: bool, ends_word: bool) -> Box<[Run]> {
        match self.fold {
            Fold::Unicode => Box::default(),
            Fold::Exact | Fold::Ascii => runs_of(&self.bytes, starts_word, ends_word),
        }
    }

    /// Whether the literal occurs in `value` at a place that `accept` takes, given where it
    /// begins and ends.
    fn find(&self, value: &[u8], accept: impl Fn(usize, usize) -> bool) -> bool {
        let Some(&rare) = self.bytes.get(self.rare) else {
            return accept(0, 0);
        };
        let at = |found: usize| {
            let Some(start) = found.checked_sub(self.rare) else {
                return false;
            };
            let end = start + self.bytes.len();
            let Some(there) = value.get(start..end) else {
                return false;
            };
            let equal = match self.fold {
                Fold::Ascii => there.eq_ignore_ascii_case(&self.bytes),
                _ => *there == *self.bytes,
            };
            equal && accept(start, end)
        };
        match self.fold {
            Fold::Exact => memchr::memchr_iter(rare, value).any(at),
            Fold::Ascii => memchr::memchr2_iter(rare, rare.to_ascii_uppercase(), value).any(at),
            Fold::Unicode => (0..value.len()).any(|start| {
                self.end_of_match(&value[start..]).is_some_and(|length| accept(start, start + length))
            }),
        }
    }

    /// How many bytes at the beginning of `value` are the literal, by characters.
    fn end_of_match(&self, value: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        text.chars().try_fold(0, |at, wanted| {
            let found = first_char(value.get(at..)?)?;
            (lower(found) == wanted).then_some(at + found.len_utf8())
        })
    }
}

fn has_case(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase()
}

/// Lower case of one character; the rare ones that become several keep the first.
fn lower(c: char) -> char {
    match c.is_ascii() {
        true => c.to_ascii_lowercase(),
        false => c.to_lowercase().next().unwrap_or(c),
    }
}

/// How often a byte stands in log values: a rough order of English letters is enough to pick
/// the byte of a word that is worth looking for.
fn commonness(byte: u8) -> u8 {
    const COMMON_FIRST: &[u8] = b"etaoinsr0112lhdcumfp3456789gwy-./_bvkxjqz";
    let letter = byte.to_ascii_lowercase();
    match COMMON_FIRST.iter().position(|&common| common == letter) {
        Some(rank) => u8::MAX - rank as u8,
        None if byte.is_ascii() => 0,
        None => 100,
    }
}

/// Whether the pattern covers all of `text`. Linear but for `*`, which looks back only to the
/// last one.
fn glob_matches(pattern: &[Glyph], text: &[u8], case_sensitive: bool) -> bool {
    let mut at_pattern = 0;
    let mut at_text = 0;
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let glyph = pattern.get(at_pattern);
        if at_text >= text.len() && glyph != Some(&Glyph::AnyRun) {
            return glyph.is_none();
        }
        let (c, length) = next_char(&text[at_text..]);
        let fits = match glyph {
            Some(Glyph::AnyRun) => {
                at_pattern += 1;
                retry = Some((at_pattern, at_text));
                continue;
            }
            Some(Glyph::AnyOne) => true,
            Some(Glyph::Char(wanted)) => c.is_some_and(|c| match case_sensitive {
                true => c == *wanted,
                false => lower(c) == *wanted,
            }),
            None => false,
        };
        match (fits, retry) {
            (true, _) => {
                at_pattern += 1;
                at_text += length;
            }
            (false, Some((pattern_start, text_start))) => {
                let longer = text_start + next_char(&text[text_start..]).1;
                retry = Some((pattern_start, longer));
                at_pattern = pattern_start;
                at_text = longer;
            }
            (false, None) => return false,
        }
    }
}

/// The first character and its length; a byte that is no UTF-8 counts as a character by itself.
fn next_char(text: &[u8]) -> (Option<char>, usize) {
    match first_char(text) {
        Some(c) => (Some(c), c.len_utf8()),
        None => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tokenizer::DEFAULT_DELIMITERS, *};
    use proptest::prelude::*;

    fn tokenizer(case_sensitive: bool) -> Tokenizer {
        Tokenizer::new(DEFAULT_DELIMITERS.chars(), case_sensitive, true)
    }

    fn glyphs(text: &str) -> Vec<Glyph> {
        text.chars()
            .map(|c| match c {
                '*' => Glyph::AnyRun,
                '?' => Glyph::AnyOne,
                c => Glyph::Char(c),
            })
            .collect()
    }

    fn found(word: &str, value: &str, case_sensitive: bool) -> bool {
        let tokenizer = tokenizer(case_sensitive);
        let needle = Needle::new(&QueryWord::Word(glyphs(word)), &tokenizer);
        needle.is_in(value.as_bytes(), &tokenizer)
    }

    #[test]
    fn words_are_found_whole() {
        assert!(found("redo", "session: redo redo_index", false));
        assert!(!found("index", "session: redo redo_index", false));
        assert!(!found("reconciler", "session-reconciler: x", false));
        assert!(found("chrome", "X11 Chrome", false) && !found("chrome", "X11 Chrome", true));
        assert!(found("ok", "登录ok成功", false));
    }

    #[test]
    fn wildcards_stay_inside_a_word() {
        assert!(found("mozi?la", "Mozilla/5.0", false));
        assert!(found("10.0.0.*", "10.0.0.1", false));
        assert!(found("a*c", "x abbc y", false) && !found("a*c", "ab c", false));
        assert!(found("a*b*c", "a1b2b3c", false) && !found("a*b?", "a1b", false));
        assert!(found("é?a*", "x ÉÜabc", false));
    }

    #[test]
    fn case_of_other_alphabets_folds() {
        assert!(found("ünïcode", "das ÜNÏCODE hier", false));
        assert!(!found("ünïcode", "das ÜNÏCODE hier", true));
    }

    proptest! {
        /// The search agrees with splitting the value and comparing word by word.
        #[test]
        fn agrees_with_splitting(
            value in "[abAB .,é-]{0,24}", word in "[abé-]{1,3}", case_sensitive in any::<bool>(),
        ) {
            let fold = |text: &str| if case_sensitive { text.to_owned() } else { text.to_lowercase() };
            let expected = value.split([' ', ',']).any(|w| fold(w) == fold(&word));
            prop_assert_eq!(found(&word, &value, case_sensitive), expected);
        }

        #[test]
        fn globs_agree_with_a_regular_expression(
            value in "[abé]{0,12}", tail in "[abé*?]{0,6}",
        ) {
            let pattern: String = tail.chars().map(|c| match c {
                '*' => ".*".to_owned(), '?' => ".".to_owned(), c => c.to_string(),
            }).collect();
            let expected = regex::Regex::new(&format!("^(?s:a{pattern})$")).unwrap().is_match(&value);
            prop_assert_eq!(found(&format!("a{tail}"), &value, true), expected);
        }

        #[test]
        fn any_bytes_are_taken(value in prop::collection::vec(any::<u8>(), 0..64), word in "[a-zé*?登]{1,5}") {
            let tokenizer = tokenizer(false);
            let needle = Needle::new(&QueryWord::Word(glyphs(&word)), &tokenizer);
            let _ = needle.is_in(&value, &tokenizer);
        }
    }
}
