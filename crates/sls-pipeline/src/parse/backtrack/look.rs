//! What an expression may ask of a place.

use regex_syntax::hir::Look;

use super::set::{Reading, char_at, char_before, is_boundary};

/// Whether it asks for words that are not of ASCII.
pub fn is_of_characters(look: Look) -> bool {
    matches!(
        look,
        Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode
    )
}

/// Whether `look` holds at the place. Read as bytes, all words are of ASCII.
pub fn sees(look: Look, text: &[u8], at: usize, reading: Reading) -> bool {
    if is_of_characters(look) && reading == Reading::Characters {
        return sees_characters(look, text, at);
    }
    let before = || at.checked_sub(1).and_then(|at| text.get(at)).copied();
    let after = || text.get(at).copied();
    let is_word = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    match look {
        Look::Start => at == 0,
        Look::End => at == text.len(),
        Look::StartLF => before().is_none_or(|b| b == b'\n'),
        Look::EndLF => after().is_none_or(|b| b == b'\n'),
        Look::StartCRLF => match before() {
            Some(b'\r') => after() != Some(b'\n'),
            before => before.is_none_or(|b| b == b'\n'),
        },
        Look::EndCRLF => match after() {
            Some(b'\n') => before() != Some(b'\r'),
            after => after.is_none_or(|b| b == b'\r'),
        },
        _ => holds(look, is_word(before()), is_word(after())),
    }
}

/// The same of words of characters. In the middle of one there is nothing to see, as in the engine.
fn sees_characters(look: Look, text: &[u8], at: usize) -> bool {
    let is_word = |character: Option<char>| {
        character.is_some_and(|c| regex_syntax::try_is_word_character(c).unwrap_or(false))
    };
    is_boundary(text, at) && holds(look, is_word(char_before(text, at)), is_word(char_at(text, at)))
}

/// Whether `look`, which is about words, holds between what is `before` and `after`.
fn holds(look: Look, before: bool, after: bool) -> bool {
    match look {
        Look::WordAscii | Look::WordUnicode => before != after,
        Look::WordAsciiNegate | Look::WordUnicodeNegate => before == after,
        Look::WordStartAscii | Look::WordStartUnicode => !before && after,
        Look::WordEndAscii | Look::WordEndUnicode => before && !after,
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => !before,
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => !after,
        _ => false,
    }
}
