//! GetLogs: a page of found logs, or the rows that SQL makes of them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::ControlFlow,
};

use jiff::Timestamp;
use sls_api::ops::logs::{LogsMeta, LogsReply, Row, Term};

use super::{
    QueryError,
    expr::{SearchExpr, Text},
    log_view::{DamagedGroup, GroupView, LogView},
    matcher::Options,
    parse,
    request::{Page, Window},
    rows,
    search::{Flow, Scan, Scanned, Search, Taken, Visitor},
    source::{Block, Cancel, Indexes, LogSource, Order, Place, Span},
    spl::{self, Pipeline},
    sql,
    statement::{self, Tail},
    summary::{RowSet, Summary},
};

/// A query of logs.
#[derive(Debug, Clone, Copy)]
pub struct LogsRequest<'q> {
    /// Which log times.
    pub window: Window,
    /// Which of the found logs.
    pub page: Page,
    /// The Logstore's name, which SQL may use for its table.
    pub logstore: &'q str,
    /// What SQL takes for the present time.
    pub now: Timestamp,
    /// What SQL is told by the server.
    pub settings: &'q sql::Settings,
    /// Only this topic; empty for all.
    pub topic: &'q str,
    /// Search, or search and SQL.
    pub query: &'q str,
}

/// Answers a query. The times in the answer's statistics are left for the caller to fill in.
///
/// # Errors
/// The query is refused, or the logs cannot be read.
pub fn run(
    request: &LogsRequest<'_>,
    indexes: Option<&Indexes>,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<LogsReply, QueryError> {
    let indexes = indexes.ok_or(QueryError::IndexMissing)?;
    let statement = statement::split(request.query)?;
    let expr = parse::parse(statement.search)?;
    let search = Search::new(&expr, indexes, Options::default())?;
    let mut reply = match statement.tail {
        Tail::Sql(sql) => {
            if request.page.offset != 0 {
                return Err(QueryError::OffsetWithSql);
            }
            if has_phrase(&expr) {
                return Err(QueryError::PhraseMisused { what: "analysis (| SELECT)" });
            }
            analyse(sql, &search, request, indexes, source, cancel)?
        }
        Tail::Pipeline(commands) => piped(&Pipeline::parse(commands)?, &search, request, source, cancel)?,
        tail => page(&search, request, tail == Tail::PackMeta, source, cancel)?,
    };
    reply.meta.where_query = if statement.search.is_empty() { "*" } else { statement.search }.to_owned();
    reply.meta.terms = terms(&expr);
    reply.meta.mode = match statement.tail {
        Tail::Pipeline(_) => SCAN_MODE,
        _ => i64::from(has_phrase(&expr)),
    };
    reply.meta.is_accurate = true;
    Ok(reply)
}

/// One page of logs in order of time. First the places of the page's logs are found, then these
/// logs alone are read: a page far down costs no more memory than its places.
fn page(
    search: &Search,
    request: &LogsRequest<'_>,
    pack_meta: bool,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<LogsReply, QueryError> {
    let Page { offset, lines, reverse } = request.page;
    let mut first = FirstLogs { reach: request.page.reach(), reverse, heap: BinaryHeap::new() };
    let scan = Scan { window: request.window, topic: request.topic, order: Order::of_pages(reverse) };
    let scanned = match lines {
        0 => Scanned::default(),
        _ => search.run(source, &scan, cancel, &mut first)?,
    };
    let sorted = first.heap.into_sorted_vec();
    let wanted: Vec<LogPlace> =
        sorted.iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).map(Rank::place).collect();
    let data = read(&wanted, scan, pack_meta, source, cancel)?;
    let meta = LogsMeta {
        count: data.len() as u64,
        processed_rows: scanned.logs,
        processed_bytes: scanned.bytes,
        limited: i64::try_from(lines).unwrap_or_default(),
        keys: keys(&data),
        ..LogsMeta::default()
    };
    Ok(LogsReply { meta, data })
}

/// Names of all columns, in order of appearance.
fn keys(data: &[Row]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let names = data.iter().flat_map(|row| &row.0).map(|(name, _)| name);
    names.filter(|name| seen.insert(name.as_str())).cloned().collect()
}

/// Where a log stands in time and in the Logstore. Ordered by time, then by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LogPlace {
    time: u32,
    time_ns: u32,
    block: Place,
    index: usize,
}

/// A place in the order that the page wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    OldestFirst(LogPlace),
    NewestFirst(Reverse<LogPlace>),
}

