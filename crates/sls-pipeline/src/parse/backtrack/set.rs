//! Sets of bytes or of characters, and how far a text stays within one.

use regex_syntax::hir::{Class, ClassUnicode};

use super::super::spans::ByteSet;

/// Bit pattern of a byte that continues a character, and the bits that say so. Source: RFC 3629.
const CONTINUES: u8 = 0x80;
const CONTINUES_MASK: u8 = 0xc0;

/// How an expression reads its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All bytes are ASCII, or the expression does not ask for characters.
    Bytes,
    /// The text is UTF-8, and what asks for characters gets them.
    Characters,
}

/// What one place of an expression takes.
#[derive(Debug, Clone)]
pub enum Set {
    Bytes(ByteSet),
    Characters(Box<CharSet>),
}

/// Where a repetition that takes as much as there is may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// After the fewest; bytes from the beginning.
    pub low: usize,
    /// After the most.
    pub high: usize,
}

impl Set {
    /// Of a class. Read as bytes, a class of characters has those of ASCII.
    pub fn new(class: &Class, reading: Reading) -> Self {
        match class {
            Class::Unicode(characters) if reading == Reading::Characters && !characters.is_ascii() => {
                Self::Characters(Box::new(CharSet::new(characters)))
            }
            class => Self::Bytes(first_bytes(class, Reading::Bytes)),
        }
    }

    pub fn of_byte(byte: u8) -> Self {
        Self::Bytes(ByteSet::new(&[(byte, byte)]))
    }

    /// Length of what it takes at `at`, in bytes; `None` if that is nothing.
    #[inline]
    pub fn take(&self, text: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Bytes(set) => set.contains(*text.get(at)?).then_some(1),
            Self::Characters(set) => set.take(text, at),
        }
    }

    /// How far `min` to `max` of it lead from `at`; `None` if there are fewer.
    #[inline]
    pub fn reach(&self, text: &[u8], at: usize, min: usize, max: usize) -> Option<Reach> {
        match self {
            Self::Bytes(set) => {
                let run = set.run(text.get(at..)?).min(max);
                (run >= min).then_some(Reach { low: at + min, high: at + run })
            }
            Self::Characters(set) => {
                let mut low = at;
                for _ in 0..min {
                    low += set.take(text, low)?;
                }
                let mut high = low;
                for _ in min..max {
                    let Some(length) = set.take(text, high) else { break };
                    high += length;
                }
                Some(Reach { low, high })
            }
        }
    }

    /// Whether a repetition of it may end at `at`, where it could also go on.
    #[inline]
    pub fn may_end_at(&self, text: &[u8], at: usize) -> bool {
        matches!(self, Self::Bytes(_)) || is_boundary(text, at)
    }
}

/// Characters, some of them not of ASCII.
#[derive(Debug, Clone)]
pub struct CharSet {
    ascii: ByteSet,
    /// The others: ranges with both ends, in order.
    beyond: Box<[(u32, u32)]>,
}

impl CharSet {
    fn new(characters: &ClassUnicode) -> Self {
        let first_beyond = |start: char| u32::from(start).max(0x80);
        let beyond = characters.iter().filter(|range| !range.end().is_ascii());
        let beyond = beyond.map(|range| (first_beyond(range.start()), u32::from(range.end()))).collect();
        Self { ascii: ascii(characters), beyond }
    }

    #[inline]
    fn take(&self, text: &[u8], at: usize) -> Option<usize> {
        let byte = *text.get(at)?;
        if byte.is_ascii() {
            return self.ascii.contains(byte).then_some(1);
        }
        let character = char_at(text, at)?;
        let code = u32::from(character);
        let index = self.beyond.partition_point(|(_, end)| *end < code);
        let is_in = self.beyond.get(index).is_some_and(|(start, _)| *start <= code);
        is_in.then(|| character.len_utf8())
    }
}

/// The bytes that something of the class begins with.
pub fn first_bytes(class: &Class, reading: Reading) -> ByteSet {
    match class {
        Class::Bytes(bytes) => ByteSet::of_class(bytes),
        Class::Unicode(characters) if reading == Reading::Bytes => ascii(characters),
        Class::Unicode(characters) => {
            // The order of characters is that of their bytes.
            let lead = |character: char| character.encode_utf8(&mut [0; 4]).as_bytes().first().copied();
            let leads =
                characters.iter().filter_map(|range| Some((lead(range.start())?, lead(range.end())?)));
            ByteSet::new(&leads.collect::<Vec<_>>())
        }
    }
}

fn ascii(characters: &ClassUnicode) -> ByteSet {
    let last = |end: char| if end.is_ascii() { end as u8 } else { 0x7f };
    let low = characters.iter().filter(|range| range.start().is_ascii());
    ByteSet::new(&low.map(|range| (range.start() as u8, last(range.end()))).collect::<Vec<_>>())
}

/// Whether no character of `text`, which is UTF-8, has bytes on both sides of `at`.
#[inline]
pub fn is_boundary(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|byte| byte & CONTINUES_MASK != CONTINUES)
}

/// The character of `text`, which is UTF-8, that begins at `at`.
#[inline]
pub fn char_at(text: &[u8], at: usize) -> Option<char> {
    let byte = |offset: usize| text.get(at + offset).map(|byte| u32::from(*byte));
    let low = |offset| Some(byte(offset)? & 0x3f);
    let code = match byte(0)? {
        lead @ 0..0x80 => lead,
        lead @ 0xc0..0xe0 => (lead & 0x1f) << 6 | low(1)?,
        lead @ 0xe0..0xf0 => (lead & 0x0f) << 12 | low(1)? << 6 | low(2)?,
        lead @ 0xf0..0xf8 => (lead & 0x07) << 18 | low(1)? << 12 | low(2)? << 6 | low(3)?,
        _ => return None,
    };
    char::from_u32(code)
}

/// The character of `text`, which is UTF-8, that ends at `at`, a boundary.
pub fn char_before(text: &[u8], at: usize) -> Option<char> {
    let start = (0..at).rev().find(|at| is_boundary(text, *at))?;
    char_at(text, start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn characters_are_read_forwards_and_backwards(text in any::<String>()) {
            for (at, character) in text.char_indices() {
                let bytes = text.as_bytes();
                prop_assert_eq!(char_at(bytes, at), Some(character));
                prop_assert_eq!(char_before(bytes, at + character.len_utf8()), Some(character));
                for inside in at + 1..at + character.len_utf8() {
                    prop_assert!(!is_boundary(bytes, inside) && char_at(bytes, inside).is_none());
                }
            }
            prop_assert_eq!(char_at(text.as_bytes(), text.len()), None);
            prop_assert_eq!(char_before(text.as_bytes(), 0), None);
        }
    }
}
