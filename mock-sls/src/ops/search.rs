//! Queries of logs: GetLogs in both forms, and histograms.

use crate::route::Operations;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops
}
