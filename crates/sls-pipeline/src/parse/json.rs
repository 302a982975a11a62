//! JSON events: each member of the object becomes a field.
//!
//! Values are spans of the event; only a text with escapes is written anew, into memory that the
//! parser keeps. Nested values stay as they are written, `null` becomes the empty text, as in
//! LoongCollector's `ProcessorParseJsonNative`. Pure; called by [`super::Parser`].

use memchr::memchr2;

use super::row::Row;
use super::{Span, changed_span};

/// Levels of nesting, the event itself included. Source: `serde_json`'s recursion limit.
const DEPTH_MAX: usize = 127;

/// Reads the members of `event`; false if it is not one JSON object with at least one member.
///
/// Strings need not be UTF-8. Of members of one name the last counts, as in LoongCollector.
pub fn read(event: &[u8], row: &mut Row) -> bool {
    let mut cursor = Cursor { text: event, at: 0, row };
    let is_object = cursor.members().is_some() && !row.spans().is_empty();
    if is_object {
        row.unite();
    }
    is_object
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    row: &'a mut Row,
}

/// All of these answer `None` where the text is not JSON.
impl Cursor<'_> {
    fn members(&mut self) -> Option<()> {
        self.blanks();
        self.take(b'{')?;
        self.blanks();
        if self.peek()? != b'}' {
            loop {
                self.blanks();
                let name = self.string()?;
                self.blanks();
                self.take(b':')?;
                self.blanks();
                let start = self.at as u32;
                let value = match self.peek()? {
                    b'"' => self.string()?,
                    b'n' => {
                        self.value(1)?;
                        (start, start)
                    }
                    _ => {
                        self.value(1)?;
                        (start, self.at as u32)
                    }
                };
                self.row.push_pair(self.text, name, value);
                self.blanks();
                if self.peek()? != b',' {
                    break;
                }
                self.at += 1;
            }
        }
        self.take(b'}')?;
        self.blanks();
        (self.at == self.text.len()).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Goes past a value at `depth` levels below the top.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => {
                let kept = self.row.changed.len();
                self.string()?;
                self.row.changed.truncate(kept);
                Some(())
            }
            b'{' => self.list(depth, b'}'),
            b'[' => self.list(depth, b']'),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize, end: u8) -> Option<()> {
        if depth >= DEPTH_MAX {
            return None;
        }
        self.at += 1;
        self.blanks();
        if self.peek()? == end {
            self.at += 1;
            return Some(());
        }
        loop {
            self.blanks();
            if end == b'}' {
                self.take(b'"')?;
                self.at -= 1;
                self.value(depth)?;
                self.blanks();
                self.take(b':')?;
                self.blanks();
            }
            self.value(depth + 1)?;
            self.blanks();
            if self.peek()? != b',' {
                return self.take(end);
            }
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            let _ = self.take(b'+').or_else(|| self.take(b'-'));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<Span> {
        self.take(b'"')?;
        let mut written = None;
        loop {
            let rest = self.text.get(self.at..)?;
            let stop = memchr2(b'"', b'\\', rest)?;
            let run = rest.get(..stop)?;
            // Without a way out of the loop, so that it runs over many bytes at once.
            if run.iter().fold(false, |found, b| found | (*b < b' ')) {
                return None;
            }
            let start = self.at;
            self.at += stop + 1;
            if rest.get(stop) == Some(&b'"') {
                let Some(from) = written else { return Some((start as u32, (start + stop) as u32)) };
                self.row.changed.extend_from_slice(run);
                return Some(changed_span(self.text, from, self.row.changed.len()));
            }
            written.get_or_insert(self.row.changed.len());
            self.row.changed.extend_from_slice(run);
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = self.unit()?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        self.word(b"\\u")?;
                        let low = self.unit().filter(|low| (0xdc00..=0xdfff).contains(low))?;
                        0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    unit => unit,
                };
                let char = char::from_u32(code)?;
                self.row.changed.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                return Some(());
            }
            _ => return None,
        };
        self.row.changed.push(plain);
        Some(())
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |sum, b| Some(sum * 16 + char::from(*b).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::{Parser, shown};
    use crate::pipeline::Parse;

    fn read(event: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
        shown(&mut Parser::in_utc(&Parse::Json), event)
    }

    #[test]
    fn members_become_fields() {
        type Case<'a> = (&'a [u8], &'a [(&'a str, &'a [u8])]);
        let cases: &[Case<'_>] = &[
            (
                br#"{"a":"x","b":1.50,"c":true,"d":null}"#,
                &[("a", b"x"), ("b", b"1.50"), ("c", b"true"), ("d", b"")],
            ),
            (br#" { "a" : { "b": [1, "}"] } } "#, &[("a", br#"{ "b": [1, "}"] }"#)]),
            (
                br#"{"a":"q\"\\\/\n\u00e9\ud83d\ude00","b\t":"\u0000"}"#,
                &[("a", "q\"\\/\né😀".as_bytes()), ("b\t", b"\0")],
            ),
            (b"{\"a\":\"x\"}\r", &[("a", b"x")]),
            (b"{\"a\":\"\xff\"}", &[("a", b"\xff")]),
            (br#"{"a":"","b":"1","a":"\n"}"#, &[("a", b"\n"), ("b", b"1")]),
        ];
        for (event, fields) in cases {
            let fields: Vec<_> = fields.iter().map(|(k, v)| ((*k).to_owned(), v.to_vec())).collect();
            assert_eq!(read(event), Some(fields), "{}", event.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_object_with_members_does_not_match() {
        let events: &[&[u8]] = &[
            b"",
            b"{}",
            b"[1]",
            b"text",
            b"{\"a\":1",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"{\"a\":01}",
            b"{\"a\":\"\\x\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\0\"}",
            b"{\"a\":nul}",
            b"{\"a\":{1:2}}",
            b"{\"a\":\"x}",
            b"{a:1}",
        ];
        for event in events {
            assert_eq!(read(event), None, "{}", event.escape_ascii());
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(deep.as_bytes()), None);
    }

    #[test]
    fn the_deepest_nesting_is_that_of_serde_json() {
        for (levels, fits) in [(126, true), (127, false)] {
            let event = format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
            assert_eq!(read(event.as_bytes()).is_some(), fits, "{levels}");
            assert_eq!(serde_json::from_str::<Value>(&event).is_ok(), fits, "{levels}");
        }
    }

    #[test]
    fn surrogates_count_in_pairs_only() {
        for escapes in ["\\ud83d\\ude00", "\\uD83D\\uDE00"] {
            let event = format!("{{\"a\":\"{escapes}\"}}");
            assert_eq!(read(event.as_bytes()), Some(vec![("a".to_owned(), "😀".as_bytes().to_vec())]));
        }
        for escapes in ["\\ude00", "\\ud83d", "\\ud83dx", "\\ud83d\\n", "\\ud83d\\ud83d", "\\ud8", "\\u+123"]
        {
            assert_eq!(read(format!("{{\"a\":\"{escapes}\"}}").as_bytes()), None, "{escapes}");
            assert_eq!(read(format!("{{\"a\":[\"{escapes}\"]}}").as_bytes()), None, "{escapes}");
        }
    }

    #[test]
    fn an_event_with_other_members_is_not_mixed_with_the_one_before() {
        let mut parser = Parser::in_utc(&Parse::Json);
        shown(&mut parser, br#"{"a":"\n","b":"2","c":"3"}"#);
        let fields = shown(&mut parser, br#"{"a":"x","z":"\t"}"#);
        assert_eq!(fields, Some(vec![("a".to_owned(), b"x".to_vec()), ("z".to_owned(), b"\t".to_vec())]));
    }

    /// Bytes that break JSON, or mend it.
    const EDITS: &[u8] = b"{}[]\",:\\u/0189eE+-.dDtnfl \t\x00\x1f\x7f\xc3\xff";

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read(members in prop::collection::btree_map("(?s).{1,20}", any_value(), 1..6)) {
            let object: serde_json::Map<String, Value> = members.into_iter().collect();
            let expected: Vec<_> = object.iter().map(|(k, v)| {
                let text = match v {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                (k.clone(), text.into_bytes())
            }).collect();
            prop_assert_eq!(read(Value::Object(object).to_string().as_bytes()), Some(expected));
        }

        #[test]
        fn what_is_broken_is_read_as_serde_json_reads_it(
            members in prop::collection::vec((prop::sample::select(vec!["a", "b", "\u{e9}", "\n"]), any_value()), 1..5),
            edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(EDITS.to_vec())), 0..4),
        ) {
            let members = members.iter().map(|(key, value)| format!("{}: {value}", Value::from(*key)));
            let mut text = format!(" {{{}}}\r", members.collect::<Vec<_>>().join(" ,")).into_bytes();
            for (place, byte) in edits {
                let at = place.index(text.len());
                text[at] = byte;
            }
            let shown = text.escape_ascii();
            match (read(&text), serde_json::from_slice::<Value>(&text)) {
                (None, Ok(Value::Object(object))) => prop_assert!(object.is_empty(), "{}", shown),
                (None, _) => {}
                (Some(fields), Ok(Value::Object(object))) => {
                    prop_assert_eq!(fields.len(), object.len(), "{}", shown);
                    for ((key, text), (expected, value)) in fields.iter().zip(&object) {
                        prop_assert_eq!(key, expected, "{}", shown);
                        match value {
                            Value::Null => prop_assert_eq!(&text[..], b""),
                            Value::String(value) => prop_assert_eq!(&text[..], value.as_bytes(), "{}", shown),
                            value => prop_assert_eq!(&serde_json::from_slice::<Value>(text).unwrap(), value, "{}", shown),
                        }
                    }
                }
                (Some(_), Ok(_)) => prop_assert!(false, "{} is no object", shown),
                // Numbers are not looked at, and strings may be of other bytes.
                (Some(_), Err(e)) => prop_assert!(
                    e.to_string().contains("out of range") || std::str::from_utf8(&text).is_err(), "{} {}", shown, e
                ),
            }
        }

        #[test]
        fn any_bytes_do_not_panic(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&text);
            let _ = read(&[b"{\"a\":", &text[..], b"}"].concat());
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in r#"\{("a"|[a0]):[\[\]{},:"a0\\n. -]{0,8}\}"#) {
            let is_object = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert_eq!(read(text.as_bytes()).is_some(), is_object, "{}", text);
        }
    }
}
