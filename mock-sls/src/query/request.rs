//! The parameters of a query, checked.

use super::QueryError;

/// Rows of a page, when not given and at most. Source: document "GetLogs"; more is silently cut
/// (JavaSDK AbnormalOperationTest).
pub const LINES_MAX: u64 = 100;
/// Logs that can be reached by paging. Source: document "GetLogs".
pub const REACHABLE_MAX: u64 = 1_000_000;

/// A moment on the time line of logs: Unix seconds and nanoseconds within the second.
pub type Moment = (i64, u32);

/// The queried time, `[from, to)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Moment,
    to: Moment,
}

impl Window {
    /// Seconds with optional nanoseconds, as in a request.
    ///
    /// # Errors
    /// Negative times, and ranges that hold nothing.
    pub fn new(from: i64, to: i64, from_ns: Option<i64>, to_ns: Option<i64>) -> Result<Self, QueryError> {
        if from < 0 {
            return Err(QueryError::NotPositive { name: "from" });
        }
        if to < 0 {
            return Err(QueryError::NotPositive { name: "to" });
        }
        let nanoseconds =
            |ns: Option<i64>| u32::try_from(ns.unwrap_or_default()).unwrap_or_default().min(999_999_999);
        let window = Self { from: (from, nanoseconds(from_ns)), to: (to, nanoseconds(to_ns)) };
        match window.from < window.to {
            true => Ok(window),
            false => Err(QueryError::TimeRange { from, to }),
        }
    }

    /// The window of the same length that many seconds earlier.
    pub fn earlier(&self, seconds: i64) -> Self {
        let moved = |(second, ns): Moment| (second.saturating_sub(seconds), ns);
        Self { from: moved(self.from), to: moved(self.to) }
    }

    /// First second.
    pub fn from(&self) -> i64 {
        self.from.0
    }

    /// Second behind the last that is wholly or partly inside.
    pub fn end(&self) -> i64 {
        self.to.0 + i64::from(self.to.1 > 0)
    }

    /// Whether all logs from one second to another are inside.
    pub fn covers(&self, first: u32, last: u32) -> bool {
        self.from <= (i64::from(first), 0) && (i64::from(last) + 1, 0) <= self.to
    }

    /// Whether a log of this time is inside.
    pub fn contains(&self, time: u32, time_ns: u32) -> bool {
        let moment = (i64::from(time), time_ns);
        self.from <= moment && moment < self.to
    }
}

/// The wanted part of the found logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Logs to skip.
    pub offset: u64,
    /// Logs wanted after those.
    pub lines: u64,
    /// Newest first.
    pub reverse: bool,
}

impl Page {
    /// From the parameters of a request.
    ///
    /// # Errors
    /// Negative numbers, and pages beyond [`REACHABLE_MAX`].
    pub fn new(line: Option<i64>, offset: Option<i64>, reverse: bool) -> Result<Self, QueryError> {
        let number = |given: Option<i64>, default: u64| match given {
            None => Ok(default),
            Some(number) => u64::try_from(number).map_err(|_| QueryError::NegativePage),
        };
        let offset = number(offset, 0)?;
        let lines = number(line, LINES_MAX)?.min(LINES_MAX);
        match offset.saturating_add(lines) <= REACHABLE_MAX {
            true => Ok(Self { offset, lines, reverse }),
            false => Err(QueryError::PageTooFar { max: REACHABLE_MAX }),
        }
    }

    /// How many logs the page and what is before it hold.
    pub fn reach(&self) -> usize {
        usize::try_from(self.offset + self.lines).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_before_their_last_moment() {
        let window = Window::new(10, 11, Some(5), Some(7)).unwrap();
        assert!(!window.contains(10, 4) && window.contains(10, 5) && window.contains(11, 6));
        assert!(!window.contains(11, 7));
        assert_eq!((window.from(), window.end()), (10, 12));
        assert_eq!(Window::new(5, 5, None, None), Err(QueryError::TimeRange { from: 5, to: 5 }));
        assert_eq!(Window::new(-1, 5, None, None), Err(QueryError::NotPositive { name: "from" }));
    }

    #[test]
    fn pages_are_cut_to_what_the_service_gives() {
        assert_eq!(Page::new(None, None, false), Ok(Page { offset: 0, lines: 100, reverse: false }));
        assert_eq!(Page::new(Some(1000), Some(5), true), Ok(Page { offset: 5, lines: 100, reverse: true }));
        assert_eq!(Page::new(Some(0), None, false).map(|page| page.lines), Ok(0));
        assert_eq!(Page::new(Some(1), Some(-1), false), Err(QueryError::NegativePage));
        assert!(matches!(Page::new(None, Some(i64::MAX), false), Err(QueryError::PageTooFar { .. })));
    }
}
