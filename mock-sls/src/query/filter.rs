//! The query of a PullLogs: which logs of a group are sent.
//!
//! Nothing is indexed here, so every field can be searched, by the delimiters that an index has
//! by default; a field that is compared is a number. What is found may go through a pipeline
//! (`* | where …`), which changes fields too. Source of searching without an index: guess; of
//! pipelines: document "Consume logs based on rules".

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;
use prost::Message;
use sls_api::log_group::LogGroup;

use super::{
    QueryError,
    expr::{SearchExpr, Test},
    index::{DEFAULT_MAX_TEXT_LEN, IndexConfig, KeyIndex, KeyKind, LineIndex},
    log_view::{DamagedGroup, GroupView},
    matcher::{Matcher, Options},
    parse,
    source::Cancel,
    spl::{LogRows, Pipeline},
    sql::{Session, Settings, SqlError},
    statement::{self, Tail},
    tokenizer::{DEFAULT_DELIMITERS, Tokenizer},
};

/// A query made ready.
#[derive(Debug)]
pub struct Filter {
    matcher: Matcher,
    pipeline: Option<(Pipeline, Session)>,
}

/// What is left of a group.
#[derive(Debug, PartialEq)]
pub struct Left {
    /// Logs that it had.
    pub read: usize,
    /// Logs that are left.
    pub kept: usize,
    /// Groups with these alone: none without any, and several where a pipeline gave them
    /// different tags.
    pub groups: Vec<Bytes>,
}

