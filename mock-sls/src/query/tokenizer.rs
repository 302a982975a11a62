//! Where words begin and end in a value: delimiters, Chinese text, and letter case.
//!
//! A value is never split into a list of words. A searched word is looked for in the value and
//! the two places beside it are checked, which needs no memory and is as exact.

use super::expr::Glyph;

/// The delimiters the console offers for a new index. Source: document "Search syntax".
pub const DEFAULT_DELIMITERS: &str = ", '\";=()[]{}?@&<>/:\n\t\r";

/// How one field (or the full text) is cut into words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    /// Bit n is set when the ASCII character n is a delimiter.
    ascii: u128,
    /// Delimiters outside ASCII.
    wide: Box<[char]>,
    chinese: bool,
    case_sensitive: bool,
}

impl Tokenizer {
    /// Words end at every character of `delimiters`; none means that a value is one word.
    /// With `chinese`, every Chinese character is a word of its own.
    pub fn new(delimiters: impl Iterator<Item = char>, case_sensitive: bool, chinese: bool) -> Self {
        let mut ascii = 0u128;
        let mut wide = Vec::new();
        for delimiter in delimiters {
            match ascii_bit(delimiter) {
                Some(bit) => ascii |= bit,
                None => wide.push(delimiter),
            }
        }
        Self { ascii, wide: wide.into(), chinese, case_sensitive }
    }

    /// For reserved fields: the whole value is one word, case does not matter.
    /// Source: document "Reserved fields" (no delimiters); case is a guess.
    pub fn whole_value() -> Self {
        Self::new(std::iter::empty(), false, false)
    }

    /// Whether `A` and `a` are different words.
    pub fn case_sensitive(&self) -> bool {
        self.case_sensitive
    }

    /// Whether a letter or digit of ASCII is a delimiter.
    pub fn cuts_at_letters(&self) -> bool {
        (0..128u8).any(|byte| byte.is_ascii_alphanumeric() && self.ascii & (1 << byte) != 0)
    }

    /// Whether a word can begin at byte `at` of `value`.
    pub fn boundary_before(&self, value: &[u8], at: usize) -> bool {
        match value.get(..at).and_then(<[u8]>::split_last) {
            None => true,
            Some((&last, _)) if last.is_ascii() => self.ascii & (1 << last) != 0,
            Some(_) => self.looks_wide() && last_char(&value[..at]).is_some_and(|c| self.ends_word(c)),
        }
    }

    /// Whether a word can end before byte `at` of `value`.
    pub fn boundary_after(&self, value: &[u8], at: usize) -> bool {
        match value.get(at) {
            None => true,
            Some(first) if first.is_ascii() => self.ascii & (1 << first) != 0,
            Some(_) => self.looks_wide() && first_char(&value[at..]).is_some_and(|c| self.ends_word(c)),
        }
    }

    /// The end of the word that begins at byte `start`.
    pub fn word_end(&self, value: &[u8], start: usize) -> usize {
        (start..value.len())
            .find(|&at| is_char_start(value, at) && self.boundary_after(value, at))
            .unwrap_or(value.len())
    }

    /// Cuts a searched text into the words to look for, as sequences of glyphs.
    /// A run of Chinese characters becomes its overlapping pairs.
    pub fn words_of_query(&self, text: &[Glyph]) -> Vec<QueryWord> {
        let mut words = Vec::new();
        let mut word: Vec<Glyph> = Vec::new();
        let mut chinese: Vec<char> = Vec::new();
        for &glyph in text {
            match glyph {
                Glyph::Char(c) if self.chinese && is_chinese(c) => {
                    flush_word(&mut word, &mut words);
                    chinese.push(c);
                }
                Glyph::Char(c) if self.is_delimiter(c) => {
                    flush_chinese(&mut chinese, &mut words);
                    flush_word(&mut word, &mut words);
                }
                // A wildcard beside Chinese text adds nothing: every character is a word.
                Glyph::AnyOne | Glyph::AnyRun if !chinese.is_empty() => {}
                _ => {
                    flush_chinese(&mut chinese, &mut words);
                    word.push(glyph);
                }
            }
        }
        flush_chinese(&mut chinese, &mut words);
        flush_word(&mut word, &mut words);
        words
    }

