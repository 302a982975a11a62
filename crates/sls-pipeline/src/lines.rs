//! Bytes → lines, and where an over-long piece of text is cut. Pure; called by `events`.

/// An event (line or joined lines) longer than this is sent in pieces. Source: Logtail's
/// `max_read_buffer_size`, the largest single log (collector.md §1.6, §3.1).
pub const EVENT_BYTES_MAX: usize = 512 * 1024;

/// Ends of the complete lines in `data[from..]`, as offsets of their `\n` in `data`.
#[inline]
pub fn line_ends(data: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
    let rest = data.get(from..).unwrap_or_default();
    memchr::memchr_iter(b'\n', rest).map(move |i| from + i)
}

/// Where the piece of text that begins at `start` ends if it may have `bytes_max` bytes: not inside
/// a UTF-8 character, if the text is UTF-8.
pub fn cut(data: &[u8], start: usize, bytes_max: usize) -> usize {
    const CONTINUATION_BYTES_MAX: usize = 3;
    let end = (start + bytes_max.max(1)).min(data.len());
    let lead = (end.saturating_sub(CONTINUATION_BYTES_MAX)..=end)
        .rev()
        .find(|i| data.get(*i).is_none_or(|b| b & 0xc0 != 0x80));
    match lead {
        Some(lead) if lead > start => lead,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_found_from_any_offset() {
        let ends = |from| line_ends(b"ab\n\ncd\ne", from).collect::<Vec<_>>();
        assert_eq!(ends(0), [2, 3, 6]);
        assert_eq!(ends(3), [3, 6]);
        assert_eq!(ends(7), [0usize; 0]);
        assert_eq!(ends(99), [0usize; 0]);
    }

    #[test]
    fn a_cut_does_not_divide_a_character() {
        let text = "ab日本".as_bytes();
        assert_eq!(cut(text, 0, 2), 2);
        assert_eq!(cut(text, 0, 3), 2);
        assert_eq!(cut(text, 0, 4), 2);
        assert_eq!(cut(text, 0, 5), 5);
        assert_eq!(cut(text, 0, 99), 8);
    }

    #[test]
    fn a_cut_always_advances_even_in_bytes_that_are_no_text() {
        assert_eq!(cut(&[0x80; 9], 0, 2), 2);
        assert_eq!(cut("日".as_bytes(), 0, 1), 1);
    }
}
