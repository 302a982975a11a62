//! How much may be written in a second, to a shard and to a project. Asked by PutLogs for every
//! body; off unless the configuration has a number.
//!
//! Seconds are those of the server's clock, and each begins with nothing written. A body larger
//! than a whole quota is taken when nothing else was in its second, so that it is delivered at
//! last. Source of counting bytes before compression in whole seconds: guess.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::config::WriteQuotas;
use crate::error::ApiError;
use crate::store::logstores::LogstoreId;
use crate::store::projects::ProjectId;

/// The quotas and what was spent of them.
#[derive(Debug)]
pub struct WriteMeters {
    limits: WriteQuotas,
    spent: Mutex<Second>,
}

/// What was written in one second; forgotten with the next.
#[derive(Debug, Default)]
struct Second {
    second: i64,
    projects: HashMap<ProjectId, u64>,
    shards: HashMap<(LogstoreId, u32), u64>,
}

impl WriteMeters {
    /// Nothing written yet.
    pub fn new(limits: WriteQuotas) -> Self {
        Self { limits, spent: Mutex::new(Second::default()) }
    }

    /// Counts a body, or refuses it.
    pub fn spend(
        &self,
        project: ProjectId,
        shard: (LogstoreId, u32),
        bytes: u64,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        if self.limits == WriteQuotas::default() {
            return Ok(());
        }
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        // A body that was long on its way counts in the second that others have begun.
        if spent.second < now.as_second() {
            *spent = Second { second: now.as_second(), ..Second::default() };
        }
        let of_project = spent.projects.get(&project).copied().unwrap_or_default();
        let of_shard = spent.shards.get(&shard).copied().unwrap_or_default();
        if exceeds(self.limits.project_bytes_per_s, of_project, bytes) {
            return Err(ApiError::WriteQuotaExceed);
        }
        if exceeds(self.limits.shard_bytes_per_s, of_shard, bytes) {
            return Err(ApiError::ShardWriteQuotaExceed(shard.1));
        }
        spent.projects.insert(project, of_project.saturating_add(bytes));
        spent.shards.insert(shard, of_shard.saturating_add(bytes));
        Ok(())
    }
}

fn exceeds(limit: Option<u64>, spent: u64, more: u64) -> bool {
    limit.is_some_and(|limit| spent > 0 && spent.saturating_add(more) > limit)
}
