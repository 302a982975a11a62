//! Deletes what has expired and gives its space back, in the background. Nothing waits for it: readers leave
//! expired logs out by themselves. Started with the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::ApiError;
use crate::store::expiry;

/// Time between two rounds (own choice; short against the day that logs live at least).
const ROUND: Duration = Duration::from_secs(60);
/// Rounds between two looks for space that can be given back: longer than the longest read, which is a part of an
/// account against a ledger, a minute.
const ROUNDS_PER_LOOK: u32 = 5;

/// Cleans at once and then every [`ROUND`], until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut until_look = 0;
    while stop.run_until_cancelled(rounds.tick()).await.is_some() {
        if let Err(error) = round(&app, &stop).await {
            tracing::error!(%error, "cannot delete expired logs; trying again in a minute");
        }
        if until_look == 0 {
            until_look = ROUNDS_PER_LOOK;
            if let Err(error) = app.store.reclaim().await {
                tracing::error!(%error, "cannot give space back; trying again in some minutes");
            }
        }
        until_look -= 1;
    }
}

/// Step after step, so that writers get their turn in between.
async fn round(app: &App, stop: &CancellationToken) -> Result<(), ApiError> {
    let now = app.clock.now();
    while !stop.is_cancelled() && app.store.write(move |tx| expiry::step(tx, now)).await? {}
    Ok(())
}
