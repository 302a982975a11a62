//! What is asked of an engine from beside it, by who does not own it.

use std::sync::Arc;

use super::books::Account;
use super::profile::Profile;
use super::status::Board;
use super::thread::{Command, Mailbox};

/// Asks a running engine; one that has ended does not answer.
#[derive(Clone)]
pub struct View {
    mailbox: Mailbox,
    board: Arc<Board>,
}

impl View {
    pub(super) fn new(mailbox: Mailbox, board: Arc<Board>) -> Self {
        Self { mailbox, board }
    }

    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Has an alarm raised for each file of which much is not read yet.
    pub fn look_for_delays(&self) {
        self.mailbox.send(Command::LookForDelays);
    }

    /// What happened to each file and on the way to each Logstore since the last call. May wait for ever: set a
    /// time limit.
    pub async fn profile(&self) -> Profile {
        let (done, profile) = tokio::sync::oneshot::channel();
        self.mailbox.send(Command::Profile(done));
        profile.await.unwrap_or_default()
    }

    /// What became of every byte so far, if the reader tells. May wait for ever: set a time limit.
    pub async fn account(&self) -> Option<Account> {
        let (done, account) = tokio::sync::oneshot::channel();
        self.mailbox.send(Command::Account(done));
        account.await.ok()
    }

    /// Of an engine that is not there.
    #[cfg(test)]
    pub(crate) fn detached() -> Self {
        let (mailbox, _) = Mailbox::new().expect("a pipe");
        Self { mailbox, board: Arc::default() }
    }
}
