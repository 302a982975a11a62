//! Queries that are refused: what is wrong, and where in the query.

use std::ops::Range;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde_json::{Value, json};
use sls_api::Json;
use sls_api::NoQuery;
use sls_api::ops::logs::{GetLogs, GetLogsRequest};

use super::shown::shown;
use super::view::View;
use crate::console::Console;
use crate::console::place::InLogstore;
use crate::console::problem::Problem;
use crate::console::visit::Visit;
use crate::error::ApiError;

/// HTML of the query around a mark, bytes.
const AROUND_BYTES_MAX: usize = 1_000;

/// The routes of this file.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/projects/{project}/logstores/{logstore}/check", get(check))
}

/// A query that is refused.
pub(super) struct Refused {
    code: &'static str,
    message: String,
    mark: Option<Range<usize>>,
}

impl Refused {
    /// Why the query is refused; other errors are none of the query's.
    pub fn of(error: ApiError, query: &str) -> Result<Self, ApiError> {
        let code = error.wire().1;
        match error {
            ApiError::Query(refused) => {
                Ok(Self { code, message: refused.to_string(), mark: refused.mark(query) })
            }
            ApiError::InvalidTimeRange { .. } => Ok(Self { code, message: error.to_string(), mark: None }),
            other => Err(other),
        }
    }

    /// The message, and the query with what is wrong in it.
    pub fn shown(&self, visit: &Visit, query: &str) -> Markup {
        let part = |from: usize, to: usize| {
            query.chars().skip(from).take(to.saturating_sub(from)).collect::<String>()
        };
        html! {
            div.notice.bad #query-error role="alert"
                data-from=[self.mark.as_ref().map(|mark| mark.start)] data-to=[self.mark.as_ref().map(|mark| mark.end)] {
                strong { (visit.t("The query is refused", "查询语句有误")) " · " (self.code) }
                p { bdi { (self.message) } }
                @if let Some(mark) = &self.mark {
                    pre.marked {
                        (shown(&part(mark.start.saturating_sub(AROUND_BYTES_MAX / 2), mark.start), AROUND_BYTES_MAX).html)
                        mark { @if mark.is_empty() { "▲" } @else { (shown(&part(mark.start, mark.end), AROUND_BYTES_MAX).html) } }
                        (shown(&part(mark.end, usize::MAX), AROUND_BYTES_MAX / 2).html)
                    }
                }
            }
        }
    }

    fn json(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "from": self.mark.as_ref().map(|mark| mark.start),
            "to": self.mark.as_ref().map(|mark| mark.end),
        })
    }
}

/// Why a query would not be answered, if so: it is asked of a second in which nothing is.
pub(super) async fn refusal(
    console: &Console,
    at: &InLogstore,
    query: &str,
) -> Result<Option<Refused>, ApiError> {
    let request = GetLogsRequest {
        from: 0,
        to: 1,
        query: query.to_owned(),
        line: Some(0),
        ..GetLogsRequest::default()
    };
    let asked = console.ask_in::<GetLogs>(&at.project, at.named(), NoQuery {}, Json(request)).await;
    match asked {
        Ok(_) | Err(ApiError::QueryWithoutIndex) => Ok(None),
        Err(error) => Refused::of(error, query).map(Some),
    }
}

/// What is wrong with a query, for the box it is written in. The places are characters (not bytes, not UTF-16 units)
/// from 0.
async fn check(State(console): State<Arc<Console>>, at: InLogstore, view: View) -> Result<Response, Problem> {
    let refused = refusal(&console, &at, &view.query).await?;
    Ok(axum::Json(json!({ "error": refused.as_ref().map(Refused::json) })).into_response())
}
