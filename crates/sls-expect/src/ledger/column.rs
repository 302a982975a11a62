//! A long list of small things that grows without ever being copied as a whole: at ten million entries the copy
//! that a vector makes of itself would be most of the memory.

/// Things in a chunk, a power of two, so that the growth of the first chunk ends exactly there.
const CHUNK: usize = 4_096;

#[derive(Debug)]
pub struct Column<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T: Copy> Column<T> {
    /// So many times the same.
    pub fn filled(value: T, len: usize) -> Self {
        let mut column = Self { chunks: Vec::new(), len: 0 };
        column.fill(value, len);
        column
    }

    pub fn push(&mut self, value: T) {
        self.room();
        if let Some(last) = self.chunks.last_mut() {
            last.push(value);
            self.len += 1;
        }
    }

    /// Pushes the same so many times.
    pub fn fill(&mut self, value: T, mut times: usize) {
        while times > 0 {
            self.room();
            let Some(last) = self.chunks.last_mut() else { return };
            let now = times.min(CHUNK - last.len());
            last.resize(last.len() + now, value);
            self.len += now;
            times -= now;
        }
    }

    pub fn get(&self, at: u32) -> Option<T> {
        self.chunks.get(at as usize / CHUNK)?.get(at as usize % CHUNK).copied()
    }

    /// Sources with few logs shall not take a whole chunk.
    fn room(&mut self) {
        if self.len.is_multiple_of(CHUNK) {
            let chunk = if self.chunks.is_empty() { Vec::new() } else { Vec::with_capacity(CHUNK) };
            self.chunks.push(chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_and_filled_is_there_across_chunks() {
        let mut column = Column::filled(7_u32, 5_000);
        column.push(8);
        column.fill(9, 10_000);
        column.push(10);
        let got = [0, 4_999, 5_000, 5_001, 15_000, 15_001, 15_002].map(|at| column.get(at));
        assert_eq!(got, [Some(7), Some(7), Some(8), Some(9), Some(9), Some(10), None]);
    }
}
