//! A log as the matcher sees it: slices into the encoded group, nothing copied.
//!
//! The store keeps groups as protobuf bytes; [`GroupView::parse`] walks them once and
//! [`GroupView::for_each`] lends one log after the other, reusing one list of fields. A walk to the end
//! accepts what prost decodes, but for texts that are not UTF-8, at which it looks only where another replaces
//! them, and for fields in the form of groups, which nobody has written since 2008.

use std::ops::ControlFlow;

/// Name and value of a field or tag.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// One log with what its group says about it.
#[derive(Debug, Clone, Copy)]
pub struct LogView<'a> {
    /// Unix seconds.
    pub time: u32,
    /// Nanoseconds within the second.
    pub time_ns: u32,
    /// Topic of the group.
    pub topic: &'a [u8],
    /// Source of the group.
    pub source: &'a [u8],
    /// Tags of the group, names without `__tag__:`.
    pub tags: &'a [Field<'a>],
    /// The log's own fields, in order.
    pub contents: &'a [Field<'a>],
}

/// The bytes are not a LogGroup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log group is damaged at byte {at} of one of its parts")]
pub struct DamagedGroup {
    at: usize,
}

impl DamagedGroup {
    /// Where the damage is, is not known.
    pub fn whole() -> Self {
        Self { at: 0 }
    }
}

/// An encoded LogGroup, its logs not yet taken apart.
#[derive(Debug)]
pub struct GroupView<'a> {
    /// Topic, empty when not set.
    pub topic: &'a [u8],
    /// Source, empty when not set.
    pub source: &'a [u8],
    /// Category and identity of the machine, which nothing here needs.
    pub others: [&'a [u8]; 2],
    /// Tags, names without `__tag__:`.
    pub tags: Vec<Field<'a>>,
    logs: Vec<&'a [u8]>,
}

impl<'a> GroupView<'a> {
    /// Finds the parts of an encoded LogGroup. Field numbers: `sls-proto.md` §1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DamagedGroup> {
        let mut group =
            Self { topic: &[], source: &[], others: [&[]; 2], tags: Vec::new(), logs: Vec::new() };
        let mut reader = Reader { bytes, at: 0 };
        while let Some((number, value)) = reader.field()? {
            match (number, value) {
                (1, Value::Bytes(log)) => group.logs.push(log),
                (2, Value::Bytes(category)) => reader.set_text(&mut group.others[0], category)?,
                (3, Value::Bytes(topic)) => reader.set_text(&mut group.topic, topic)?,
                (4, Value::Bytes(source)) => reader.set_text(&mut group.source, source)?,
                (5, Value::Bytes(machine)) => reader.set_text(&mut group.others[1], machine)?,
                (6, Value::Bytes(tag)) => group.tags.push(pair(tag, Of::Tag)?),
                (1..=6, _) => return Err(reader.damaged()),
                _ => {}
            }
        }
        Ok(group)
    }

    /// The logs, each as it is encoded.
    pub fn logs(&self) -> &[&'a [u8]] {
        &self.logs
    }

    /// Lends every log whose position in the group passes `keep`, with that position, until `visit` breaks.
    pub fn for_each<B>(
        &self,
        keep: impl Fn(usize) -> bool,
        mut visit: impl FnMut(usize, &LogView<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, DamagedGroup> {
        let mut contents = Vec::new();
        for (index, log) in self.logs.iter().enumerate().filter(|(index, _)| keep(*index)) {
            contents.clear();
            let (time, time_ns) = read_log(log, &mut contents)?;
            let view = LogView {
                time,
                time_ns,
                topic: self.topic,
                source: self.source,
                tags: &self.tags,
                contents: &contents,
            };
            if let ControlFlow::Break(result) = visit(index, &view) {
                return Ok(ControlFlow::Break(result));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Time and nanoseconds of an encoded log, whose fields are added to `contents`.
pub fn read_log<'a>(bytes: &'a [u8], contents: &mut Vec<Field<'a>>) -> Result<(u32, u32), DamagedGroup> {
    let (mut time, mut time_ns) = (0, 0);
    let mut reader = Reader { bytes, at: 0 };
    loop {
        // Nearly all that there is in a log: contents, with lengths of one byte.
        while let Some([0x12, length @ 0..0x80, rest @ ..]) = bytes.get(reader.at..)
            && let Some((content, _)) = rest.split_at_checked(usize::from(*length))
        {
            contents.push(pair(content, Of::Content)?);
            reader.at += 2 + content.len();
        }
        let Some((number, value)) = reader.field()? else { break };
        match (number, value) {
            (1, Value::Varint(seconds)) => time = seconds as u32,
            (2, Value::Bytes(content)) => contents.push(pair(content, Of::Content)?),
            (4, Value::Fixed32(nanoseconds)) => time_ns = nanoseconds,
            (1 | 2 | 4, _) => return Err(reader.damaged()),
            _ => {}
        }
    }
    Ok((time, time_ns))
}

/// What a pair belongs to: values of contents need not be texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Content,
    Tag,
}

/// A key and a value. Nearly all are written the shortest way: key first, lengths of one byte.
fn pair(bytes: &[u8], of: Of) -> Result<Field<'_>, DamagedGroup> {
    if let [0x0a, key_length @ 0..0x80, rest @ ..] = bytes
        && let Some((key, [0x12, value_length @ 0..0x80, value @ ..])) =
            rest.split_at_checked(usize::from(*key_length))
        && value.len() == usize::from(*value_length)
    {
        return Ok((key, value));
    }
    any_pair(bytes, of)
}

fn any_pair(bytes: &[u8], of: Of) -> Result<Field<'_>, DamagedGroup> {
    let mut field: Field<'_> = (&[], &[]);
    let mut reader = Reader { bytes, at: 0 };
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, Value::Bytes(key)) => reader.set_text(&mut field.0, key)?,
            (2, Value::Bytes(value)) if of == Of::Tag => reader.set_text(&mut field.1, value)?,
            (2, Value::Bytes(value)) => field.1 = value,
            (1 | 2, _) => return Err(reader.damaged()),
            _ => {}
        }
    }
    Ok(field)
}

enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, DamagedGroup> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        // Field numbers have 29 bits, and 0 is none.
        if !(1 << 3..1 << 32).contains(&tag) {
            return Err(self.damaged());
        }
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed64)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| self.damaged())?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let bytes = self.take(4)?.try_into().map_err(|_| self.damaged())?;
                Value::Fixed32(u32::from_le_bytes(bytes))
            }
            _ => return Err(self.damaged()),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, DamagedGroup> {
        if let Some(&byte @ 0..0x80) = self.bytes.get(self.at) {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    #[cold]
    fn long_varint(&mut self) -> Result<u64, DamagedGroup> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or_else(|| self.damaged())?;
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if shift == 63 && byte > 1 {
                break;
            }
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.damaged())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], DamagedGroup> {
        let end = self.at.checked_add(length).ok_or_else(|| self.damaged())?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| self.damaged())?;
        self.at = end;
        Ok(taken)
    }

    /// Of a text that is there twice the last one counts. Whoever looks at texts sees only that one, so the
    /// first is looked at here: prost refuses it if it is not UTF-8.
    fn set_text(&self, place: &mut &'a [u8], text: &'a [u8]) -> Result<(), DamagedGroup> {
        let first = std::mem::replace(place, text);
        std::str::from_utf8(first).map(|_| ()).map_err(|_| self.damaged())
    }

    fn damaged(&self) -> DamagedGroup {
        DamagedGroup { at: self.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use prost::Message;
    use sls_api::log_group::{Content, Log, LogGroup, LogTag};

    fn group_of(view: &GroupView<'_>) -> LogGroup {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut group = LogGroup {
            topic: Some(text(view.topic)),
            source: Some(text(view.source)),
            log_tags: view
                .tags
                .iter()
                .map(|(key, value)| LogTag { key: text(key), value: text(value) })
                .collect(),
            ..LogGroup::default()
        };
        let walked = view.for_each(
            |_| true,
            |_, log| {
                group.logs.push(Log {
                    time: log.time,
                    time_ns: (log.time_ns != 0).then_some(log.time_ns),
                    contents: log
                        .contents
                        .iter()
                        .map(|(key, value)| Content::new(text(key), value.to_vec()))
                        .collect(),
                });
                ControlFlow::<()>::Continue(())
            },
        );
        assert_eq!(walked, Ok(ControlFlow::Continue(())));
        group
    }

    fn walks(bytes: &[u8]) -> bool {
        let walk = |view: GroupView<'_>| view.for_each(|_| true, |_, _| ControlFlow::<()>::Continue(()));
        GroupView::parse(bytes).and_then(walk).is_ok()
    }

    /// Whether a text is not UTF-8, or a field is in the form of a group.
    fn is_known_difference(error: &prost::DecodeError) -> bool {
        let error = error.to_string();
        error.contains("UTF-8") || error.contains("end group")
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_damage_also_where_another_replaces_it() {
        let bytes = |key: &[u8], value: &[u8]| {
            let field = |number: u8, text: &[u8]| [&[number, text.len() as u8], text].concat();
            [field(0x0a, key), field(0x0a, b"k"), field(0x12, value), field(0x12, b"v")].concat()
        };
        let message = |number: u8, inside: &[u8]| [&[number, inside.len() as u8], inside].concat();
        let log = |content: &[u8]| message(0x0a, &[&[0x08, 1], &message(0x12, content)[..]].concat());
        for (damaged, group) in [
            (true, b"\x1a\x01\xff\x1a\x01t".to_vec()),
            (true, b"\x22\x01\xff\x22\x01s".to_vec()),
            (true, b"\x12\x01\xff\x12\x00".to_vec()),
            (true, b"\x2a\x01\xff\x2a\x00".to_vec()),
            (true, message(0x32, &bytes(b"\xff", b"v"))),
            (true, message(0x32, &bytes(b"k", b"\xff"))),
            (true, log(&bytes(b"\xff", b"v"))),
            (false, log(&bytes(b"k", b"\xff"))),
            (false, b"\x1a\x01a\x1a\x01b".to_vec()),
        ] {
            assert_eq!(LogGroup::decode(&group[..]).is_err(), damaged, "{group:?}");
            assert_eq!(!walks(&group), damaged, "{group:?}");
        }
    }

    proptest! {
        #[test]
        fn the_walk_sees_what_prost_decodes(
            logs in prop::collection::vec(
                (any::<u32>(), prop::option::of(1u32..1_000_000_000),
                 prop::collection::vec((".{0,8}", prop::collection::vec(any::<u8>(), 0..20)), 0..4)),
                0..5),
            topic in ".{0,8}", source in ".{0,8}",
            tags in prop::collection::vec((".{0,8}", ".{0,8}"), 0..3),
        ) {
            let group = LogGroup {
                logs: logs.into_iter().map(|(time, time_ns, fields)| Log {
                    time, time_ns,
                    contents: fields.into_iter().map(|(key, value)| Content::new(key, value)).collect(),
                }).collect(),
                topic: Some(topic),
                source: Some(source),
                log_tags: tags.into_iter().map(|(key, value)| LogTag { key, value }).collect(),
                ..LogGroup::default()
            };
            let bytes = group.encode_to_vec();
            prop_assert_eq!(group_of(&GroupView::parse(&bytes).unwrap()), group);
        }

        #[test]
        fn what_walks_is_what_prost_decodes(
            // Small numbers make keys, lengths and values of fields that there are.
            bytes in prop::collection::vec(prop_oneof![0_u8..60, any::<u8>()], 0..200),
        ) {
            match LogGroup::decode(&bytes[..]) {
                Ok(_) => prop_assert!(walks(&bytes) || bytes.iter().any(|byte| matches!(byte & 7, 3 | 4))),
                Err(error) => prop_assert!(!walks(&bytes) || is_known_difference(&error), "{error}"),
            }
        }
    }
}
