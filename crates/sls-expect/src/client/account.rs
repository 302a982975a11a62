//! Asking for an account: the ledger goes out piece by piece, however long it is.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;

use super::{Call, CallError, Emulator};
use crate::account::{AccountAsked, AccountVerdict};
use crate::expectation::{STABLE_DEFAULT_MS, TIMEOUT_DEFAULT_MS};

/// The bytes of a ledger, as they are read.
pub type LedgerBody = UnsyncBoxBody<Bytes, std::io::Error>;

impl Emulator {
    /// Waits for the verdict on what a Logstore received. `sending` is how long the ledger may take on its way.
    ///
    /// # Errors
    /// [`CallError`]: it makes no sense, the ledger is none, or no emulator answers. That something is wrong with
    /// what was received is none.
    pub async fn account(
        &self,
        asked: &AccountAsked,
        ledger: LedgerBody,
        sending: Duration,
    ) -> Result<AccountVerdict, CallError> {
        let usage = |error: &dyn std::fmt::Display| CallError::Usage(error.to_string());
        asked.check().map_err(|error| usage(&error))?;
        let query = serde_urlencoded::to_string(asked).map_err(|error| usage(&error))?;
        let waiting = asked
            .within_ms
            .unwrap_or(TIMEOUT_DEFAULT_MS)
            .saturating_add(asked.stable_ms.unwrap_or(STABLE_DEFAULT_MS));
        let wait = Duration::from_millis(waiting).saturating_add(sending);
        let call = Call { query, wait, ..Call::new(Method::POST, "account") };
        let (status, answer) = self.answer_to(call, ledger).await?;
        match status {
            StatusCode::OK | StatusCode::EXPECTATION_FAILED => {
                serde_json::from_value(answer).map_err(|error| CallError::not_understood(status, error))
            }
            status => Err(CallError::refused(status, &answer)),
        }
    }
}
