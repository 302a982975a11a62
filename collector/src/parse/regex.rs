//! Capture groups of a full match, read into spans without allocation.

use regex::bytes::{CaptureLocations, Regex};

use super::Span;

/// A regex with the scratch memory for its groups.
#[derive(Debug)]
pub struct Captures {
    regex: Regex,
    groups: CaptureLocations,
}

impl Captures {
    /// `regex` comes from [`crate::pipeline::full_match`].
    pub fn new(regex: &Regex) -> Self {
        Self { regex: regex.clone(), groups: regex.capture_locations() }
    }

    /// Reads group n + 1 into `spans[n]`; false if the event does not match as a whole.
    pub fn read(&mut self, event: &[u8], spans: &mut [Span]) -> bool {
        let matched = self.regex.captures_read(&mut self.groups, event);
        if matched.is_none_or(|m| m.start() != 0 || m.end() != event.len()) {
            return false;
        }
        for (i, span) in spans.iter_mut().enumerate() {
            let (start, end) = self.groups.get(i + 1).unwrap_or((0, 0));
            *span = (start as u32, end as u32);
        }
        true
    }
}
