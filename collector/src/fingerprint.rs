//! A small, stable 64-bit hash (FNV-1a) of bytes that we wrote or read ourselves.
//!
//! Called by `tail` (which file is it), `checkpoint` (is the record whole) and `tags`
//! (the source part of `__pack_id__`). Its value is stored in checkpoint files, so the function
//! must never change. It is no defence against somebody who wants two files to look alike.

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// An odd number whose bits look random: those of the golden ratio.
const SUM_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

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

/// A hash to compare bytes with bytes that were there a moment ago: eight at a time, in a quarter of a microsecond for a
/// KiB. Stored nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Of `bytes`; those of other lengths may be equal.
    pub fn of(bytes: &[u8]) -> Self {
        let mix = |sum: u64, word: u64| {
            let product = (sum ^ word).wrapping_mul(SUM_FACTOR);
            product ^ (product >> 32)
        };
        let mut lanes = [OFFSET_BASIS, PRIME, SUM_FACTOR, !OFFSET_BASIS];
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = mix(*lane, u64::from_le_bytes(*word));
            }
        }
        let sum = lanes.into_iter().fold(0, mix);
        Self(rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, Sum};

    #[test]
    fn no_two_texts_with_one_bit_or_two_bytes_changed_have_the_same_sum() {
        let text: Vec<u8> = (0..1000_u32).map(|n| (n * 31 % 251) as u8).collect();
        let mut sums = std::collections::HashSet::from([Sum::of(&text).0]);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut other = text.clone();
                other[at] ^= 1 << bit;
                assert!(sums.insert(Sum::of(&other).0), "bit {bit} of byte {at}");
            }
            let mut other = text.clone();
            other.swap(at, (at + 32) % text.len());
            assert!(
                other == text || sums.insert(Sum::of(&other).0),
                "byte {at} and the one of the next block"
            );
        }
    }

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
