//! What may be the matter with a search that finds too little or too much, in sentences.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use sls_api::nearest::distance;

use super::{Counts, LOGS_MAX, Study, indexed};
use crate::error::ApiError;
use crate::query::expr::{Glyph, SearchExpr, Test, Text};
use crate::query::index::{IndexConfig, Indexed, KeyKind};
use crate::query::tokenizer::Tokenizer;
use crate::store::{agents, logstores, projects};

/// Logs in which a text without a match is looked for letter by letter (own choice: fast enough).
const SPELLING_LOGS_MAX: u64 = 50_000;
/// Longest value that a hint repeats, characters (own choice).
const SHOWN_CHARS_MAX: usize = 80;
/// Names among which one like a missing one is looked for (own choice: above any quota).
const NAMES_COMPARED_MAX: u32 = 1_000;
/// How long before a wait began a write may have failed to be told of, ms (own choice: a test writes
/// first and then waits).
const WRITES_BEFORE_MS: i64 = 60_000;
/// Names that a hint lists, and hints (own choice).
const NAMES_MAX: usize = 10;

impl Study<'_> {
    /// Hints where the search could be answered.
    pub(super) fn hints(
        &self,
        index: &IndexConfig,
        counts: &Counts,
        parts: &[SearchExpr],
        since: Option<i64>,
    ) -> Result<Vec<String>, ApiError> {
        let mut hints = Vec::new();
        if counts.cut {
            hints.push(format!(
                "only the first {} logs were looked at for this explanation",
                counts.logs.min(LOGS_MAX)
            ));
        }
        if counts.logs == 0 {
            hints.push("no log at all has come to this Logstore".to_owned() + self.since_scope());
        }
        if counts.before_index > 0 {
            hints.push(format!(
                "{} before the index existed or was changed: an index covers only logs that come later",
                count(counts.before_index, "matching log was written", "matching logs were written")
            ));
        }
        if counts.outside_window > 0 {
            hints.push(format!(
                "{} outside of the time window {} to {}",
                count(counts.outside_window, "log matches", "logs match"),
                self.selector.window.from(),
                self.selector.window.end()
            ));
        }
        for (part, _) in parts.iter().zip(&counts.terms).filter(|(_, hits)| **hits == 0) {
            hints.extend(self.spelling(index, part)?);
        }
        self.hints_of_all(since, &mut hints)?;
        Ok(hints)
    }

    /// Hints where it could not.
    pub(super) fn hints_of_problem(
        &self,
        problem: &ApiError,
        since: Option<i64>,
    ) -> Result<Vec<String>, ApiError> {
        let selector = self.selector;
        let mut hints = Vec::new();
        match problem {
            ApiError::ProjectNotExist(_) => {
                let names = projects::names(self.snapshot.db, NAMES_COMPARED_MAX)?;
                hints.push(listed("projects that there are", &names, selector.project.as_str()));
            }
            ApiError::LogStoreNotExist(_) => {
                let project = projects::named(self.snapshot.db, &selector.project)?;
                let names = logstores::list(self.snapshot.db, project)?;
                let names: Vec<String> =
                    names.into_iter().map(|logstore| logstore.logstore_name.to_string()).collect();
                hints.push(listed("Logstores of the project", &names, selector.logstore.as_str()));
            }
            ApiError::QueryWithoutIndex => {
                hints.push(
                    "the Logstore has no index, so nothing in it can be searched: create one, then write the logs"
                        .to_owned(),
                );
            }
            _ => {
                if let Some(index) = self.index()? {
                    hints.push(indexed(&index));
                }
            }
        }
        self.hints_of_all(since, &mut hints)?;
        Ok(hints)
    }

    /// What may be the matter whatever is searched: writes that failed, collectors that cannot.
    fn hints_of_all(&self, since: Option<i64>, hints: &mut Vec<String>) -> Result<(), ApiError> {
        hints.extend(self.failed_writes(since));
        for agent in agents::list(self.snapshot.db)? {
            for config in agent.configs.iter().filter(|config| config.status == "failed") {
                hints.push(format!(
                    "collector {} ({}) cannot apply config {}: {}",
                    agent.hostname, agent.ip, config.name, config.message
                ));
            }
        }
        hints.truncate(NAMES_MAX);
        Ok(())
    }

    /// Writes to the Logstore that were refused or got no answer, by what they were answered.
    fn failed_writes(&self, since: Option<i64>) -> Vec<String> {
        let since =
            since.and_then(|ms| Timestamp::from_millisecond(ms.saturating_sub(WRITES_BEFORE_MS)).ok());
        let (project, logstore) = (self.selector.project.as_str(), self.selector.logstore.as_str());
        let failed =
            self.snapshot.app.journal.write_errors(project, logstore, since.unwrap_or(Timestamp::MIN));
        let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
        for entry in failed {
            let kind = match (entry.lost, entry.status) {
                (false, Some(status)) => {
                    let code = entry.error_code.unwrap_or_default();
                    format!("was answered with {status} {code}: {}", entry.error_message.unwrap_or_default())
                }
                (_, Some(200)) => "was stored, but its answer was lost".to_owned(),
                _ => "got no answer".to_owned(),
            };
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
            .into_iter()
            .map(|(kind, writes)| match writes {
                1 => format!("a write to this Logstore {kind}"),
                writes => format!("{writes} times a write to this Logstore {kind}"),
            })
            .collect()
    }

    fn since_scope(&self) -> &'static str {
        if self.selector.scope.is_some() { " since the scope was made" } else { "" }
    }

    fn index(&self) -> Result<Option<IndexConfig>, ApiError> {
        let (target, _) = self.target()?;
        Ok(super::indexes_of(self.snapshot.db, target.id)?.map(|indexes| indexes.current))
    }

    /// Why a text is not found although it stands in logs, if it does.
    fn spelling(&self, index: &IndexConfig, part: &SearchExpr) -> Result<Option<String>, ApiError> {
        let Some((field, text)) = text_of(part) else { return Ok(None) };
        let tokenizer = match field {
            Some(field) => match index.resolve(field) {
                Some(Indexed::Field(key)) => match &key.kind {
                    KeyKind::Text(tokenizer) => tokenizer.clone(),
                    _ => return Ok(None),
                },
                _ => return Ok(None),
            },
            None => match &index.line {
                Some(line) => line.tokenizer.clone(),
                None => {
                    return Ok(Some(format!(
                        "{text:?} is searched in all fields, but the Logstore has no full-text index; {}",
                        indexed(index)
                    )));
                }
            },
        };
        let (target, project) = self.target()?;
        let mut hint = None;
        let mut logs = 0;
        self.each((target, project), &self.selector.begin(target.id), &mut |_, log| {
            logs += 1;
            let wanted = |name: &[u8]| field.is_none_or(|field| field.as_bytes() == name);
            let values = log.contents.iter().filter(|(name, _)| wanted(name));
            hint = values.into_iter().find_map(|(name, value)| standing(&text, name, value, &tokenizer));
            match hint.is_some() || logs >= SPELLING_LOGS_MAX || self.is_over(logs) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(hint)
    }
}

/// The text that a part searches, and in which field, if it searches one without wildcards.
fn text_of(part: &SearchExpr) -> Option<(Option<&str>, String)> {
    let (field, text) = match part {
        SearchExpr::FullText(text) => (None, text),
        SearchExpr::Field(key, Test::Text(text)) => (Some(key.as_str()), text),
        _ => return None,
    };
    let text = match text {
        Text::Quoted(text) | Text::Phrase(text) => text.clone(),
        Text::Bare(glyphs) => {
            let char = |glyph: &Glyph| match glyph {
                Glyph::Char(c) => Some(*c),
                _ => None,
            };
            glyphs.iter().map(char).collect::<Option<String>>()?
        }
    };
    (!text.is_empty()).then_some((field, text))
}

/// How the text stands in a value where the search does not find it.
fn standing(text: &str, name: &[u8], value: &[u8], tokenizer: &Tokenizer) -> Option<String> {
    let (name, value) = (std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?);
    let shown: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    let Some(at) = value.find(text) else {
        let other_case = tokenizer.case_sensitive() && value.to_lowercase().contains(&text.to_lowercase());
        return other_case.then(|| {
            format!(
                "{text:?} stands in {name} in other letters, and the index tells capitals apart: {shown:?}"
            )
        });
    };
    let end = at + text.len();
    let beside = match (
        tokenizer.boundary_before(value.as_bytes(), at),
        tokenizer.boundary_after(value.as_bytes(), end),
    ) {
        (false, _) => value[..at].chars().next_back()?,
        (_, false) => value[end..].chars().next()?,
        (true, true) => return None,
    };
    Some(format!(
        "{text:?} stands in {name}, but {beside:?} beside it is no delimiter of the index, so that it is no word of \
         its own: {shown:?}"
    ))
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The names that there are; the one that is most like the missing one comes first.
fn listed(what: &str, names: &[String], missing: &str) -> String {
    if names.is_empty() {
        return format!("{what}: none");
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_by_key(|name| (distance(name, missing), (*name).clone()));
    let shown: Vec<&str> = sorted.iter().take(NAMES_MAX).map(|name| name.as_str()).collect();
    let more = if names.len() > NAMES_MAX { ", …" } else { "" };
    format!("{what}: {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(case_sensitive: bool) -> Tokenizer {
        Tokenizer::new(" ,".chars(), case_sensitive, false)
    }

    #[test]
    fn a_text_that_is_no_word_is_told_by_what_stands_beside_it() {
        let hint = |text, case| standing(text, b"msg", b"get run-12 Error", &tokenizer(case));
        assert!(hint("12", false).unwrap().contains("'-' beside it is no delimiter"));
        assert!(hint("run", false).unwrap().contains("'-' beside it is no delimiter"));
        assert_eq!(hint("get", false), None);
        assert!(hint("error", true).unwrap().contains("tells capitals apart"));
        assert_eq!(hint("nothing", true), None);
    }

    #[test]
    fn the_most_alike_name_comes_first() {
        let names = ["orders", "excess", "access"].map(str::to_owned);
        assert_eq!(listed("Logstores", &names, "acess"), "Logstores: access, excess, orders");
        assert_eq!(listed("Logstores", &[], "acess"), "Logstores: none");
    }
}
