//! Looks for a text in many bytes at once, several bytes at a time: what a scan over whole blocks does.

use aho_corasick::packed;
use memchr::memmem;

use super::commonness;

/// Bytes of a text that are looked for in each letter case, at most: eight ways to write them.
const WINDOW_BYTES: usize = 3;

/// A text to look for.
#[derive(Debug, Clone)]
pub struct Finder {
    /// In lower case, unless letter case matters.
    text: Box<[u8]>,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    /// Exactly as it is.
    Exact(Box<memmem::Finder<'static>>),
    /// Some bytes of it in any letter case, and where they stand in it.
    Cases { window: packed::Searcher, offset: usize },
    /// One byte after the other: this machine has no better way.
    Bytewise,
}

impl Finder {
    /// Looks for `text`, which is in lower case unless `case_sensitive`; only letters of ASCII have cases.
    pub fn new(text: &[u8], case_sensitive: bool) -> Self {
        let how = match case_sensitive || !text.iter().any(u8::is_ascii_alphabetic) {
            true => How::Exact(Box::new(memmem::Finder::new(text).into_owned())),
            false => cases(text).unwrap_or(How::Bytewise),
        };
        Self { text: text.into(), how }
    }

    /// Where the text begins next in `bytes` from `at` on.
    pub fn find(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let equals = |start: usize| {
            let there = bytes.get(start..start + self.text.len());
            there.is_some_and(|there| there.eq_ignore_ascii_case(&self.text))
        };
        match &self.how {
            How::Exact(finder) => finder.find(bytes.get(at..)?).map(|found| at + found),
            How::Cases { window, offset } => {
                let mut from = at + offset;
                while from < bytes.len() {
                    let span = (from..bytes.len()).into();
                    let found = window.find_in(bytes, span)?.start();
                    if equals(found - offset) {
                        return Some(found - offset);
                    }
                    from = found + 1;
                }
                None
            }
            How::Bytewise => (at..bytes.len()).find(|start| equals(*start)),
        }
    }
}

/// Looks for the rarest bytes of the text.
fn cases(text: &[u8]) -> Option<How> {
    let windows = text.windows(WINDOW_BYTES.min(text.len()).max(1));
    let commonness = |window: &[u8]| window.iter().map(|byte| u32::from(commonness(*byte))).sum::<u32>();
    let (offset, window) = windows.enumerate().min_by_key(|(_, window)| commonness(window))?;
    let mut written = vec![Vec::new()];
    for &byte in window {
        let upper = byte.to_ascii_uppercase();
        let mut longer = Vec::new();
        for start in &written {
            longer.push([start, &[byte][..]].concat());
            if upper != byte {
                longer.push([start, &[upper][..]].concat());
            }
        }
        written = longer;
    }
    let window = packed::Config::new().builder().extend(written).build()?;
    Some(How::Cases { window, offset })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_place_is_the_one_that_comparing_at_every_byte_gives(
            text in "[ab0é]{1,6}", bytes in "[abAB01é]{0,120}", at in 0usize..40, case_sensitive in any::<bool>(),
        ) {
            let (text, bytes) = (text.as_bytes(), bytes.as_bytes());
            let equals = |there: &[u8]| there == text || !case_sensitive && there.eq_ignore_ascii_case(text);
            let expected = (at..bytes.len()).find(|start| bytes.get(*start..start + text.len()).is_some_and(equals));
            prop_assert_eq!(Finder::new(text, case_sensitive).find(bytes, at), expected);
        }
    }
}
