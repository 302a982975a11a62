//! The logs that hold most parts of a search without being found.

use sls_api::ops::logs::Row;
use sls_expect::verdict::{Miss, Near, SHOWN_MAX};

use crate::query::expr::SearchExpr;
use crate::query::log_view::LogView;
use crate::query::rows;

/// The best so far, best first; of equals the earliest.
#[derive(Debug)]
pub struct Nearest {
    wanted: usize,
    best: Vec<(u64, Row)>,
}

impl Nearest {
    /// None yet. Without `wanted` none at all.
    pub fn new(wanted: bool) -> Self {
        Self { wanted: if wanted { SHOWN_MAX } else { 0 }, best: Vec::new() }
    }

    /// A log that is not found; bit n of `holds` is set if part n holds for it.
    pub fn offer(&mut self, holds: u64, log: &LogView<'_>) {
        let worse = |(other, _): &(u64, Row)| other.count_ones() < holds.count_ones();
        let at = self.best.iter().position(worse).unwrap_or(self.best.len());
        if at < self.wanted {
            self.best.insert(at, (holds, rows::row(log)));
            self.best.truncate(self.wanted);
        }
    }

    /// With the parts that do not hold.
    pub fn shown(self, parts: &[SearchExpr]) -> Vec<Near> {
        let missed = |holds: u64| parts.iter().zip(0..).filter(move |(_, bit)| holds & (1 << bit) == 0);
        let near = |(holds, log): (u64, Row)| Near {
            misses: missed(holds).map(|(part, _)| miss(part, &log)).collect(),
            log,
        };
        self.best.into_iter().map(near).collect()
    }
}

fn miss(part: &SearchExpr, log: &Row) -> Miss {
    let searched = match part {
        SearchExpr::Not(inner) => inner,
        part => part,
    };
    let found = match searched {
        SearchExpr::Field(key, _) => value(log, key.as_str()),
        _ => None,
    };
    Miss { term: part.to_string(), found }
}

/// Value of a field; of a path into a JSON field, that of the field.
fn value(log: &Row, key: &str) -> Option<String> {
    let whole = || key.split_once('.').and_then(|(container, _)| log.get(container));
    log.get(key).or_else(whole).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse::parse;

    fn log<'a>(contents: &'a [(&'a [u8], &'a [u8])]) -> LogView<'a> {
        LogView { time: 1, time_ns: 0, topic: b"", source: b"", tags: &[], contents }
    }

    #[test]
    fn the_three_that_hold_most_are_kept_with_what_they_lack() {
        let SearchExpr::And(parts) = parse("status:500 and not host:web and slow").unwrap() else { panic!() };
        let mut nearest = Nearest::new(true);
        for (holds, status) in [(0b000, "1"), (0b010, "2"), (0b011, "3"), (0b100, "4"), (0b110, "5")] {
            nearest.offer(holds, &log(&[(b"status", status.as_bytes()), (b"host", b"web")]));
        }
        let shown: Vec<String> = nearest
            .shown(&parts)
            .iter()
            .map(|near| {
                let misses = near.misses.iter().map(|miss| format!("{} ({:?})", miss.term, miss.found));
                format!("{}: {}", near.log.get("status").unwrap(), misses.collect::<Vec<_>>().join(", "))
            })
            .collect();
        assert_eq!(
            shown,
            ["3: slow (None)", "5: status:500 (Some(\"5\"))", "2: status:500 (Some(\"2\")), slow (None)",]
        );
    }
}
