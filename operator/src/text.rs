//! Texts for people: with a bound, for conditions and events, and the causes of errors.

/// At most `max` bytes of `text`, with a mark where it was cut.
pub fn cut(text: &str, max: usize) -> String {
    const MARK: &str = " …";
    if text.len() <= max {
        return text.to_owned();
    }
    let room = max.saturating_sub(MARK.len());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

/// What an error comes down to: kube's outer errors only say that something failed.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("ééééé", 8), "éé …");
        assert_eq!(cut("abcdefgh", 7), "abc …");
    }
}
