//! The query of a PullLogs: which logs of a group are sent.
//!
//! Nothing is indexed here, so every field can be searched, by the delimiters that an index has
//! by default; a field that is compared is a number. Pipeline commands (`* | where …`) are
//! refused by name. Source of searching without an index: guess.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use prost::Message;
use sls_api::log_group::LogGroup;

use super::{
    QueryError,
    expr::{SearchExpr, Test},
    index::{DEFAULT_MAX_TEXT_LEN, IndexConfig, KeyIndex, KeyKind, LineIndex},
    log_view::{DamagedGroup, GroupView},
    matcher::{Matcher, Options},
    parse,
    statement::{self, Tail},
    tokenizer::{DEFAULT_DELIMITERS, Tokenizer},
};

/// A query made ready.
#[derive(Debug)]
pub struct Filter(Matcher);

/// What is left of a group.
#[derive(Debug, PartialEq)]
pub struct Left {
    /// Logs that it had.
    pub read: usize,
    /// Logs that were found.
    pub kept: usize,
    /// The group with these alone; none without any.
    pub group: Option<Bytes>,
}

impl Filter {
    /// Parses a query.
    ///
    /// # Errors
    /// It is not a search, or has something behind a pipe.
    pub fn new(query: &str) -> Result<Self, QueryError> {
        let statement = statement::split(query)?;
        match statement.tail {
            Tail::None => {}
            Tail::PackMeta => return Err(QueryError::PipelineUnsupported { command: query.to_owned() }),
            Tail::Sql(_) => return Err(QueryError::PipelineUnsupported { command: "select".to_owned() }),
        }
        let expr = parse::parse(statement.search)?;
        Matcher::new(&expr, &everything(&expr), Options::default()).map(Self)
    }

    /// Keeps the logs of an encoded group that are found.
    ///
    /// # Errors
    /// The bytes are not a group.
    pub fn apply(&self, encoded: &Bytes) -> Result<Left, DamagedGroup> {
        let group = GroupView::parse(encoded)?;
        let read = group.logs().len();
        let mut found = vec![false; read];
        let _: ControlFlow<()> = group.for_each(
            |_, _| true,
            |index, log| {
                if let Some(found) = found.get_mut(index) {
                    *found = self.0.matches(log);
                }
                ControlFlow::Continue(())
            },
        )?;
        let kept = found.iter().filter(|found| **found).count();
        let group = match kept {
            0 => None,
            all if all == read => Some(encoded.clone()),
            _ => Some(only(encoded, &found)?),
        };
        Ok(Left { read, kept, group })
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

    fn left(query: &str) -> String {
        let left = Filter::new(query).unwrap().apply(&group()).unwrap();
        let group = left.group.map(|raw| LogGroup::decode(raw).unwrap()).unwrap_or_default();
        let statuses: Vec<String> = group
            .logs
            .iter()
            .map(|log| String::from_utf8_lossy(&log.contents[1].value).into_owned())
            .collect();
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
        let raw = Filter::new("post").unwrap().apply(&group()).unwrap().group.unwrap();
        let group = LogGroup::decode(raw).unwrap();
        assert_eq!((group.topic.as_deref(), group.logs[0].time_ns), (Some("web"), Some(7)));
    }

    #[test]
    fn pipeline_commands_are_refused_by_name() {
        for query in ["* | where status = '200'", "* | select msg", "* | with_pack_meta"] {
            let error = Filter::new(query).unwrap_err();
            assert!(matches!(error, QueryError::PipelineUnsupported { .. }), "{query}: {error}");
        }
    }
}
