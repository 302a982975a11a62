//! The one thread that writes: it takes whatever jobs are queued, runs them in one transaction
//! and answers all of them after the commit (group commit). Used by [`super::Store::write`].

use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::error::ApiError;

/// Jobs waiting for the writer before callers have to wait for a place (own choice).
const JOBS_QUEUED_MAX: usize = 1_024;
/// Jobs in one transaction (own choice; bounds how long the first one waits for its answer).
const JOBS_PER_COMMIT_MAX: usize = 256;
/// How long a caller waits for a place in the queue before it is told `ServerBusy`.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Told to a job once the transaction it ran in is over: `true` when committed.
type Answer = Box<dyn FnOnce(bool)>;
/// Work for the writer thread.
type Job = Box<dyn FnOnce(&Transaction<'_>) -> Answer + Send>;

/// Handle of the writer thread; the thread ends when this is dropped.
pub struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns `db` from now on.
    pub fn start(db: Connection) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel(JOBS_QUEUED_MAX);
        let thread =
            std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || write(db, queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues `f` and waits for the commit of the transaction that it ran in.
    pub async fn run<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let result = in_savepoint(tx, f);
            Box::new(move |committed| {
                let result = if committed { result } else { result.and(Err(not_committed())) };
                // The caller may have gone away; then nobody wants to know.
                let _ = answer.send(result);
            })
        });
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        match jobs.send_timeout(job, QUEUE_WAIT_MAX).await {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err(not_committed())),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(ApiError::ServerBusy),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(stopped()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

fn stopped() -> ApiError {
    ApiError::Internal("the database writer has stopped".to_owned())
}

fn not_committed() -> ApiError {
    ApiError::Internal("the database transaction was not committed; nothing was changed".to_owned())
}

/// The thread: one transaction per turn, holding every job that was queued when it began.
fn write(mut db: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(first) = queue.blocking_recv() {
        if let Err(error) = turn(&mut db, first, &mut queue) {
            tracing::error!(%error, "database write failed");
        }
    }
}

fn turn(db: &mut Connection, first: Job, queue: &mut mpsc::Receiver<Job>) -> rusqlite::Result<()> {
    // A job dropped here or below without its answer being called answers its caller too:
    // the other end of its channel sees that nobody will.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = vec![first(&tx)];
    while answers.len() < JOBS_PER_COMMIT_MAX
        && let Ok(job) = queue.try_recv()
    {
        answers.push(job(&tx));
    }
    let outcome = tx.commit();
    for answer in answers {
        answer(outcome.is_ok());
    }
    outcome
}

/// Runs `f` so that its changes vanish, and only its, when it returns an error.
fn in_savepoint<T, F>(tx: &Transaction<'_>, f: F) -> Result<T, ApiError>
where
    F: FnOnce(&Transaction<'_>) -> Result<T, ApiError>,
{
    tx.prepare_cached("SAVEPOINT job")?.execute(())?;
    let result = f(tx);
    if result.is_err() {
        tx.prepare_cached("ROLLBACK TO job")?.execute(())?;
    }
    tx.prepare_cached("RELEASE job")?.execute(())?;
    result
}
