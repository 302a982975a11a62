//! "Did you mean …?": the known name that a misspelt one is most like. Pure.
//!
//! Called where names come from people: input details here, unknown fields of objects in the
//! operator, regions and start parameters in the collector, operations and kinds of faults, Logstores in the
//! emulator's hints.

/// Longest name that is compared, in bytes: the work grows with the square of it.
const NAME_BYTES_MAX: usize = 128;
/// Most characters that a slip is off; more is another name. Source: own choice.
const DISTANCE_MAX: usize = 3;

/// The known name most like `name`, if it differs in case and separators only, or in so few
/// characters (at most three, and at most a third of it) that a slip is likely.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let wanted = plain(name);
    known
        .map(|candidate| (distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= DISTANCE_MAX.min(candidate.len() / 3))
        .min()
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.replace(['_', '-', ' '], "").to_ascii_lowercase()
}

/// Characters to insert, delete or replace to make `a` into `b` (Levenshtein), one row at a time.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(x != *y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
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

    fn suggestion(name: &str) -> Option<&'static str> {
        nearest(name, ["heartbeat_interval", "data_servers", "logPath", "dockerFile", "key"].into_iter())
    }

    #[test]
    fn a_slip_finds_its_name() {
        assert_eq!(suggestion("hearbeat_interval"), Some("heartbeat_interval"));
        assert_eq!(suggestion("data_server"), Some("data_servers"));
        assert_eq!(suggestion("log_path"), Some("logPath"));
        assert_eq!(suggestion("keys"), Some("key"));
        assert_eq!(suggestion("DOCKERFILE"), Some("dockerFile"));
    }

    #[test]
    fn another_name_finds_nothing() {
        assert_eq!(suggestion("streamlog_open"), None);
        assert_eq!(suggestion(""), None);
        assert_eq!(suggestion(&"k".repeat(1000)), None);
    }
}
