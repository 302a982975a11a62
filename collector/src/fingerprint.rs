//! A small, stable 64-bit hash (FNV-1a) of bytes that we wrote or read ourselves.
//!
//! Called by `tail` (which file is it), `checkpoint` (is the record whole) and `tags`
//! (the source part of `__pack_id__`). Its value is stored in checkpoint files, so the function
//! must never change. It is no defence against somebody who wants two files to look alike.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The running hash of a byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Hash of the empty string.
    pub const EMPTY: Self = Self(OFFSET_BASIS);

    /// Hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::EMPTY.extend(bytes)
    }

    /// Hash of what was hashed so far followed by `bytes`.
    #[must_use]
    pub fn extend(self, bytes: &[u8]) -> Self {
        let mut hash = self.0;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        Self(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn the_published_test_values_hold() {
        assert_eq!(Fingerprint::of(b"").0, 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fingerprint::of(b"a").0, 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fingerprint::of(b"foobar").0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn hashing_in_pieces_is_hashing_the_whole() {
        assert_eq!(Fingerprint::of(b"foo").extend(b"bar"), Fingerprint::of(b"foobar"));
    }
}
