//! Asking for an account: the ledger goes out piece by piece, however long it is.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::combinators::UnsyncBoxBody;

use super::{Call, CallError, Emulator, decided};
use crate::account::{AccountAsked, AccountVerdict};

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
        let checked = asked.check().map_err(|error| usage(&error))?;
        let query = serde_urlencoded::to_string(asked).map_err(|error| usage(&error))?;
        let waiting = Duration::from_millis(checked.within_ms.saturating_add(checked.stable_ms));
        let call =
            Call { query, wait: waiting.saturating_add(sending), ..Call::new(Method::POST, "account") };
        let (status, answer) = self.answer_to(call, ledger).await?;
        decided(status, answer)
    }
}
