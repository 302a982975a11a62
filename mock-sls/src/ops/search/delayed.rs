//! A source of logs that a fault (`visibility_delay_ms`) makes late.

use std::ops::ControlFlow;

use super::stored::Logs;
use crate::query::QueryError;
use crate::query::request::Window;
use crate::query::source::{Block, Cancel, Content, LogSource, Span};
use crate::query::sql::ExternalTable;

/// Logs of which a fault hides the latest.
pub struct Delayed<'c> {
    /// All of them.
    pub logs: Logs<'c>,
    /// Cursor of the last block that is found.
    pub newest: i64,
}

impl LogSource for Delayed<'_> {
    fn scan(
        &mut self,
        span: Span<'_>,
        visit: &mut dyn FnMut(&Block, &mut dyn Content) -> ControlFlow<()>,
    ) -> Result<(), String> {
        self.logs.scan(span, &mut |block, content| {
            if block.place.cursor > self.newest { ControlFlow::Continue(()) } else { visit(block, content) }
        })
    }

    fn table(
        &mut self,
        name: &str,
        window: Window,
        cancel: &Cancel,
    ) -> Result<Option<ExternalTable>, QueryError> {
        self.logs.table(name, window, cancel)
    }
}
