//! What can be told from a regular expression without a line to match.

use regex::bytes::Regex;
use regex_syntax::hir::Hir;

/// A regular expression that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the regex does not compile: {0}")]
pub struct RegexError(String);

/// Number of capture groups.
///
/// # Errors
/// [`RegexError`] when it does not compile with our engine, which knows no look-around and no
/// back references (Boost, the vendor's engine, does).
pub fn capture_groups(pattern: &str) -> Result<usize, RegexError> {
    // Bytes, as lines need not be UTF-8. The engine's message spans lines and ends with the
    // reason.
    let compiled = Regex::new(pattern).map_err(|e| {
        let text = e.to_string();
        let reason = text.lines().last().unwrap_or_default();
        RegexError(reason.trim_start_matches("error: ").to_owned())
    })?;
    Ok(compiled.captures_len().saturating_sub(1))
}

/// The longest text that can match, in bytes; none when there is no bound (or no regex).
pub(super) fn longest_match(pattern: &str) -> Option<usize> {
    let hir: Hir =
        regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(pattern).ok()?;
    hir.properties().maximum_len()
}

/// Says so when a regex contains `.` and `*` with blanks between them: any one character, then
/// blanks. It is what document converters make of `.*`.
pub(super) fn stray_blank(pattern: &str) -> Option<String> {
    stray_blanks(pattern).next().map(|_| {
        "contains \". *\" (any one character, then blanks), probably a damaged \".*\": write .* (or .[ ]* if \
         blanks are meant)"
            .to_owned()
    })
}

/// Whether the regex ends so; closing parentheses and `$` do not count.
pub(super) fn ends_in_stray_blank(pattern: &str) -> bool {
    let end = pattern.trim_end_matches([')', '$', ' ']).len();
    stray_blanks(pattern).any(|after| after == end)
}

/// Positions behind each `. *`.
fn stray_blanks(pattern: &str) -> impl Iterator<Item = usize> {
    let mut escaped = false;
    let mut in_class = false;
    pattern.char_indices().filter_map(move |(at, c)| {
        let literal = std::mem::take(&mut escaped);
        match c {
            _ if literal => None,
            '\\' => {
                escaped = true;
                None
            }
            '[' if !in_class => {
                in_class = true;
                None
            }
            ']' => {
                in_class = false;
                None
            }
            '.' if !in_class => {
                let rest = pattern.get(at + 1..)?;
                let blanks = rest.len() - rest.trim_start_matches(' ').len();
                let star = rest.get(blanks..)?.starts_with('*');
                (blanks > 0 && star).then_some(at + 1 + blanks + 1)
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_without_those_that_do_not_capture() {
        assert_eq!(capture_groups(r"(\S+)\s(?:a|b)(.*)"), Ok(2));
        assert_eq!(capture_groups("(.*)"), Ok(1));
        let e = capture_groups(r"(\S+").unwrap_err();
        assert_eq!(e.to_string(), "the regex does not compile: unclosed group");
        let e = capture_groups(r"(?=a)").unwrap_err();
        assert!(e.to_string().contains("look-around"), "{e}");
    }

    #[test]
    fn a_blank_between_dot_and_star_is_seen() {
        assert!(ends_in_stray_blank(". *"));
        assert!(ends_in_stray_blank(r#""([^"]+)"\s. *"#));
        assert!(ends_in_stray_blank(r"a (.   *)$"));
        assert!(stray_blank(r"a. *b").is_some() && !ends_in_stray_blank(r"a. *b"));
        for fine in [".*", r"\. *", "[. *]", "a *", ". +", r"a\\.*", ". b*"] {
            assert_eq!(stray_blank(fine), None, "{fine}");
        }
    }

    #[test]
    fn the_longest_match_is_known_when_bounded() {
        assert_eq!(longest_match(r"\d{4}-\d\d"), Some(7));
        assert_eq!(longest_match(r"\d{4}-.*"), None);
        assert_eq!(longest_match(r"\d+"), None);
    }
}
