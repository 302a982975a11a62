//! Which choices were made at which places of the text.

/// Most bits that are kept for a text; the memory for them stays. Source: the `regex` crate's bound for the same
/// thing, 256 KiB.
const BITS_MAX: usize = 256 * 1024 * 8;

/// A set of pairs of a number and a place.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    bits: Vec<u64>,
    places: usize,
}

impl Marks {
    /// Forgets all; there are `count` numbers, and places up to the end of a text of `length` bytes. False if these
    /// are too many.
    pub fn begin(&mut self, count: usize, length: usize) -> bool {
        self.bits.clear();
        self.places = length + 1;
        let Some(bits) = self.places.checked_mul(count).filter(|bits| *bits <= BITS_MAX) else {
            return false;
        };
        self.bits.resize(bits.div_ceil(64), 0);
        true
    }

    /// Marks the place; false if it was.
    #[inline]
    pub fn visit(&mut self, number: u32, at: usize) -> bool {
        let bit = number as usize * self.places + at;
        let Some(word) = self.bits.get_mut(bit / 64) else { return false };
        let mask = 1 << (bit % 64);
        let is_new = *word & mask == 0;
        *word |= mask;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_each_number_is_marked_once() {
        let mut marks = Marks::default();
        for _ in 0..2 {
            assert!(marks.begin(3, 40));
            for number in 0..3 {
                for at in 0..=40 {
                    assert!(marks.visit(number, at), "{number} {at}");
                    assert!(!marks.visit(number, at), "{number} {at}");
                }
            }
        }
    }

    #[test]
    fn too_many_are_refused() {
        let mut marks = Marks::default();
        assert!(marks.begin(2, BITS_MAX / 2 - 1));
        assert!(!marks.begin(2, BITS_MAX / 2));
        assert!(!marks.begin(usize::MAX, 1));
        assert!(marks.begin(0, usize::MAX / 2));
    }
}
