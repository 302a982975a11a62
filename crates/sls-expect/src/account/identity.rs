//! Which log of the ledger a received log is: read from the log itself.

use memchr::memmem::Finder;

use super::Field;
use crate::ledger::NAME_BYTES_MAX;

/// Where a log says which one it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// `run=…&src=…&seq=…` somewhere in a value, as in the URLs of `mock_log`.
    #[default]
    InText,
    /// In fields (or tags) of their own.
    Fields {
        /// Name of the field with the run; without it the run of the ledger, which must have one only.
        run: Option<String>,
        /// Name of the field with the source.
        source: String,
        /// Name of the field with the number.
        seq: String,
    },
}

/// What a log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Nothing where the log does not say it.
    pub run: Option<&'a [u8]>,
    pub source: &'a [u8],
    pub seq: u64,
    /// The number is the last of the log, so that it may be cut if the log is.
    pub at_end: bool,
}

/// Reads identities.
#[derive(Debug)]
pub struct Reader {
    identity: Identity,
    finder: Finder<'static>,
    /// Number of the field where the last one stood: mostly the next one does too.
    hint: usize,
}

impl Reader {
    pub fn new(identity: Identity) -> Self {
        Self { identity, finder: Finder::new(b"run="), hint: 0 }
    }

    /// The identity of a log with these fields, in a group with these tags.
    pub fn find<'a>(&mut self, fields: &[Field<'a>], tags: &[Field<'a>]) -> Option<Found<'a>> {
        let Identity::Fields { run, source, seq } = &self.identity else { return self.in_text(fields) };
        let value = |name: &str| {
            let mut named = fields.iter().chain(tags).filter(|(key, _)| *key == name.as_bytes());
            named.next().map(|(_, value)| *value)
        };
        let run = match run {
            Some(run) => Some(value(run)?),
            None => None,
        };
        Some(Found { run, source: value(source)?, seq: number(value(seq)?)?, at_end: false })
    }

    fn in_text<'a>(&mut self, fields: &[Field<'a>]) -> Option<Found<'a>> {
        let last = fields.len().checked_sub(1)?;
        let at = |at: usize| {
            let (_, value) = fields.get(at)?;
            let (found, end) = in_value(&self.finder, value)?;
            Some(Found { at_end: at == last && end == value.len(), ..found })
        };
        if let Some(found) = at(self.hint) {
            return Some(found);
        }
        let (hint, found) = (0..fields.len()).find_map(|n| Some((n, at(n)?)))?;
        self.hint = hint;
        Some(found)
    }
}

/// The identity in a text, and where it ends.
fn in_value<'a>(finder: &Finder<'_>, value: &'a [u8]) -> Option<(Found<'a>, usize)> {
    finder.find_iter(value).find_map(|at| {
        if at.checked_sub(1).and_then(|before| value.get(before)).is_some_and(|byte| is_name(*byte)) {
            return None;
        }
        let rest = value.get(at + b"run=".len()..)?;
        let (run, rest) = name(rest)?;
        let (source, rest) = name(rest.strip_prefix(b"&src=")?)?;
        let rest = rest.strip_prefix(b"&seq=")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at_checked(digits)?;
        if rest.first().is_some_and(|byte| is_name(*byte)) {
            return None;
        }
        Some((Found { run: Some(run), source, seq: number(seq)?, at_end: false }, value.len() - rest.len()))
    })
}

/// The name at the beginning of a text, and what follows.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text.iter().take_while(|byte| is_name(**byte)).count();
    (1..=NAME_BYTES_MAX).contains(&len).then(|| text.split_at_checked(len)).flatten()
}

/// What names of `mock_log` are made of.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[(&'static str, &'static str)]) -> Option<(String, u64, bool)> {
        let fields: Vec<Field<'_>> =
            fields.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes())).collect();
        let found = Reader::new(Identity::InText).find(&fields, &[])?;
        let name = [found.run.unwrap_or_default(), b"/", found.source].concat();
        Some((String::from_utf8(name).unwrap(), found.seq, found.at_end))
    }

    #[test]
    fn the_identity_is_found_in_any_field() {
        let expected = |at_end| Some(("r1/pod-a".to_owned(), 7, at_end));
        assert_eq!(
            found(&[("content", r#"1 "GET /login?run=r1&src=pod-a&seq=7 HTTP/1.1" 2"#)]),
            expected(false)
        );
        assert_eq!(
            found(&[("method", "GET"), ("url", "/?run=r1&src=pod-a&seq=7"), ("s", "2")]),
            expected(false)
        );
        assert_eq!(found(&[("url", "/?run=r1&src=pod-a&seq=7")]), expected(true));
        assert_eq!(found(&[("url", "/?rerun=1&run=r1&src=pod-a&seq=7&more=1")]), expected(false));
    }

    #[test]
    fn what_is_no_identity_is_none() {
        for text in [
            "no url",
            "/login?run=r1&src=pod-a",
            "/login?run=r1&src=pod-a&seq=",
            "/login?run=r1&src=pod-a&seq=7a",
            "/login?run=&src=pod-a&seq=7",
            "/login?xrun=r1&src=pod-a&seq=7",
            "/login?run=r1&src=pod-a&seq=99999999999999999999",
        ] {
            assert_eq!(found(&[("content", text)]), None, "{text}");
        }
    }

    #[test]
    fn named_fields_and_tags_are_the_identity_where_they_are_asked_for() {
        let identity =
            Identity::Fields { run: None, source: "__tag__:_pod_name_".to_owned(), seq: "n".to_owned() };
        let mut reader = Reader::new(identity);
        let tags: [Field<'_>; 1] = [(b"__tag__:_pod_name_", b"pod-1")];
        let found = reader.find(&[(b"n", b"12")], &tags).unwrap();
        assert_eq!((found.run, found.source, found.seq), (None, b"pod-1".as_slice(), 12));
        assert_eq!(reader.find(&[(b"n", b"twelve")], &tags), None);
        assert_eq!(reader.find(&[(b"n", b"12")], &[]), None);
    }
}
