//! Which logs of a block are found, as far as its summary tells: those that are, and those that may be.

use super::{
    FullText, Matcher, Node, Place, Test,
    full_text::{Sought, WayId},
    indexed_part,
};
use crate::query::{
    json_leaf,
    summary::{Column, RowSet, Summary, Values},
};

/// What a summary says of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Logs that are found.
    pub sure: RowSet,
    /// Logs that are found or must be looked at; all that are sure are among them.
    pub possible: RowSet,
}

impl Verdict {
    fn exactly(rows: RowSet) -> Self {
        Self { sure: rows.clone(), possible: rows }
    }

    /// These or none.
    fn exactly_if(rows: usize, some: Option<RowSet>) -> Self {
        Self::exactly(some.unwrap_or_else(|| RowSet::none(rows)))
    }

    fn every(rows: usize, all: bool) -> Self {
        Self::exactly(RowSet::every(rows, all))
    }

    /// Nobody knows which of these.
    fn unknown(rows: usize, of: &RowSet) -> Self {
        Self { sure: RowSet::none(rows), possible: of.clone() }
    }

    fn and(mut self, other: &Self) -> Self {
        self.sure.and(&other.sure);
        self.possible.and(&other.possible);
        self
    }

    fn or(mut self, other: &Self) -> Self {
        self.sure.or(&other.sure);
        self.possible.or(&other.possible);
        self
    }

    fn not(self) -> Self {
        Self { sure: self.possible.complement(), possible: self.sure.complement() }
    }

    /// Leaves out all other rows.
    pub fn only(&mut self, rows: &RowSet) {
        self.sure.and(rows);
        self.possible.and(rows);
    }

    /// Whether no log need be looked at.
    pub fn is_certain(&self) -> bool {
        self.sure == self.possible
    }
}

impl Matcher {
    /// Which logs of a block are found.
    pub fn judge(&self, block: &Summary) -> Verdict {
        self.node.judge(block)
    }

    /// Whether every log is found, whatever is in it.
    pub fn finds_all(&self) -> bool {
        matches!(self.node, Node::All)
    }
}

impl Node {
    fn judge(&self, block: &Summary) -> Verdict {
        let rows = block.rows();
        match self {
            Self::All => Verdict::every(rows, true),
            Self::Never => Verdict::every(rows, false),
            Self::And(parts) => {
                parts.iter().fold(Verdict::every(rows, true), |verdict, part| verdict.and(&part.judge(block)))
            }
            Self::Or(parts) => {
                parts.iter().fold(Verdict::every(rows, false), |verdict, part| verdict.or(&part.judge(block)))
            }
            Self::Not(part) => part.judge(block).not(),
            Self::Field(place, test) => place.judge(test, block),
            Self::FullText(text) => text.judge(block),
        }
    }
}

impl Place {
    fn judge(&self, test: &Test, block: &Summary) -> Verdict {
        let rows = block.rows();
        match self {
            Self::Topic => Verdict::every(rows, test.holds(block.topic())),
            Self::Source => Verdict::every(rows, test.holds(block.source())),
            Self::Tag(name) => {
                let holds = block.tags().any(|(key, value)| *key == **name && test.holds(value));
                Verdict::every(rows, holds)
            }
            Self::Content(name) => match block.column(name) {
                Some(column) => test.judge(column, rows),
                None => Verdict::every(rows, false),
            },
            Self::Leaf { container, path } => match block.column(container).map(|column| &column.values) {
                Some(Values::Few(few)) => {
                    let holds = |value: &[u8]| {
                        json_leaf::leaf(indexed_part(value), path).is_some_and(|leaf| test.holds(&leaf))
                    };
                    Verdict::exactly_if(rows, few.rows_where(holds))
                }
                Some(Values::Many { present, .. }) => Verdict::unknown(rows, present),
                None => Verdict::every(rows, false),
            },
        }
    }
}

impl Test {
    fn judge(&self, column: &Column, rows: usize) -> Verdict {
        match (&column.values, self) {
            (Values::Few(few), _) => Verdict::exactly_if(rows, few.rows_where(|value| self.holds(value))),
            (Values::Many { present, .. }, Self::Present) => Verdict::exactly(present.clone()),
            (Values::Many { words, .. }, Self::Words { needles, .. })
                if !needles.iter().all(|needle| words.may_have(needle.runs())) =>
            {
                Verdict::every(rows, false)
            }
            (Values::Many { present, .. }, _) => Verdict::unknown(rows, present),
        }
    }
}

impl FullText {
    fn judge(&self, block: &Summary) -> Verdict {
        let rows = block.rows();
        let mut found = Verdict::every(rows, false);
        for (group, words) in self.words_of_groups().enumerate() {
            let all = (0..words).fold(Verdict::every(rows, true), |verdict, word| {
                verdict.and(&self.judge_word(group, word, block))
            });
            found = found.or(&all);
        }
        // Where the words stand to each other, no summary knows.
        if self.is_phrase() {
            found.sure = RowSet::none(rows);
        }
        found
    }

    fn judge_word(&self, group: usize, word: usize, block: &Summary) -> Verdict {
        let rows = block.rows();
        let mut found = Verdict::every(rows, false);
        let holds = |text: &[u8], way: WayId| self.has_word(group, word, text, way);
        for column in block.columns() {
            let searched = self.searched(&column.name);
            let in_name = searched.name_has(holds);
            match &column.values {
                Values::Few(few) => {
                    let here =
                        few.rows_where(|value| in_name || searched.value_has(indexed_part(value), holds));
                    if let Some(here) = here {
                        found.sure.or(&here);
                        found.possible.or(&here);
                    }
                }
                Values::Many { present, .. } if in_name => {
                    found.sure.or(present);
                    found.possible.or(present);
                }
                Values::Many { present, words } => {
                    let may = match self.needle_in(&searched, group, word) {
                        Sought::Nothing => false,
                        Sought::Needle(needle) => words.may_have(needle.runs()),
                        Sought::InLeaves => true,
                    };
                    if may {
                        found.possible.or(present);
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_stays_so_when_it_is_turned_round() {
        let (rows, some) = (10, RowSet::of(10, |row| row < 4));
        let unknown = Verdict::unknown(rows, &some);
        assert_eq!(unknown.clone().not().possible, RowSet::all(rows));
        assert_eq!(unknown.clone().not().sure, RowSet::of(rows, |row| row >= 4));
        assert!(!unknown.is_certain());
        assert!(unknown.clone().and(&Verdict::every(rows, false)).is_certain());
        assert!(unknown.or(&Verdict::every(rows, true)).is_certain());
    }
}