impl Rank {
    fn place(&self) -> LogPlace {
        match self {
            Self::OldestFirst(place) | Self::NewestFirst(Reverse(place)) => *place,
        }
    }
}

/// Keeps the first `reach` logs in the order of the page.
struct FirstLogs {
    reach: usize,
    reverse: bool,
    heap: BinaryHeap<Rank>,
}

impl Visitor for FirstLogs {
    fn begin_block(&mut self, block: &Block) -> Flow {
        let full = self.heap.len() >= self.reach;
        let all_later = full.then(|| self.heap.peek()).flatten().is_some_and(|last| match last {
            Rank::OldestFirst(last) => block.time_min > last.time,
            Rank::NewestFirst(Reverse(last)) => block.time_max < last.time,
        });
        match all_later {
            true => ControlFlow::Break(None),
            false => ControlFlow::Continue(()),
        }
    }

    fn found_in(&mut self, block: &Block, summary: &Summary, rows: &RowSet) -> Taken {
        if !summary.has_whole_seconds() {
            return ControlFlow::Continue(false);
        }
        for index in rows.iter() {
            self.add(LogPlace { time: summary.time(index), time_ns: 0, block: block.place, index });
        }
        ControlFlow::Continue(true)
    }

    fn found(&mut self, block: &Block, index: usize, log: &LogView<'_>) -> Flow {
        self.add(LogPlace { time: log.time, time_ns: log.time_ns, block: block.place, index });
        ControlFlow::Continue(())
    }
}

impl FirstLogs {
    fn add(&mut self, place: LogPlace) {
        let rank = if self.reverse { Rank::NewestFirst(Reverse(place)) } else { Rank::OldestFirst(place) };
        if self.heap.len() < self.reach {
            self.heap.push(rank);
        } else if let Some(mut last) = self.heap.peek_mut()
            && rank < *last
        {
            *last = rank;
        }
    }
}

