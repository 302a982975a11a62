//! Cuts a query into its search and what follows the pipe.

use super::{QueryError, spl};

/// A query before its halves are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'q> {
    /// The search; empty means every log.
    pub search: &'q str,
    /// What follows the pipe.
    pub tail: Tail<'q>,
}

/// The part of a query after the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail<'q> {
    /// Nothing: logs are wanted.
    None,
    /// `with_pack_meta`: logs with the fields that context search needs.
    PackMeta,
    /// `select …` or `with …`.
    Sql(&'q str),
    /// Commands of a pipeline: `where …`, or several with `|` between them.
    Pipeline(&'q str),
}

/// Session settings accepted before `select` and ignored. Source: `sls-query.md` §3.1.
const SESSION_SETTINGS: [&str; 4] =
    ["mode", "parallel_sql", "query_max_run_time", "velox_support_row_constructor_enabled"];

/// Splits `query` at the first `|` outside double quotes. Source: live notes in `sls-query.md` §2.
pub fn split(query: &str) -> Result<Statement<'_>, QueryError> {
    let Some(pipe) = first_pipe(query) else {
        return match looks_like_sql(query) {
            true => Err(QueryError::SqlWithoutSearch),
            false => Ok(Statement { search: query.trim(), tail: Tail::None }),
        };
    };
    let (search, rest) = query.split_at(pipe);
    Ok(Statement { search: search.trim(), tail: tail(rest[1..].trim())? })
}

/// The search of `query`, whatever follows, with the blanks around it.
pub fn search(query: &str) -> &str {
    first_pipe(query).map_or(query, |pipe| &query[..pipe])
}

fn first_pipe(query: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    query.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'|' => return !quoted,
            _ => {}
        }
        false
    })
}

fn tail(text: &str) -> Result<Tail<'_>, QueryError> {
    if text.eq_ignore_ascii_case("with_pack_meta") {
        return Ok(Tail::PackMeta);
    }
    let text = skip_session_settings(text.trim_end_matches([';', ' ', '\t', '\r', '\n']));
    let text = skip_comments(text);
    let first = first_word(text);
    if first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with") {
        return Ok(Tail::Sql(text));
    }
    let command = text.split_whitespace().next().unwrap_or_default();
    match spl::is_command(command) {
        true => Ok(Tail::Pipeline(text)),
        false => Err(QueryError::StrayPipe { near: command.to_owned() }),
    }
}

/// Drops leading comments, `-- …` and `/* … */`.
fn skip_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        let rest = match (text.strip_prefix("--"), text.strip_prefix("/*")) {
            (Some(line), _) => line.split_once('\n').map(|(_, rest)| rest),
            (_, Some(block)) => block.split_once("*/").map(|(_, rest)| rest),
            _ => return text,
        };
        match rest {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}

/// Drops leading `set session name=value;` statements with known names.
fn skip_session_settings(mut text: &str) -> &str {
    loop {
        let Some((setting, rest)) = text.split_once(';') else {
            return text;
        };
        let lower = setting.trim().to_ascii_lowercase();
        let known = lower
            .strip_prefix("set")
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix("session"))
            .and_then(|rest| rest.split_once('='))
            .is_some_and(|(name, _)| SESSION_SETTINGS.contains(&name.trim()));
        match known {
            true => text = rest.trim_start(),
            false => return text,
        }
    }
}

/// `select count(*) from log` with no search in front. Words alone (`select failed`) are a search.
fn looks_like_sql(query: &str) -> bool {
    let query = query.trim();
    let lower = query.to_ascii_lowercase();
    match first_word(&lower) {
        "select" => lower.contains('(') || lower.contains(" from "),
        "with" => lower.contains(" as (") && lower.contains("select "),
        _ => false,
    }
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_pipe_is_text() {
        let statement = split(r#""timeout|error" | SELECT 1 ;"#).unwrap();
        assert_eq!(statement.search, r#""timeout|error""#);
        assert_eq!(statement.tail, Tail::Sql("SELECT 1"));
    }

    #[test]
    fn pack_meta_and_session_settings_are_recognised() {
        assert_eq!(split("rid:k10|with_pack_meta").unwrap().tail, Tail::PackMeta);
        let with_settings =
            split("* | set session mode=scan; set session parallel_sql=true; select a").unwrap();
        assert_eq!(with_settings.tail, Tail::Sql("select a"));
        let with_comments = split("* | -- first\n /* second */ select a").unwrap();
        assert_eq!(with_comments.tail, Tail::Sql("select a"));
    }

    #[test]
    fn other_text_after_a_pipe_is_refused() {
        assert!(matches!(split("a|b"), Err(QueryError::StrayPipe { near }) if near == "b"));
        assert!(matches!(split("* | withal"), Err(QueryError::StrayPipe { .. })));
    }

    #[test]
    fn commands_of_a_pipeline_are_recognised() {
        let statement = split("a or b | where x = 'y|z' | project rid ;").unwrap();
        assert_eq!(statement.search, "a or b");
        assert_eq!(statement.tail, Tail::Pipeline("where x = 'y|z' | project rid"));
    }

    #[test]
    fn sql_needs_a_search_in_front() {
        assert_eq!(split("select count(*) from log"), Err(QueryError::SqlWithoutSearch));
        assert_eq!(split("with a as (select 1) select * from a"), Err(QueryError::SqlWithoutSearch));
        assert!(split("select failed").is_ok() && split("with as (me)").is_ok());
    }
}
