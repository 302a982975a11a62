//! Sets of bytes, and how far a text stays within one.

use regex_syntax::hir::ClassBytes;

/// A set of bytes with the fastest known way to scan for its end.
#[derive(Debug, Clone)]
pub struct ByteSet {
    members: Box<[bool; 256]>,
    scan: Scan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scan {
    /// Every byte belongs to it.
    All,
    AllBut1(u8),
    AllBut2(u8, u8),
    AllBut3(u8, u8, u8),
    /// All but the six bytes of `\s`.
    NotSpace,
    /// Look each byte up.
    Table,
}

impl ByteSet {
    /// The bytes of these ranges, both ends included.
    pub fn new(ranges: &[(u8, u8)]) -> Self {
        let mut members = Box::new([false; 256]);
        for (start, end) in ranges {
            members[usize::from(*start)..=usize::from(*end)].fill(true);
        }
        Self::from_members(members)
    }

    /// The bytes of a class.
    pub fn of_class(class: &ClassBytes) -> Self {
        Self::new(&class.ranges().iter().map(|r| (r.start(), r.end())).collect::<Vec<_>>())
    }

    fn from_members(members: Box<[bool; 256]>) -> Self {
        let out: Vec<u8> = (0..=255).filter(|b| !members[usize::from(*b)]).collect();
        let scan = match out.as_slice() {
            [] => Scan::All,
            [a] => Scan::AllBut1(*a),
            [a, b] => Scan::AllBut2(*a, *b),
            [a, b, c] => Scan::AllBut3(*a, *b, *c),
            b"\t\n\x0b\x0c\r " => Scan::NotSpace,
            _ => Scan::Table,
        };
        Self { members, scan }
    }

    #[inline]
    pub fn contains(&self, byte: u8) -> bool {
        self.members[usize::from(byte)]
    }

    /// How many bytes at the start of `text` belong to the set.
    #[inline]
    pub fn run(&self, text: &[u8]) -> usize {
        let end = match self.scan {
            Scan::All => None,
            Scan::AllBut1(a) => memchr::memchr(a, text),
            Scan::AllBut2(a, b) => memchr::memchr2(a, b, text),
            Scan::AllBut3(a, b, c) => memchr::memchr3(a, b, c, text),
            Scan::NotSpace => find_space(text),
            Scan::Table => text.iter().position(|byte| !self.contains(*byte)),
        };
        end.unwrap_or(text.len())
    }

    /// Where the first byte of the set is.
    #[inline]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        text.iter().position(|byte| self.contains(*byte))
    }

    pub fn intersects(&self, other: &Self) -> bool {
        (0..=255).any(|b| self.contains(b) && other.contains(b))
    }

    /// True if every byte of this set is in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        (0..=255).all(|b| !self.contains(b) || other.contains(b))
    }

    pub fn union(&self, other: &Self) -> Self {
        let mut members = self.members.clone();
        for (member, theirs) in members.iter_mut().zip(other.members.iter()) {
            *member |= *theirs;
        }
        Self::from_members(members)
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// The first byte of `\s`, looking at eight bytes at a time for one below 0x21.
#[inline]
fn find_space(text: &[u8]) -> Option<usize> {
    const ABOVE_SPACE: u64 = 0x2121_2121_2121_2121;
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        // A borrow sets the high bit of each byte below 0x21 (and perhaps of the one after it, which
        // is looked at again by itself).
        let low = word.wrapping_sub(ABOVE_SPACE) & !word & HIGH_BITS;
        if low == 0 {
            at += 8;
            continue;
        }
        at += (low.trailing_zeros() / 8) as usize;
        if text.get(at).is_some_and(|b| is_space(*b)) {
            return Some(at);
        }
        at += 1;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|b| is_space(*b)).map(|i| at + i)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(pattern: &str) -> ByteSet {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        let regex_syntax::hir::HirKind::Class(class) = hir.expect("class").into_kind() else {
            panic!("{pattern} is no class")
        };
        super::super::set_of(&class).expect("bytes")
    }

    proptest! {
        #[test]
        fn every_scan_finds_what_looking_at_each_byte_finds(
            text in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b" \t\nab\"]\x1f\x21".to_vec())], 0..60)
        ) {
            for pattern in [r"[\x00-\xff]", "[^a]", "[^ab]", r#"[^ab"]"#, r"\S", r"\d", r"\w", r"\s", "[^ab\"\\]]"] {
                let set = set(pattern);
                let run = text.iter().position(|b| !set.contains(*b)).unwrap_or(text.len());
                prop_assert_eq!(set.run(&text), run, "{}", pattern);
                prop_assert_eq!(set.find(&text), text.iter().position(|b| set.contains(*b)), "{}", pattern);
            }
        }
    }

    #[test]
    fn the_common_classes_have_a_fast_scan() {
        assert_eq!(set(r"\S").scan, Scan::NotSpace);
        assert_eq!(set("[^\"]").scan, Scan::AllBut1(b'"'));
        assert_eq!(set(r"[\x00-\xff]").scan, Scan::All);
    }
}