/// Reads the logs at `wanted`, in that order.
fn read(
    wanted: &[LogPlace],
    scan: Scan<'_>,
    pack_meta: bool,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<Vec<Row>, QueryError> {
    let times = || wanted.iter().map(|place| i64::from(place.time));
    let (Some(earliest), Some(latest)) = (times().min(), times().max()) else {
        return Ok(Vec::new());
    };
    let mut positions: HashMap<Place, HashMap<usize, usize>> = HashMap::new();
    for (position, place) in wanted.iter().enumerate() {
        positions.entry(place.block).or_default().insert(place.index, position);
    }
    let mut rows = vec![Row::default(); wanted.len()];
    let mut failed = None;
    let span = Span { from: earliest, to: latest + 1, ..scan.span() };
    source
        .scan(span, &mut |block, content| {
            if cancel.is_cancelled() {
                failed = Some(QueryError::Cancelled);
                return ControlFlow::Break(());
            }
            let Some(positions_here) = positions.remove(&block.place) else {
                return ControlFlow::Continue(());
            };
            let read = content.group().and_then(|group| {
                rows_of(group, block, &positions_here, pack_meta, &mut rows)
                    .map_err(|error| error.to_string())
            });
            failed = read.err().map(QueryError::Source);
            match positions.is_empty() || failed.is_some() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
        .map_err(QueryError::Source)?;
    failed.map_or(Ok(rows), Err)
}

/// Puts logs of a block, given by their places in it, at their positions among the rows.
fn rows_of(
    group: &[u8],
    block: &Block,
    positions: &HashMap<usize, usize>,
    pack_meta: bool,
    rows: &mut [Row],
) -> Result<(), DamagedGroup> {
    let _: ControlFlow<()> = GroupView::parse(group)?.for_each(
        |index| positions.contains_key(&index),
        |index, log| {
            if let Some(slot) = positions.get(&index).and_then(|position| rows.get_mut(*position)) {
                *slot = rows::row(log);
                if pack_meta {
                    rows::add_pack_meta(slot, block, index);
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    Ok(())
}

/// Runs SQL over the found logs.
fn analyse(
    sql: &str,
    search: &Search,
    request: &LogsRequest<'_>,
    indexes: &Indexes,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<LogsReply, QueryError> {
    let window = (request.window.from(), request.window.end());
    let mut session = sql::Session::new(request.logstore, request.now, window, request.settings);
    let plan = loop {
        match sql::plan(sql, indexes, session.clone()) {
            // Perhaps the name of an external store or another Logstore.
            Err(sql::SqlError::TableNotFound { at, name }) => {
                match source.table(&name, request.window, cancel)? {
                    Some(table) => session.add_table(table),
                    None => return Err(sql::SqlError::TableNotFound { at, name }.into()),
                }
            }
            planned => break planned?,
        }
    };
    let mut scanned = Scanned::default();
    let result = plan.execute(cancel, |table, shift| {
        let scan = Scan { window: request.window.earlier(shift), topic: request.topic, order: table.order() };
        let more = search.run(source, &scan, cancel, &mut Feed { table })?;
        scanned.logs += more.logs;
        scanned.bytes += more.bytes;
        Ok(())
    })?;
    let meta = LogsMeta {
        count: result.rows.len() as u64,
        processed_rows: scanned.logs,
        processed_bytes: scanned.bytes,
        has_sql: true,
        agg_query: sql.to_owned(),
        keys: result.keys.clone(),
        column_types: result.types.clone(),
        ..LogsMeta::default()
    };
    Ok(LogsReply { meta, data: result.into_rows(request.window.from()) })
}

/// Runs a pipeline over the found logs, oldest first or newest first, and gives a page of its rows.
fn piped(
    pipeline: &Pipeline,
    search: &Search,
    request: &LogsRequest<'_>,
    source: &mut dyn LogSource,
    cancel: &Cancel,
) -> Result<LogsReply, QueryError> {
    let window = (request.window.from(), request.window.end());
    let session = sql::Session::new(request.logstore, request.now, window, request.settings);
    let Page { offset, lines, reverse } = request.page;
    let scan = Scan { window: request.window, topic: request.topic, order: Order::OldestFirst };
    let mut found = Piped { rows: spl::LogRows::default(), places: Vec::new() };
    let scanned = search.run(source, &scan, cancel, &mut found)?;
    let mut rows = found.rows.into_rows();
    rows.order_by_key(&found.places, reverse);
    let rows = pipeline.run(rows, &session, cancel)?;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let data = rows.page(number(offset), number(lines), &session)?;
    let meta = LogsMeta {
        count: data.len() as u64,
        processed_rows: scanned.logs,
        processed_bytes: scanned.bytes,
        scan_bytes: scanned.bytes,
        keys: rows.keys(),
        column_types: rows.types(),
        ..LogsMeta::default()
    };
    Ok(LogsReply { meta, data })
}

/// What `mode` says of an answer of a pipeline. Source: Go SDK, `model.go`.
const SCAN_MODE: i64 = 2;

/// Takes every found log into the rows of a pipeline, with its place in time and arrival.
struct Piped {
    rows: spl::LogRows,
    places: Vec<LogPlace>,
}

impl Visitor for Piped {
    fn found(&mut self, block: &Block, index: usize, log: &LogView<'_>) -> Flow {
        self.places.push(LogPlace { time: log.time, time_ns: log.time_ns, block: block.place, index });
        match self.rows.push(log) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Some(error.into())),
        }
    }
}

/// Puts every found log into the table that SQL reads.
struct Feed<'t, 'c> {
    table: &'t mut sql::Table<'c>,
}

impl Visitor for Feed<'_, '_> {
    fn found_whole(&mut self, block: &Block) -> bool {
        self.table.push_whole(u64::from(block.log_count))
    }

    fn found_in(&mut self, block: &Block, summary: &Summary, rows: &RowSet) -> Taken {
        match self.table.push_block(summary, rows, block.index_generation) {
            Ok(taken) => ControlFlow::Continue(taken),
            Err(error) => ControlFlow::Break(Some(error.into())),
        }
    }

    fn found(&mut self, block: &Block, _: usize, log: &LogView<'_>) -> Flow {
        match self.table.push(log, block.index_generation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Some(error.into())),
        }
    }
}

/// The searched texts with the fields they are searched in, for the answer's statistics.
fn terms(expr: &SearchExpr) -> Vec<Term> {
    let mut terms = Vec::new();
    expr.for_each_text(&mut |key, text| {
        let key = key.map(|key| key.as_str().to_owned()).unwrap_or_default();
        terms.push(Term { key, term: text.to_string() });
    });
    if terms.is_empty() {
        terms.push(Term { key: String::new(), term: "*".to_owned() });
    }
    terms
}

fn has_phrase(expr: &SearchExpr) -> bool {
    let mut found = false;
    expr.for_each_text(&mut |_, text| found |= matches!(text, Text::Phrase(_)));
    found
}
