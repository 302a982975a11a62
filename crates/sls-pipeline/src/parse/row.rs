//! The fields of one event in the making, for parsers whose events name their fields themselves.
//!
//! Memory is kept from event to event, and so are keys: most events have the fields of the one before,
//! and a key is written anew only where they differ. Called by the parsers of `super`.

use super::{Span, text};
use crate::key::Key;

/// Longest name of a field in bytes; the server refuses a whole group for a longer one, or an empty one. Source:
/// the Log Service's document of limits.
pub const NAME_BYTES_MAX: usize = 128;
/// Name of a field whose event gives it an empty one. Source: guess.
const NAMELESS: &str = "_";

/// Fields, and the memory for them.
#[derive(Debug, Default)]
pub struct Row {
    /// At least as many as `spans`.
    keys: Vec<Key>,
    spans: Vec<Span>,
    /// Texts that are not in the event as they are sent: without escapes or doubled quotes.
    pub changed: Vec<u8>,
    /// The first keys, so many, differ from each other.
    distinct: usize,
    /// Scratch of [`Row::unite`].
    order: Vec<u32>,
}

impl Row {
    /// With these keys for the first fields.
    pub fn of(keys: Vec<Key>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// Forgets the fields, keeps their memory.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.changed.clear();
    }

    pub fn keys(&self) -> &[Key] {
        self.keys.get(..self.spans.len()).unwrap_or_default()
    }

    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The next field has the next of the keys that were there before.
    pub fn push(&mut self, value: Span) {
        self.spans.push(value);
    }

    /// There is a key for the next field.
    pub fn is_named(&self) -> bool {
        self.spans.len() < self.keys.len()
    }

    /// The next field, with its name.
    pub fn push_as(&mut self, name: &[u8], value: Span) {
        name_field(&mut self.keys, &mut self.distinct, self.spans.len(), name);
        self.spans.push(value);
    }

    /// The next field, whose name is a span of `event` as well.
    pub fn push_pair(&mut self, event: &[u8], name: Span, value: Span) {
        let name = text(event, &self.changed, name);
        name_field(&mut self.keys, &mut self.distinct, self.spans.len(), name);
        self.spans.push(value);
    }

    /// Makes one field of those of one name, with the last value, since a query would see only one of them.
    /// Source: LoongCollector's `LogEvent::SetContentNoCopy`.
    pub fn unite(&mut self) {
        let len = self.spans.len();
        if self.distinct >= len {
            return;
        }
        let Self { keys, spans, order, .. } = self;
        let name = |index: u32| keys.get(index as usize).map_or("", Key::name);
        order.clear();
        order.extend(0..len as u32);
        order.sort_unstable_by(|a, b| name(*a).cmp(name(*b)).then(a.cmp(b)));
        let mut has_equal = false;
        for same in order.chunk_by(|a, b| name(*a) == name(*b)) {
            let ([first, rest @ ..], Some(last)) = (same, same.last()) else { continue };
            let value = spans.get(*last as usize).copied().unwrap_or_default();
            if let Some(span) = spans.get_mut(*first as usize) {
                *span = value;
            }
            for index in rest {
                has_equal = true;
                if let Some(span) = spans.get_mut(*index as usize) {
                    *span = UNITED;
                }
            }
        }
        if has_equal {
            let mut kept = 0;
            for index in 0..len {
                if spans.get(index) != Some(&UNITED) {
                    keys.swap(kept, index);
                    spans.swap(kept, index);
                    kept += 1;
                }
            }
            spans.truncate(kept);
        }
        self.distinct = self.spans.len();
    }
}

/// Marks a field that went into an earlier one; no event is that long.
const UNITED: Span = (u32::MAX, u32::MAX);

/// Makes `name` the key of field `index`, which costs nothing if it was that of the event before.
fn name_field(keys: &mut Vec<Key>, distinct: &mut usize, index: usize, name: &[u8]) {
    if keys.get(index).is_some_and(|key| key.name().as_bytes() == name) {
        return;
    }
    let name = String::from_utf8_lossy(name);
    let end = (0..=name.len().min(NAME_BYTES_MAX)).rev().find(|at| name.is_char_boundary(*at));
    let name = match end {
        None | Some(0) => NAMELESS,
        Some(end) => name.get(..end).unwrap_or_default(),
    };
    match keys.get_mut(index) {
        Some(key) => key.rename(name),
        None => keys.push(Key::new(name)),
    }
    *distinct = index.min(*distinct);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `name=value` of each field, where values are places in the event.
    fn shown(row: &Row) -> Vec<String> {
        row.keys().iter().zip(row.spans()).map(|(key, (at, _))| format!("{}={at}", key.name())).collect()
    }

    fn fill(row: &mut Row, names: &[&str]) -> Vec<String> {
        row.clear();
        for (at, name) in names.iter().enumerate() {
            row.push_as(name.as_bytes(), (at as u32, at as u32));
        }
        row.unite();
        shown(row)
    }

    #[test]
    fn of_equal_names_the_first_place_and_the_last_value_stay() {
        let mut row = Row::default();
        assert_eq!(fill(&mut row, &["a", "b", "a", "c", "a"]), ["a=4", "b=1", "c=3"]);
        assert_eq!(fill(&mut row, &["a", "b", "c"]), ["a=0", "b=1", "c=2"]);
        assert_eq!(fill(&mut row, &["b", "b"]), ["b=1"]);
        assert_eq!(fill(&mut row, &["a", "b", "b"]), ["a=0", "b=2"]);
    }

    #[test]
    fn names_are_such_as_the_server_takes() {
        let mut row = Row::default();
        let names = ["", &"é".repeat(65), &"x".repeat(129)];
        assert_eq!(
            fill(&mut row, &names),
            ["_=0", &format!("{}=1", "é".repeat(64)), &format!("{}=2", "x".repeat(128))]
        );
        row.clear();
        row.push_as(b"\xff", (0, 0));
        assert_eq!(shown(&row), ["\u{fffd}=0"]);
    }

    proptest! {
        #[test]
        fn a_row_used_again_is_as_a_new_one(events in prop::collection::vec(prop::collection::vec("[a-c]{0,2}", 0..8), 1..8)) {
            let mut used = Row::default();
            for names in &events {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                prop_assert_eq!(fill(&mut used, &names), fill(&mut Row::default(), &names));
            }
        }
    }
}
