//! The end: why it comes, delivering what is left, and the exit code. Called by `service`.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use super::account;
use super::data::{Data, Drained};
use super::vitals::Vitals;
use super::{INTERRUPTED, NOT_DELIVERED};
use crate::diagnostics::Diagnostics;
use crate::layout::{BEAT_INTERVAL, Phase};

/// What the drain may overrun its deadline before it is given up. Source: own choice; together with
/// the default grace it stays below the kubelet's 30 s.
pub const DRAIN_SLACK: Duration = Duration::from_secs(2);

/// Longest time for the last diagnostic logs, after everything else. Source: own choice; the vendor's agent takes none.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// "No deadline", as a time from now.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why the collector ends, and who ends beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// SIGTERM, SIGINT: the pod. The other containers got the signal too and write their last lines.
    Pod,
    /// SIGUSR1, from `restart`: only this process.
    HandOver,
    /// The application says that it has written everything.
    Tombstone,
    /// The application seems to have done its work.
    Idle,
}

impl Ending {
    /// As the account names it.
    fn name(self) -> &'static str {
        match self {
            Self::Pod => "signal",
            Self::HandOver => "restart",
            Self::Tombstone => "tombstone",
            Self::Idle => "idle",
        }
    }

    /// Delivers what is left. Where nobody ends the pod there is no haste: until all is delivered.
    async fn drain(self, data: &Data, grace: Duration) -> Drained {
        let limit = grace.as_secs_f32();
        let deadline = Instant::now() + grace;
        match self {
            Self::Pod => {
                info!("stopping: reading until nobody writes any more and all is sent, at most {limit} s");
                data.drain(deadline).await
            }
            Self::HandOver => {
                info!("stopping for a successor: sending what is there, at most {limit} s");
                data.hand_over(deadline).await
            }
            Self::Tombstone => {
                info!(
                    "the application has ended (tombstone): sending the rest; writers are waited for {limit} s"
                );
                data.finish(deadline, Instant::now() + FAR).await
            }
            Self::Idle => {
                info!("the application has done its work: nobody writes and nothing new has come; ending");
                data.drain(Instant::now() + FAR).await
            }
        }
    }

    fn has_deadline(self) -> bool {
        matches!(self, Self::Pod | Self::HandOver)
    }
}

/// Delivers what is left, gives the account, and then tells the last of `diagnostics`, as long as there is time; the value is
/// the exit code.
pub async fn end(
    data: &Data,
    diagnostics: Option<Diagnostics>,
    ending: Ending,
    grace: Duration,
    vitals: &mut Vitals,
    stop: &mut StopSignals,
    termination_log: Option<&Path>,
) -> u8 {
    vitals.enter(Phase::Draining);
    let mut why = ending;
    loop {
        let begun = Instant::now();
        let limit = if why.has_deadline() { grace + DRAIN_SLACK } else { FAR };
        let drain = tokio::time::timeout(limit, why.drain(data, grace));
        match wait(drain, vitals, stop).await {
            Waited::Ended(Ok(drained)) => {
                account::give(ending.name(), &drained, termination_log);
                let left =
                    if why.has_deadline() { grace.saturating_sub(begun.elapsed()) } else { LAST_WORDS_MAX };
                if let Some(diagnostics) = diagnostics.filter(|_| !left.is_zero()) {
                    // A second signal ends them.
                    wait(diagnostics.finish(left.min(LAST_WORDS_MAX)), vitals, stop).await;
                }
                return if drained.is_delivered() { 0 } else { NOT_DELIVERED };
            }
            Waited::Ended(Err(_)) => {
                error!("the drain did not end in time; what is left is not known");
                return NOT_DELIVERED;
            }
            Waited::Signal(signal) if !why.has_deadline() => {
                info!("a signal while the rest is sent: now there is a deadline");
                why = signal;
            }
            Waited::Signal(_) => {
                error!("stopped by a second signal before everything was delivered");
                return INTERRUPTED;
            }
        }
    }
}

enum Waited<T> {
    Ended(T),
    Signal(Ending),
}

async fn wait<T>(future: impl Future<Output = T>, vitals: &mut Vitals, stop: &mut StopSignals) -> Waited<T> {
    let mut future = std::pin::pin!(future);
    let mut beat = tokio::time::interval(BEAT_INTERVAL);
    loop {
        tokio::select! {
            ended = &mut future => return Waited::Ended(ended),
            signal = stop.next() => return Waited::Signal(signal),
            _ = beat.tick() => vitals.beat(),
        }
    }
}

/// The signals that end the collector.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    hand_over: Signal,
}

impl StopSignals {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hand_over: signal(SignalKind::user_defined1())?,
        })
    }

    pub async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.terminate.recv() => Ending::Pod,
            _ = self.interrupt.recv() => Ending::Pod,
            _ = self.hand_over.recv() => Ending::HandOver,
        }
    }
}
