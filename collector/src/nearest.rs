//! "Did you mean …?": the known word that is closest to a misspelt one.
//!
//! Pure. Called by `region` and `instance_config` for their messages.

/// Most edits between a word and the suggestion; more is a different word, not a slip.
const EDITS_MAX: usize = 3;

/// Longest word that is compared, in bytes; the work grows with the square of it.
const WORD_BYTES_MAX: usize = 128;

/// The known word with the fewest edits to `word`, if that is few enough to be a slip.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    known
        .map(|candidate| (edits(word.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(edits, candidate)| *edits <= EDITS_MAX.min(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, one row at a time.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let substituted = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(word: &str) -> Option<&'static str> {
        nearest(word, ["heartbeat_interval", "data_servers", "working_ip"].into_iter())
    }

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(suggestion("hearbeat_interval"), Some("heartbeat_interval"));
        assert_eq!(suggestion("data_server"), Some("data_servers"));
        assert_eq!(suggestion("WORKING_IP"), None);
    }

    #[test]
    fn another_word_finds_nothing() {
        assert_eq!(suggestion("streamlog_open"), None);
        assert_eq!(suggestion(""), None);
    }
}
