//! Paging, the same for every list of the API.

use crate::error::ApiError;

/// Largest page. Source: limits document.
const SIZE_MAX: i64 = 500;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    offset: usize,
    size: usize,
}

impl Page {
    /// A page as asked for; `size_default` applies where no size is given.
    ///
    /// Source: the Python SDK asks with size -1 for everything and is served pages of 500; the
    /// other bounds are a guess.
    pub fn new(offset: Option<i64>, size: Option<i64>, size_default: i64) -> Result<Self, ApiError> {
        let offset = usize::try_from(offset.unwrap_or(0)).map_err(|_| {
            ApiError::ParameterInvalid("The parameter offset must not be negative".to_owned())
        })?;
        let size = match size.unwrap_or(size_default) {
            size if size < 0 => SIZE_MAX,
            size => size.min(SIZE_MAX),
        };
        Ok(Self { offset, size: usize::try_from(size).unwrap_or_default() })
    }

    /// Size and offset as a query takes them.
    pub fn bounds(self) -> [i64; 2] {
        [self.size, self.offset].map(|number| i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// Cuts the page out of a whole list; the second value is the length of that list.
    pub fn of<T>(self, whole: Vec<T>) -> (Vec<T>, u64) {
        let total = whole.len() as u64;
        (whole.into_iter().skip(self.offset).take(self.size).collect(), total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(offset: Option<i64>, size: Option<i64>) -> (Vec<i32>, u64) {
        Page::new(offset, size, 2).unwrap().of(vec![1, 2, 3, 4, 5])
    }

    #[test]
    fn a_page_is_a_slice_and_knows_the_total() {
        assert_eq!(page(None, None), (vec![1, 2], 5));
        assert_eq!(page(Some(3), Some(10)), (vec![4, 5], 5));
        assert_eq!(page(Some(9), Some(1)), (vec![], 5));
        assert_eq!(page(None, Some(0)), (vec![], 5));
        assert_eq!(page(None, Some(-1)).0.len(), 5);
        assert!(Page::new(Some(-1), None, 2).is_err());
    }
}
