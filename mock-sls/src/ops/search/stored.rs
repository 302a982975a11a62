//! The store as a source of logs for queries.

use std::ops::ControlFlow;

use jiff::Timestamp;
use rusqlite::Connection;
use sls_api::ops::documents::stored_as;

use crate::error::ApiError;
use crate::query::QueryError;
use crate::query::index::IndexConfig;
use crate::query::request::Window;
use crate::query::source::{Block, Cancel, Content, Indexes, Kept, LogSource, Place, Span};
use crate::query::sql::ExternalTable;
use crate::store::arrived::{Positions, arrived};
use crate::store::blocks::BlockMeta;
use crate::store::documents::{self, Owner};
use crate::store::logstores::{self, LogstoreId, ReadTarget};
use crate::store::projects::ProjectId;
use crate::store::summaries::{State, Summaries};
use crate::store::{blocks, indexes};

/// The indexes that a Logstore has and had; nothing if it has none.
pub fn indexes_of(db: &Connection, logstore: LogstoreId) -> Result<Option<Indexes>, ApiError> {
    let mut history = indexes::history(db, logstore)?.into_iter();
    let Some((since, current)) = history.next() else {
        return Ok(None);
    };
    let earlier = history.map(|(generation, index)| (generation, IndexConfig::from(&index))).collect();
    Ok(Some(Indexes { current: IndexConfig::from(&current), since, earlier }))
}

/// The logs of one Logstore, as a query reads them.
pub struct Logs<'c> {
    /// A snapshot of the store.
    pub db: &'c Connection,
    /// The Logstore.
    pub target: ReadTarget,
    /// Its project.
    pub project: ProjectId,
    /// When logs expire.
    pub now: Timestamp,
    /// Only what came from these positions on, in the order in which it came and whatever its time is: not for
    /// pages, which rely on the order of time.
    pub since: Option<&'c Positions>,
    /// Nothing that came after this cursor, also where another Logstore is joined.
    pub until: Option<i64>,
    /// What queries keep.
    pub summaries: &'c Summaries,
    /// The state that it is kept of.
    pub state: State,
}

impl LogSource for Logs<'_> {
    fn scan(
        &mut self,
        span: Span<'_>,
        visit: &mut dyn FnMut(&Block, &mut dyn Content) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let Span { from, to, topic, order } = span;
        let mut blocks = blocks::Blocks::new(self.db).map_err(|error| error.to_string())?;
        let mut each = |meta: &BlockMeta| {
            if self.until.is_some_and(|until| meta.cursor > until) {
                return ControlFlow::Continue(());
            }
            let block = Block {
                place: Place { cursor: meta.cursor, shard: meta.shard },
                time_min: meta.time_min,
                time_max: meta.time_max,
                log_count: meta.log_count,
                raw_bytes: meta.raw_bytes,
                index_generation: meta.index_generation,
            };
            visit(&block, &mut Stored { logs: self, blocks: &mut blocks, meta })
        };
        let read = match self.since {
            Some(positions) => arrived(self.db, self.target, positions, topic, &mut each),
            None => blocks::scan(self.db, self.target, from, to, topic, order, &mut each),
        };
        read.map_err(|error| error.to_string())
    }

    fn table(
        &mut self,
        name: &str,
        window: Window,
        cancel: &Cancel,
    ) -> Result<Option<ExternalTable>, QueryError> {
        let failed = |error: ApiError| QueryError::Source(error.to_string());
        let owner = Owner::Project(self.project);
        if let Some(document) =
            documents::find(self.db, &owner, stored_as::EXTERNAL_STORE, name).map_err(failed)?
        {
            return Ok(Some(ExternalTable::of_document(name, &document.body.into())?));
        }
        let target = match name
            .parse()
            .map(|logstore| logstores::read_target(self.db, self.project, &logstore, self.now))
        {
            Err(_) | Ok(Err(ApiError::LogStoreNotExist(_))) => return Ok(None),
            Ok(target) => target.map_err(failed)?,
        };
        let indexes = indexes_of(self.db, target.id).map_err(failed)?.ok_or(QueryError::IndexMissing)?;
        let mut logs = Logs { target, since: None, ..*self };
        ExternalTable::of_logs(name, &indexes, &mut logs, window, cancel).map(Some)
    }
}

/// A block in the store.
struct Stored<'b, 'c> {
    logs: &'b Logs<'c>,
    blocks: &'b mut blocks::Blocks<'c>,
    meta: &'b BlockMeta,
}

impl Content for Stored<'_, '_> {
    fn group(&mut self) -> Result<&[u8], String> {
        self.blocks.read(self.meta).map_err(|error| error.to_string())
    }

    fn summary(&self) -> Option<Kept> {
        self.logs.summaries.get(self.logs.state, self.logs.target.id, self.meta)
    }

    fn wants_summary(&self) -> bool {
        self.logs.summaries.wants_more()
    }

    fn keep(&mut self, summary: Kept) {
        self.logs.summaries.keep(self.logs.state, self.logs.target.id, self.meta, summary);
    }
}
