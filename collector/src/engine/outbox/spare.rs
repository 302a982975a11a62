//! Buffers of groups that were packed, for the next ones.

/// Large ones that are kept, each up to the size of a full group …
const LARGE_MAX: usize = 2;
/// … and small ones, for many files that each have a line now and then: with [`SMALL_BYTES_MAX`] a MiB.
const SMALL_MAX: usize = 256;
const SMALL_BYTES_MAX: usize = 4 * 1024;
/// What a new one has room for: a line and what a group says of its file.
const NEW_BYTES: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub struct Spare {
    large: Vec<Vec<u8>>,
    small: Vec<Vec<u8>>,
}

impl Spare {
    /// One of those that were kept, or a new one.
    pub fn take(&mut self) -> Vec<u8> {
        let kept = self.large.pop().or_else(|| self.small.pop());
        kept.unwrap_or_else(|| Vec::with_capacity(NEW_BYTES))
    }

    /// Keeps it, unless there are enough or it has more than so many bytes.
    pub fn keep(&mut self, buffer: Vec<u8>, bytes_max: usize) {
        let bytes = buffer.capacity();
        let (kept, most) = match bytes <= SMALL_BYTES_MAX {
            true => (&mut self.small, SMALL_MAX),
            false => (&mut self.large, LARGE_MAX),
        };
        if bytes <= bytes_max && kept.len() < most {
            kept.push(buffer);
        }
    }
}