    fn is_delimiter(&self, c: char) -> bool {
        match ascii_bit(c) {
            Some(bit) => self.ascii & bit != 0,
            None => self.wide.contains(&c),
        }
    }

    fn looks_wide(&self) -> bool {
        self.chinese || !self.wide.is_empty()
    }

    fn ends_word(&self, c: char) -> bool {
        self.wide.contains(&c) || (self.chinese && is_chinese(c))
    }
}

/// One word of a searched text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryWord {
    /// Must be a whole word of the value.
    Word(Vec<Glyph>),
    /// One or two Chinese characters that must stand anywhere in the value. The service uses a
    /// private dictionary; pairs find at least what it finds.
    Chinese(String),
}

fn flush_word(word: &mut Vec<Glyph>, words: &mut Vec<QueryWord>) {
    // Nothing but `*` holds for every word.
    if word.iter().any(|glyph| *glyph != Glyph::AnyRun) {
        words.push(QueryWord::Word(std::mem::take(word)));
    } else {
        word.clear();
    }
}

fn flush_chinese(run: &mut Vec<char>, words: &mut Vec<QueryWord>) {
    match run.as_slice() {
        [] => {}
        [single] => words.push(QueryWord::Chinese(single.to_string())),
        several => words.extend(several.windows(2).map(|pair| QueryWord::Chinese(pair.iter().collect()))),
    }
    run.clear();
}

fn ascii_bit(c: char) -> Option<u128> {
    c.is_ascii().then(|| 1u128 << (c as u32))
}

/// Han characters and kana.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

fn is_char_start(value: &[u8], at: usize) -> bool {
    value.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)
}

/// The first character of `bytes`, if it is valid UTF-8.
pub fn first_char(bytes: &[u8]) -> Option<char> {
    let length = match bytes.first()? {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()
}

fn last_char(bytes: &[u8]) -> Option<char> {
    let start =
        (1..=4.min(bytes.len())).map(|back| bytes.len() - back).find(|&at| is_char_start(bytes, at))?;
    first_char(&bytes[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(tokenizer: &Tokenizer, text: &str) -> String {
        let glyphs: Vec<Glyph> = text.chars().map(Glyph::Char).collect();
        tokenizer
            .words_of_query(&glyphs)
            .iter()
            .map(|word| match word {
                QueryWord::Word(glyphs) => glyphs.iter().map(Glyph::to_string).collect(),
                QueryWord::Chinese(text) => text.clone(),
            })
            .collect::<Vec<String>>()
            .join("|")
    }

    #[test]
    fn default_delimiters_keep_hosts_and_hyphens_together() {
        let tokenizer = Tokenizer::new(DEFAULT_DELIMITERS.chars(), false, false);
        assert_eq!(words(&tokenizer, "GET /a-b_c?x=1.2.3"), "GET|a-b_c|x|1.2.3");
    }

    #[test]
    fn chinese_runs_become_overlapping_pairs() {
        let tokenizer = Tokenizer::new(DEFAULT_DELIMITERS.chars(), false, true);
        assert_eq!(words(&tokenizer, "用户登录ok 成"), "用户|户登|登录|ok|成");
    }

    #[test]
    fn no_delimiters_make_one_word() {
        assert_eq!(words(&Tokenizer::whole_value(), "a b,c"), "a b,c");
    }

    #[test]
    fn wide_delimiters_end_words() {
        let tokenizer = Tokenizer::new("，".chars(), false, false);
        let value = "甲，乙".as_bytes();
        assert!(tokenizer.boundary_after(value, 3));
        assert!(tokenizer.boundary_before(value, 6));
        assert_eq!(tokenizer.word_end(value, 0), 3);
    }
}
