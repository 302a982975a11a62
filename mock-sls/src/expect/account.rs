//! `POST /_mock/v1/account`: holds what a Logstore received against a ledger of what was written, which is the
//! body of the request. What is counted and how it is judged is `sls_expect::account`'s, pure; here the ledger
//! comes in, the logs are read in the order in which they came, and it is waited until nothing is missing.

mod tally;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::StatusCode;
use serde::Serialize;
use sls_expect::Count;
use sls_expect::account::{AccountAsked, AccountVerdict, BadAccount, BadOptions, CheckedAccount};
use sls_expect::ledger::{Ledger, LedgerError, LedgerParser};
use sls_expect::watch::Decision;

use self::tally::Tally;
use super::selector::Selector;
use super::waiting::Waiting;
use super::{Refusal, Selection, selector};
use crate::app::App;
use crate::error::ApiError;

/// Accounts at a time (own choice: each may take a GiB, with the ledger of most logs).
const ACCOUNTS_MAX: usize = 4;
/// How long the next piece of a ledger may take (own choice, as for other bodies).
const PIECE_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a whole ledger may take: it has a place that others wait for (own choice: the largest at 5 MB/s).
const LEDGER_TIME_MAX: Duration = Duration::from_secs(600);
/// Bytes of a ledger that are read after it was refused (own choice: a ledger of a million lines).
const UNREAD_BYTES_MAX: usize = 256 << 20;

/// Why an account is refused.
#[derive(Debug, thiserror::Error)]
pub enum BadRequest {
    /// What is asked.
    #[error(transparent)]
    Asked(#[from] BadAccount),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The two together.
    #[error(transparent)]
    Options(#[from] BadOptions),
    /// The body ends before its end.
    #[error("the ledger did not come to its end: {0}")]
    Body(String),
    /// Rows cannot be accounted for.
    #[error(
        "query: logs are accounted for as they came, so there can be no pipeline and no SQL behind the search"
    )]
    Rows,
    /// Too many at once.
    #[error("{ACCOUNTS_MAX} accounts are made already, each with its ledger in memory: let one end first")]
    Busy,
}

impl BadRequest {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// A verdict with its text.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    verdict: AccountVerdict,
    text: String,
}

/// Answers when nothing is missing and nothing more comes, or the time is over: 200 if everything holds that is
/// demanded, 417 if not.
pub(super) async fn account(
    State(app): State<Arc<App>>,
    asked: Result<Query<AccountAsked>, QueryRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Query(asked) = asked?;
    let asked = Prepared::new(&app, asked)?;
    let ledger = tokio::time::timeout(LEDGER_TIME_MAX, read_ledger(body)).await;
    let late = || BadRequest::Body(format!("it is not here after {} s", LEDGER_TIME_MAX.as_secs()));
    let verdict = asked.verdict(ledger.map_err(|_| late())??).await?;
    let status = if verdict.ok { StatusCode::OK } else { StatusCode::EXPECTATION_FAILED };
    Ok((status, Json(Told { text: verdict.text(), verdict })).into_response())
}

/// The same for a ledger that is here as a whole.
///
/// # Errors
/// [`Refusal`] says what cannot be.
pub(crate) async fn account_of(
    app: &Arc<App>,
    asked: AccountAsked,
    ledger: &[u8],
) -> Result<AccountVerdict, Refusal> {
    let asked = Prepared::new(app, asked)?;
    let ledger = LedgerParser::parse(ledger).map_err(BadRequest::from)?;
    asked.verdict(ledger).await
}

/// What is asked, checked, with its place among the accounts that are made.
struct Prepared {
    app: Arc<App>,
    checked: CheckedAccount,
    selector: Arc<Selector>,
    searches: bool,
    _account: Account,
}

impl Prepared {
    fn new(app: &Arc<App>, asked: AccountAsked) -> Result<Self, Refusal> {
        let checked = asked.check().map_err(BadRequest::from)?;
        let selection = Selection {
            project: asked.project,
            logstore: asked.logstore,
            query: asked.query,
            scope: asked.scope,
            from: None,
            to: None,
        };
        let selector = selector(app, &selection)?;
        if selector.has_rows {
            return Err(BadRequest::Rows.into());
        }
        let searches = selection.query.is_some();
        let (app, selector) = (Arc::clone(app), Arc::new(selector));
        Ok(Self { checked, selector, searches, _account: Account::new(&app)?, app })
    }

    async fn verdict(self, ledger: Ledger) -> Result<AccountVerdict, Refusal> {
        let Self { app, checked, selector, searches, _account } = self;
        let tally =
            Tally::new(Arc::new(ledger), checked.options.clone(), searches).map_err(BadRequest::from)?;
        Ok(Run { app, selector, checked }.verdict(tally).await?)
    }
}

/// The ledger as it comes, without keeping its text. The rest of one that is refused is read too, within limits:
/// clients that are still sending do not look for an answer.
async fn read_ledger(body: Body) -> Result<Ledger, BadRequest> {
    let mut parser = LedgerParser::default();
    let mut refused = None;
    let mut unread = 0;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = match tokio::time::timeout(PIECE_TIME_MAX, pieces.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(BadRequest::Body(error.to_string())),
            Err(_) => {
                return Err(BadRequest::Body(format!("nothing came for {} s", PIECE_TIME_MAX.as_secs())));
            }
        };
        if refused.is_none() {
            refused = parser.push(&piece).err();
        } else {
            unread += piece.len();
        }
        if unread > UNREAD_BYTES_MAX {
            break;
        }
    }
    match refused {
        None => Ok(parser.finish()?),
        Some(error) => Err(error.into()),
    }
}

/// An account that is being made.
struct Account(Arc<App>);

impl Account {
    fn new(app: &Arc<App>) -> Result<Self, BadRequest> {
        let before = app.expectations.accounts.fetch_add(1, Ordering::Relaxed);
        let account = Self(Arc::clone(app));
        if before >= ACCOUNTS_MAX { Err(BadRequest::Busy) } else { Ok(account) }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.0.expectations.accounts.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An account on its way to its verdict.
struct Run {
    app: Arc<App>,
    selector: Arc<Selector>,
    checked: CheckedAccount,
}

impl Run {
    /// Looks, and looks again when something has happened, until nothing is missing and nothing more comes.
    async fn verdict(self, mut tally: Tally) -> Result<AccountVerdict, ApiError> {
        // Not more than nothing while a log is missing, then more with each log that comes.
        let count = Count::Between { n: 1, max: u64::MAX };
        let CheckedAccount { within_ms, stable_ms, .. } = self.checked;
        let mut waiting = Waiting::new(&self.app, &self.selector, count, within_ms, stable_ms);
        loop {
            let selector = Arc::clone(&self.selector);
            tally = waiting.look(move |snapshot| tally.look(snapshot, &selector)).await?;
            let seen = if tally.is_complete() { tally.received().saturating_add(1) } else { 0 };
            match waiting.saw(seen) {
                Decision::Holds | Decision::TooFew | Decision::TooMany => break,
                decision => waiting.again(decision).await?,
            }
        }
        let mut name = format!("{}/{}", self.selector.project, self.selector.logstore);
        if tally.searches() {
            name = format!("{name}: {}", self.selector.query);
        }
        let elapsed_ms = waiting.elapsed_ms();
        let (accounting, problem) = tally.finish();
        Ok(AccountVerdict::new(name, &self.checked.demands, accounting, problem, elapsed_ms))
    }
}
