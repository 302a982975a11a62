//! The buffer that files are read into.

use super::MARK_BYTES_MAX;

/// The buffer that files are read into, one after the other; reused for every read.
#[derive(Debug, Default)]
pub struct Block {
    pub(super) bytes: Vec<u8>,
    /// `bytes[..data_start]` are bytes before the position.
    pub(super) data_start: usize,
    /// `bytes[..known]` was known before the read.
    pub(super) known: usize,
    pub(super) end: usize,
}

impl Block {
    pub(super) fn prepare(&mut self, before: &[u8], carry: &[u8], max_new: usize) {
        self.data_start = before.len();
        self.known = before.len() + carry.len();
        self.end = self.known;
        let need = self.known + max_new;
        if self.bytes.len() < need {
            self.bytes.resize(need, 0);
        }
        self.bytes[..before.len()].copy_from_slice(before);
        self.bytes[before.len()..self.known].copy_from_slice(carry);
    }

    pub(super) fn mark_bytes(&self, split: usize) -> &[u8] {
        self.bytes.get(split.saturating_sub(MARK_BYTES_MAX)..split).unwrap_or_default()
    }

    /// The pending and the new bytes, from the position of the tail on.
    pub fn data(&self) -> &[u8] {
        &self.bytes[self.data_start..self.end]
    }

    /// Takes bytes off the end, so that `len` bytes of data are left.
    pub fn cut(&mut self, len: usize) {
        self.end = self.end.min(self.data_start + len);
    }

    /// Gives memory back beyond `bytes_max` (after an unusually long event, or when idle).
    pub fn shrink(&mut self, bytes_max: usize) {
        if self.bytes.len() > bytes_max {
            self.bytes.truncate(bytes_max);
            self.bytes.shrink_to_fit();
            (self.data_start, self.known, self.end) = (0, 0, 0);
        }
    }
}