/// Why a group could not be filtered.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The bytes are not a group.
    #[error(transparent)]
    Damaged(#[from] DamagedGroup),
    /// The pipeline cannot take a log.
    #[error(transparent)]
    Refused(#[from] QueryError),
}

impl Filter {
    /// Parses a query; `now` is what a pipeline takes for the present time.
    ///
    /// # Errors
    /// It is neither a search nor a search with a pipeline.
    pub fn new(query: &str, now: Timestamp, settings: &Settings) -> Result<Self, QueryError> {
        let statement = statement::split(query)?;
        let pipeline = match statement.tail {
            Tail::None => None,
            Tail::Pipeline(commands) => {
                Some((Pipeline::parse(commands)?, Session::new("log", now, (0, 0), settings)))
            }
            Tail::PackMeta => return Err(QueryError::NotForConsumers { what: "with_pack_meta".to_owned() }),
            Tail::Sql(_) => return Err(QueryError::NotForConsumers { what: "select".to_owned() }),
        };
        let expr = parse::parse(statement.search)?;
        let matcher = Matcher::new(&expr, &everything(&expr), Options::default())?;
        Ok(Self { matcher, pipeline })
    }

    /// Keeps the logs of an encoded group that are found, as the pipeline makes them.
    ///
    /// # Errors
    /// The bytes are not a group, the pipeline cannot take a log, or nobody waits for it.
    pub fn apply(&self, encoded: &Bytes, cancel: &Cancel) -> Result<Left, FilterError> {
        let group = GroupView::parse(encoded)?;
        let read = group.logs().len();
        let mut found = vec![false; read];
        let mut rows = LogRows::default();
        let walked: ControlFlow<SqlError> = group.for_each(
            |_| true,
            |index, log| {
                if cancel.is_cancelled() {
                    return ControlFlow::Break(SqlError::Cancelled);
                }
                if let Some(found) = found.get_mut(index) {
                    *found = self.matcher.matches(log);
                    if *found
                        && self.pipeline.is_some()
                        && let Err(error) = rows.push(log)
                    {
                        return ControlFlow::Break(error);
                    }
                }
                ControlFlow::Continue(())
            },
        )?;
        if let ControlFlow::Break(error) = walked {
            return Err(QueryError::from(error).into());
        }
        if let Some((pipeline, session)) = &self.pipeline {
            let rows = pipeline.run(rows.into_rows(), session, cancel).map_err(QueryError::from)?;
            let groups = rows.groups(session.zone(), cancel).map_err(QueryError::from)?;
            let kept = groups.iter().map(|group| group.logs.len()).sum();
            let groups = groups.iter().map(|group| group.encode_to_vec().into()).collect();
            return Ok(Left { read, kept, groups });
        }
        let kept = found.iter().filter(|found| **found).count();
        let groups = match kept {
            0 => Vec::new(),
            all if all == read => vec![encoded.clone()],
            _ => vec![only(encoded, &found)?],
        };
        Ok(Left { read, kept, groups })
    }
}

fn only(encoded: &Bytes, found: &[bool]) -> Result<Bytes, DamagedGroup> {
    let mut group = LogGroup::decode(encoded.clone()).map_err(|_| DamagedGroup::whole())?;
    let mut found = found.iter();
    group.logs.retain(|_| found.next().copied().unwrap_or_default());
    Ok(group.encode_to_vec().into())
}

/// An index of all text and of every field that the search names.
fn everything(expr: &SearchExpr) -> IndexConfig {
    let words = || Arc::new(Tokenizer::new(DEFAULT_DELIMITERS.chars(), false, false));
    let mut compared: BTreeMap<String, bool> = BTreeMap::new();
    expr.for_each_field(&mut |key, test| {
        *compared.entry(key.as_str().to_owned()).or_default() |= matches!(test, Test::Within(_));
    });
    let keys = compared.into_iter().map(|(name, compared)| KeyIndex {
        name,
        alias: None,
        doc_value: false,
        kind: if compared { KeyKind::Double } else { KeyKind::Text(words()) },
    });
    let line = LineIndex { tokenizer: words(), include: None, exclude: Default::default() };
    IndexConfig::new(Some(line), keys.collect(), DEFAULT_MAX_TEXT_LEN)
}

#[cfg(test)]
mod tests {
    use sls_api::log_group::{Content, Log};

    use super::*;

    fn group() -> Bytes {
        let log = |text: &str, status: &str| Log {
            time: 1,
            contents: vec![Content::new("msg", text.to_owned()), Content::new("status", status.to_owned())],
            time_ns: Some(7),
        };
        let logs = vec![log("get /index", "200"), log("post /form", "503"), log("get /gone", "404")];
        LogGroup { logs, topic: Some("web".into()), ..LogGroup::default() }.encode_to_vec().into()
    }

    fn filter(query: &str) -> Filter {
        Filter::new(query, Timestamp::UNIX_EPOCH, &Settings::default()).unwrap()
    }

    fn left(query: &str) -> String {
        let left = filter(query).apply(&group(), &Cancel::default()).unwrap();
        let groups = left.groups.into_iter().map(|raw| LogGroup::decode(raw).unwrap());
        let logs: Vec<Log> = groups.flat_map(|group| group.logs).collect();
        let statuses: Vec<String> =
            logs.iter().map(|log| String::from_utf8_lossy(&log.contents[1].value).into_owned()).collect();
        assert_eq!((left.read, left.kept), (3, statuses.len()));
        statuses.join(" ")
    }

    #[test]
    fn any_field_can_be_searched_without_an_index() {
        assert_eq!(left("*"), "200 503 404");
        assert_eq!(left("get"), "200 404");
        assert_eq!(left("msg:post"), "503");
        assert_eq!(left("status >= 400 and not status:503"), "404");
        assert_eq!(left("__topic__:web and gone"), "404");
        assert_eq!(left("nobody"), "");
    }

    #[test]
    fn what_is_kept_of_a_group_is_whole() {
        let mut left = filter("post").apply(&group(), &Cancel::default()).unwrap();
        let group = LogGroup::decode(left.groups.remove(0)).unwrap();
        assert_eq!((group.topic.as_deref(), group.logs[0].time_ns), (Some("web"), Some(7)));
    }

    #[test]
    fn what_is_found_goes_through_a_pipeline() {
        assert_eq!(left("get | where cast(status as bigint) > 300"), "404");
        let query = "* | where status <> '404' | parse-regexp msg, '/(\\w+)' as page | project-away msg";
        let left = filter(query).apply(&group(), &Cancel::default()).unwrap();
        assert_eq!((left.read, left.kept, left.groups.len()), (3, 2, 1));
        let group = LogGroup::decode(left.groups[0].clone()).unwrap();
        let fields = |log: &Log| {
            let field =
                |content: &Content| format!("{}={}", content.key, String::from_utf8_lossy(&content.value));
            log.contents.iter().map(field).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(fields(&group.logs[0]), "status=200 page=index");
        assert_eq!((group.topic.as_deref(), group.logs[0].time_ns), (Some("web"), Some(7)));
    }

    #[test]
    fn a_filter_that_nobody_waits_for_stops() {
        let cancel = Cancel::default();
        cancel.cancel();
        for query in ["get", "* | limit 1"] {
            let outcome = filter(query).apply(&group(), &cancel);
            assert!(
                matches!(outcome, Err(FilterError::Refused(QueryError::Cancelled))),
                "{query}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_is_no_pipeline_is_refused() {
        for query in ["* | select msg", "* | with_pack_meta", "* | nonsense", "* | where (", "* | limit x"] {
            assert!(Filter::new(query, Timestamp::UNIX_EPOCH, &Settings::default()).is_err(), "{query}");
        }
        let failing =
            filter("* | where cast(msg as bigint) > 1").apply(&group(), &Cancel::default()).unwrap_err();
        assert!(failing.to_string().contains("Can not cast"), "{failing}");
    }
}
