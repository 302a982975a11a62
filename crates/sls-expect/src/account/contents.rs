//! Whether a log holds what was written.

use super::Field;
use crate::ledger::Check;

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// What was written.
    Intact,
    /// Nobody knows what it should.
    Unchecked,
    /// Something else of the same length, or more.
    Corrupted { written: Check, got: Check },
    /// Less.
    Truncated { written: Check, got: Check },
}

/// Holds a log against the line it was made of and the values it shall have. A log with one field may be either; a
/// log with several was taken apart, and then the line says nothing of it: the text between the values is gone.
pub fn compare(fields: &[Field<'_>], line: Option<Check>, values: Option<Check>) -> Contents {
    if line.is_none() && values.is_none() {
        return Contents::Unchecked;
    }
    let got = Check::of_values(fields.iter().map(|(_, value)| *value));
    if line == Some(got) || values == Some(got) {
        return Contents::Intact;
    }
    let written = if fields.len() == 1 { line.or(values) } else { values };
    match written {
        None => Contents::Unchecked,
        Some(written) if got.bytes < written.bytes => Contents::Truncated { written, got },
        Some(written) => Contents::Corrupted { written, got },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[Field<'_>] = &[(b"content", b"1.2.3.4 - \"GET /\"")];
    const APART: &[Field<'_>] = &[(b"ip", b"1.2.3.4"), (b"method", b"GET"), (b"url", b"/")];

    fn line() -> Option<Check> {
        Some(Check::of(b"1.2.3.4 - \"GET /\""))
    }

    fn values() -> Option<Check> {
        Some(Check::of(b"1.2.3.4 GET /"))
    }

    #[test]
    fn a_log_is_intact_as_a_line_and_taken_apart() {
        assert_eq!(compare(WHOLE, line(), values()), Contents::Intact);
        assert_eq!(compare(APART, line(), values()), Contents::Intact);
        assert_eq!(compare(APART, None, values()), Contents::Intact);
    }

    #[test]
    fn a_log_that_was_taken_apart_is_not_held_against_the_line() {
        assert_eq!(compare(APART, line(), None), Contents::Unchecked);
        assert_eq!(compare(WHOLE, None, None), Contents::Unchecked);
    }

    #[test]
    fn what_is_shorter_was_cut_and_all_else_was_changed() {
        let cut: [Field<'_>; 1] = [(b"content", b"1.2.3.4 - \"GET ")];
        assert!(matches!(compare(&cut, line(), values()), Contents::Truncated { .. }));
        let changed: [Field<'_>; 1] = [(b"content", b"1.2.3.5 - \"GET /\"")];
        assert!(matches!(compare(&changed, line(), values()), Contents::Corrupted { .. }));
        let changed: [Field<'_>; 3] = [(b"ip", b"1.2.3.5"), (b"method", b"GET"), (b"url", b"/")];
        assert!(matches!(compare(&changed, line(), values()), Contents::Corrupted { .. }));
        assert!(matches!(compare(&APART[..2], line(), values()), Contents::Truncated { .. }));
    }
}
