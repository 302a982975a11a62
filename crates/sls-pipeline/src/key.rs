//! A key of a log with its encoded form, its time, and the bits of protobuf that they are made of. Pure.

/// Key of Content and LogTag: field 1, length-delimited.
pub const PAIR_KEY: u8 = 0x0a;

/// A content key with its encoded form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: String,
    encoded: Vec<u8>,
}

impl Key {
    /// A key of this name.
    pub fn new(name: &str) -> Self {
        let mut encoded = Vec::with_capacity(name.len() + 3);
        put_bytes(&mut encoded, PAIR_KEY, name.as_bytes());
        Self { name: name.to_owned(), encoded }
    }

    /// Takes another name into the memory of this one.
    pub fn rename(&mut self, name: &str) {
        self.name.clear();
        self.name.push_str(name);
        self.encoded.clear();
        put_bytes(&mut self.encoded, PAIR_KEY, name.as_bytes());
    }

    /// Its name.
    #[inline]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key as a field of Content.
    #[inline]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

/// `__time__` of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Unix seconds.
    pub seconds: u32,
    /// 0..=999_999_999; absent unless the log itself says it.
    pub nanos: Option<u32>,
}

/// Encoded length of a length-delimited field of `len` bytes.
#[inline]
pub fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u32) + len
}

/// Appends a length-delimited field.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

/// Encoded length of a varint.
#[inline]
pub fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        0x20_0000..=0xfff_ffff => 4,
        _ => 5,
    }
}

/// Appends a protobuf varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
