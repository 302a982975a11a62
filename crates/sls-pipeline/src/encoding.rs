//! The encoding of log files, and how text of it becomes UTF-8.
//!
//! Pure; called by `events`, which matches and cuts lines, and by `engine::feed`, which sends them. In both
//! encodings no byte of a longer character is a newline, so lines are found before they are decoded.

use std::borrow::Cow;

use encoding_rs::GBK;

/// Encoding of a file's text (`FileEncoding`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes are sent as they are.
    #[default]
    Utf8,
    /// GBK, with the longer characters of GB 18030.
    Gbk,
}

impl Encoding {
    /// `text` in UTF-8; what is no character of the encoding becomes U+FFFD. Copies only where there is
    /// something to convert.
    #[inline]
    pub fn decode(self, text: &[u8]) -> Cow<'_, [u8]> {
        self.convert(text).0
    }

    /// [`Self::decode`], and whether anything became U+FFFD.
    #[inline]
    pub fn convert(self, text: &[u8]) -> (Cow<'_, [u8]>, bool) {
        match self {
            Self::Utf8 => (Cow::Borrowed(text), false),
            Self::Gbk => match GBK.decode_without_bom_handling(text) {
                (Cow::Borrowed(text), is_damaged) => (Cow::Borrowed(text.as_bytes()), is_damaged),
                (Cow::Owned(text), is_damaged) => (Cow::Owned(text.into_bytes()), is_damaged),
            },
        }
    }

    /// Where the piece of text that begins at `start` ends if it may have `bytes_max` bytes: not inside
    /// a character, if the text is of this encoding and `start` is the begin of one.
    pub fn cut(self, data: &[u8], start: usize, bytes_max: usize) -> usize {
        match self {
            Self::Utf8 => crate::lines::cut(data, start, bytes_max),
            Self::Gbk => {
                let end = (start + bytes_max.max(1)).min(data.len());
                let mut at = start;
                loop {
                    let next = at + gbk_len(data.get(at..).unwrap_or_default());
                    if next > end || at >= end {
                        return if at > start { at } else { end };
                    }
                    at = next;
                }
            }
        }
    }
}

/// Bytes of the character that `text` begins with.
fn gbk_len(text: &[u8]) -> usize {
    match text {
        [0x81..=0xfe, b'0'..=b'9', ..] => 4,
        [0x81..=0xfe, ..] => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 日志 and two ASCII letters around it.
    const TEXT: &[u8] = b"a\xc8\xd5\xd6\xbeb";

    #[test]
    fn gbk_becomes_utf8_and_ascii_is_not_copied() {
        assert_eq!(&*Encoding::Gbk.decode(TEXT), "a日志b".as_bytes());
        assert!(matches!(Encoding::Gbk.decode(b"plain"), Cow::Borrowed(b"plain")));
        assert!(matches!(Encoding::Utf8.decode(TEXT), Cow::Borrowed(TEXT)));
        let (text, is_damaged) = Encoding::Gbk.convert(b"a\xc8");
        assert_eq!((&*text, is_damaged), ("a\u{fffd}".as_bytes(), true));
        assert!(!Encoding::Gbk.convert(TEXT).1);
    }

    #[test]
    fn a_cut_does_not_divide_a_gbk_character() {
        let cut = |start, bytes_max| Encoding::Gbk.cut(TEXT, start, bytes_max);
        assert_eq!([cut(0, 1), cut(0, 2), cut(0, 3), cut(0, 4), cut(0, 5), cut(0, 99)], [1, 1, 3, 3, 5, 6]);
        assert_eq!([cut(1, 1), cut(1, 2), cut(1, 3)], [2, 3, 3]);
        assert_eq!(Encoding::Gbk.cut(b"a\x81\x30\x81\x30b", 0, 4), 1);
        assert_eq!(Encoding::Gbk.cut(b"a\x81\x30\x81\x30b", 0, 5), 5);
        assert_eq!(Encoding::Gbk.cut(b"ab\xc8", 0, 9), 2);
    }
}
