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
enum Job {
    /// Runs in a transaction, together with others.
    InTransaction(Box<dyn FnOnce(&Transaction<'_>) -> Answer + Send>),
    /// Runs between transactions and sees to its own.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
}

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
        let job = Job::InTransaction(Box::new(move |tx| {
            let result = in_savepoint(tx, f);
            Box::new(move |committed| {
                let result = if committed { result } else { result.and(Err(not_committed())) };
                // The caller may have gone away; then nobody wants to know.
                let _ = answer.send(result);
            })
        }));
        self.queue(job).await?;
        outcome.await.unwrap_or_else(|_| Err(not_committed()))
    }

    /// Queues `f`, which gets the connection while no transaction is open: for what SQLite does
    /// not do inside one. Every write queued before it is committed by then.
    pub async fn run_alone<T, F>(&self, f: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, ApiError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let job = Job::Alone(Box::new(move |db| {
            // The caller may have gone away; then nobody wants to know.
            let _ = answer.send(f(db));
        }));
        self.queue(job).await?;
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn queue(&self, job: Job) -> Result<(), ApiError> {
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        match jobs.send_timeout(job, QUEUE_WAIT_MAX).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(ApiError::ServerBusy),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(stopped()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        // The last job may have held the store: then this is the thread itself, about to end.
        let other = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(other) {
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
    let mut next = None;
    while let Some(job) = next.take().or_else(|| queue.blocking_recv()) {
        match job {
            Job::Alone(work) => work(&mut db),
            Job::InTransaction(first) => {
                if let Err(error) = turn(&mut db, first, &mut queue, &mut next) {
                    tracing::error!(%error, "database write failed");
                }
            }
        }
    }
}

/// One transaction. A job that must run alone ends it and becomes `next`.
fn turn(
    db: &mut Connection,
    first: Box<dyn FnOnce(&Transaction<'_>) -> Answer + Send>,
    queue: &mut mpsc::Receiver<Job>,
    next: &mut Option<Job>,
) -> rusqlite::Result<()> {
    // A job dropped here or below without its answer being called answers its caller too:
    // the other end of its channel sees that nobody will.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut answers = vec![first(&tx)];
    while answers.len() < JOBS_PER_COMMIT_MAX
        && let Ok(job) = queue.try_recv()
    {
        match job {
            Job::InTransaction(work) => answers.push(work(&tx)),
            alone @ Job::Alone(_) => {
                *next = Some(alone);
                break;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> Writer {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)").unwrap();
        Writer::start(db).unwrap()
    }

    fn insert(tx: &Transaction<'_>, n: i64) -> Result<(), ApiError> {
        tx.execute("INSERT INTO t VALUES (?1)", [n])?;
        Ok(())
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        writer
            .run(|tx| {
                let mut query = tx.prepare("SELECT n FROM t ORDER BY n")?;
                let rows = query.query_map((), |row| row.get(0))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_failed_job_undoes_its_own_changes_and_no_others() {
        let writer = writer();
        let (good, bad, also_good) = tokio::join!(
            writer.run(|tx| insert(tx, 1)),
            writer.run(|tx| {
                insert(tx, 2)?;
                Err::<(), _>(ApiError::NoProject)
            }),
            writer.run(|tx| insert(tx, 3)),
        );
        assert!(good.is_ok() && also_good.is_ok());
        assert!(matches!(bad, Err(ApiError::NoProject)));
        assert_eq!(numbers(&writer).await, [1, 3]);
    }

    #[tokio::test]
    async fn a_job_that_breaks_a_constraint_is_told_so() {
        let writer = writer();
        writer.run(|tx| insert(tx, 1)).await.unwrap();
        let again = writer.run(|tx| insert(tx, 1)).await;
        assert!(matches!(again, Err(ApiError::Store(_))));
        assert_eq!(numbers(&writer).await, [1]);
    }

    #[tokio::test]
    async fn a_job_that_runs_alone_sees_the_writes_before_it_and_none_after() {
        let writer = writer();
        let count = |db: &mut Connection| Ok(db.query_row("SELECT count(*) FROM t", (), |row| row.get(0))?);
        let (_, seen, _): (_, Result<i64, ApiError>, _) = tokio::join!(
            writer.run(|tx| insert(tx, 1)),
            writer.run_alone(count),
            writer.run(|tx| insert(tx, 2)),
        );
        assert_eq!(seen.unwrap(), 1);
        assert_eq!(numbers(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn more_jobs_than_one_commit_holds_are_all_answered() {
        let writer = std::sync::Arc::new(writer());
        let jobs: Vec<_> = (0..1_000)
            .map(|n| {
                let writer = writer.clone();
                tokio::spawn(async move { writer.run(move |tx| insert(tx, n)).await })
            })
            .collect();
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        assert_eq!(numbers(&writer).await.len(), 1_000);
    }
}
