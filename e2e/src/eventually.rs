//! Waiting for a condition that only looking again can tell, with the last look in the message.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// First pause between two looks; it doubles up to [`PAUSE_MAX`]. Source: own choice.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// What one look found.
pub enum Look<T> {
    /// The condition holds.
    Done(T),
    /// Not yet; the text says what is there instead.
    Waiting(String),
}

/// Looks until the condition holds or `limit` is over. An error of a look counts as "not yet",
/// since the thing asked may itself be starting.
///
/// # Errors
/// The time is over; the message names `what` and the last look.
pub async fn eventually<T, F>(what: impl Display, limit: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Look<T>>,
{
    let deadline = Instant::now() + limit;
    let mut pause = PAUSE_FIRST;
    loop {
        let last = match look().await {
            Ok(Look::Done(value)) => return Ok(value),
            Ok(Look::Waiting(seen)) => seen,
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() + pause > deadline {
            bail!("{what}: not within {limit:?}; last seen: {last}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_message_holds_the_last_look() {
        let mut looks = 0;
        let error = eventually("three apples", Duration::from_millis(50), async || {
            looks += 1;
            Ok(Look::<()>::Waiting(format!("{looks} apples")))
        })
        .await
        .expect_err("never");
        assert!(error.to_string().starts_with("three apples: not within 50ms; last seen: "), "{error}");
        assert!(error.to_string().ends_with(" apples"));
    }
}
