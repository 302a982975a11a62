//! Dividing an encoded LogGroup when the server calls it too large.

use super::{LOGS, varint_len};

/// Number of logs in an encoded LogGroup.
pub fn logs_in(group: &[u8]) -> usize {
    fields(group).filter(|f| f.tag == LOGS).count()
}

/// The first and the second half of the logs of an encoded LogGroup, each with all its common
/// fields; `None` if there are less than two logs or the bytes are no LogGroup.
pub fn split(group: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let half = logs_in(group) / 2;
    if half == 0 {
        return None;
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut logs = 0;
    for field in fields(group) {
        let bytes = group.get(field.start..field.end)?;
        if field.tag != LOGS {
            first.extend_from_slice(bytes);
            second.extend_from_slice(bytes);
        } else if logs < half {
            first.extend_from_slice(bytes);
            logs += 1;
        } else {
            second.extend_from_slice(bytes);
        }
    }
    Some((first, second))
}

struct Field {
    tag: u8,
    start: usize,
    end: usize,
}

/// The length-delimited fields at the top of `group`: all that a LogGroup has.
fn fields(group: &[u8]) -> impl Iterator<Item = Field> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let tag = *group.get(start)?;
        let len = read_varint(group.get(start + 1..)?)?;
        let end = start.checked_add(1 + varint_len(len))?.checked_add(len as usize)?;
        if end > group.len() {
            return None;
        }
        at = end;
        Some(Field { tag, start, end })
    })
}

fn read_varint(bytes: &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
