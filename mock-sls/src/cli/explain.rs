//! `mock-sls explain`, `tail` and `scope`: what a query finds and why, logs as they come, and where a test
//! begins.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use http::Method;
use sls_expect::verdict::Explained;

use super::Output;
use super::call::{self, Call, Server};
use super::expect::{Selection, asked_wrongly, line};

#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    selection: Selection,

    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

/// Asks and prints.
///
/// # Errors
/// [`call::CallError`], and if nothing can be printed.
pub fn explain(explain: &Explain) -> anyhow::Result<ExitCode> {
    let query = explain.selection.url_query()?;
    let asking = async { Ok(explain.selection.server.endpoint.explain(query).await?) };
    let explained = call::run(asking).map_err(asked_wrongly)?;
    let printed = match explain.output {
        Output::Json => serde_json::to_string(&explained)? + "\n",
        Output::Text => text(&explained)?,
    };
    call::print(&printed)?;
    Ok(ExitCode::SUCCESS)
}

fn text(explained: &Explained) -> anyhow::Result<String> {
    let mut out = String::new();
    writeln!(out, "search   {}", explained.search)?;
    match &explained.problem {
        Some(problem) => writeln!(out, "problem  {problem}")?,
        None => writeln!(out, "finds    {} of {} logs", explained.found, explained.logs)?,
    }
    for term in &explained.terms {
        writeln!(out, "{:>12}  {}", term.hits, term.term)?;
    }
    for (number, near) in (1..).zip(&explained.nearest) {
        write!(out, "nearly found {number}: {}", line(&near.log)?)?;
        for miss in &near.misses {
            let found = miss.found.as_ref().map_or(String::new(), |found| format!(" (it is {found:?})"));
            writeln!(out, "    does not hold: {}{found}", miss.term)?;
        }
    }
    for hint in &explained.hints {
        writeln!(out, "hint: {hint}")?;
    }
    Ok(out)
}

#[derive(Debug, Args)]
pub struct Tail {
    #[command(flatten)]
    selection: Selection,

    /// Also logs that are there already.
    #[arg(long)]
    all: bool,
}

/// Prints until the output is closed or the emulator ends.
///
/// # Errors
/// [`call::CallError`], and if nothing can be printed.
pub fn tail(tail: &Tail) -> anyhow::Result<ExitCode> {
    let mut query = tail.selection.url_query()?;
    if tail.all {
        query += "&all=true";
    }
    let call = Call { query, ..Call::new(Method::GET, "tail") };
    let mut failed = Ok(true);
    let showing = async {
        let shown = tail.selection.server.endpoint.stream(call, |bytes| {
            failed = call::print(bytes);
            matches!(failed, Ok(true))
        });
        Ok(shown.await?)
    };
    call::run(showing).map_err(asked_wrongly)?;
    failed?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
pub struct Scope {
    /// Its name; one that nothing else has if not given.
    name: Option<String>,

    #[command(flatten)]
    server: Server,
}

/// Makes a scope and prints its name.
///
/// # Errors
/// [`call::CallError`], and if nothing can be printed.
pub fn scope(scope: &Scope) -> anyhow::Result<ExitCode> {
    let naming = async { Ok(scope.server.endpoint.scope_named(scope.name.as_deref()).await?) };
    let name = call::run(naming).map_err(asked_wrongly)?;
    call::print(format!("{name}\n"))?;
    Ok(ExitCode::SUCCESS)
}
