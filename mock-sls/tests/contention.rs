//! Many clients that create, delete and write the same names at the same time. Whatever the order was: every
//! answer is one of the service's, every acknowledged log is there unless it was deleted, nothing is there
//! twice or comes back, and the database holds nothing that belongs to nothing.
//!
//! `MOCK_SLS_CONTENTION_SECONDS` says how long (see `just contention`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mock_sls::{Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, Data, MockSls};
use rusqlite::Connection;
use sls_api::codec::Compression;
use sls_api::error::code;
use sls_api::log_group::{Content, Log, LogGroup};
use sls_api::names::ProjectName;
use sls_api::operation::REPLY_RAW_BYTES_MAX;
use sls_api::ops::cursors::{CursorQuery, GetCursor, PullLogs, PullQuery};
use sls_api::ops::indexes::{CreateIndex, DeleteIndex, Index, IndexLine};
use sls_api::ops::logs::{CompressedLogs, GetLogs, GetLogsRequest, PutLogs};
use sls_api::ops::logstores::{
    CreateLogStore, DeleteLogStore, ListLogStore, ListLogStoreQuery, LogstoreSettings,
};
use sls_api::ops::machine_groups::{CreateMachineGroup, DeleteMachineGroup, MachineGroup};
use sls_api::ops::projects::{CreateProject, DeleteProject, NewProject};
use sls_api::ops::shards::ListShards;
use sls_api::ops::{InLogstore, InMachineGroup, InShard};
use sls_api::sign::AccessKey;
use sls_api::{Json, NoPath, NoQuery};
use sls_client::{Client, ClientConfig, ClientError};

const CLIENTS: u64 = 64;
/// How long, unless told otherwise.
const SECONDS: u64 = 5;
const PROJECTS: u64 = 4;
const LOGSTORES: u64 = 3;
/// Nobody deletes this one: all that is acknowledged there must be there.
const KEPT: &str = "kept";

/// Errors that come of the others' doings, and nothing else may.
const EXPECTED: [&str; 8] = [
    code::PROJECT_NOT_EXIST,
    code::PROJECT_ALREADY_EXIST,
    code::LOG_STORE_NOT_EXIST,
    code::LOG_STORE_ALREADY_EXIST,
    code::INDEX_ALREADY_EXIST,
    code::INDEX_CONFIG_NOT_EXIST,
    code::MACHINE_GROUP_NOT_EXIST,
    code::MACHINE_GROUP_ALREADY_EXIST,
];

/// When an acknowledged call began and ended, on a clock that orders all calls.
#[derive(Debug, Clone, Copy)]
struct Call {
    began: u64,
    ended: u64,
}

#[derive(Debug)]
enum Done {
    Put {
        project: String,
        logstore: String,
        id: u64,
        call: Call,
    },
    /// Without a Logstore, the project with all of them.
    Deleted {
        project: String,
        logstore: Option<String>,
        call: Call,
    },
}

struct Contest {
    client: Client,
    clock: AtomicU64,
    done: Mutex<Vec<Done>>,
    /// Creations of the kept Logstore that were acknowledged.
    made: AtomicU64,
}

fn in_logstore(logstore: &str) -> InLogstore {
    InLogstore { logstore: logstore.parse().unwrap() }
}

fn project(name: &str) -> ProjectName {
    name.parse().unwrap()
}

impl Contest {
    /// The answer if the call was acknowledged, and when; nothing if others were in the way.
    async fn call<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Option<(T, Call)> {
        let began = self.clock.fetch_add(1, Ordering::SeqCst);
        let outcome = call.await;
        let ended = self.clock.fetch_add(1, Ordering::SeqCst);
        match outcome {
            Ok(answer) => Some((answer, Call { began, ended })),
            Err(ClientError::Api { code, .. }) if EXPECTED.contains(&code.as_str()) => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn create_project(&self, name: &str) {
        let name = project(name);
        let new = Json(NewProject::new(name.clone(), ""));
        self.call(self.client.send::<CreateProject>(Some(&name), &NoPath {}, &NoQuery {}, &new)).await;
    }

    async fn create_logstore(&self, name: &str, logstore: &str) {
        let settings = Json(LogstoreSettings::new(logstore.parse().unwrap(), 30, 2));
        let name = project(name);
        let create = self.client.send::<CreateLogStore>(Some(&name), &NoPath {}, &NoQuery {}, &settings);
        if self.call(create).await.is_some() && name.as_str() == KEPT {
            self.made.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn create_index(&self, name: &str, logstore: &str) {
        let line = IndexLine { token: vec![" ".to_owned()], ..IndexLine::default() };
        let index = Json(Index { line: Some(line), ..Index::default() });
        let (name, path) = (project(name), in_logstore(logstore));
        self.call(self.client.send::<CreateIndex>(Some(&name), &path, &NoQuery {}, &index)).await;
    }

    async fn put(&self, name: &str, logstore: &str, id: u64) {
        let log = Log { time: 1, contents: vec![Content::new("id", id.to_string())], time_ns: None };
        let group = LogGroup { logs: vec![log], ..LogGroup::default() };
        let body = CompressedLogs::from_group(&group, Compression::Lz4).unwrap();
        let (named, path) = (project(name), in_logstore(logstore));
        let put = self.client.send::<PutLogs>(Some(&named), &path, &NoQuery {}, &body);
        if let Some(((), call)) = self.call(put).await {
            let (project, logstore) = (name.to_owned(), logstore.to_owned());
            self.note(Done::Put { project, logstore, id, call });
        }
    }

    async fn delete_logstore(&self, name: &str, logstore: &str) {
        let (named, path) = (project(name), in_logstore(logstore));
        let delete = self.client.send::<DeleteLogStore>(Some(&named), &path, &NoQuery {}, &());
        if let Some((_, call)) = self.call(delete).await {
            self.note(Done::Deleted { project: name.to_owned(), logstore: Some(logstore.to_owned()), call });
        }
    }

    async fn delete_project(&self, name: &str) {
        let named = project(name);
        let delete = self.client.send::<DeleteProject>(Some(&named), &NoPath {}, &NoQuery {}, &());
        if let Some((_, call)) = self.call(delete).await {
            self.note(Done::Deleted { project: name.to_owned(), logstore: None, call });
        }
    }

    async fn delete_index(&self, name: &str, logstore: &str) {
        let (named, path) = (project(name), in_logstore(logstore));
        let delete = async {
            let outcome = self.client.send::<DeleteIndex>(Some(&named), &path, &NoQuery {}, &()).await;
            match outcome {
                // What the service says where there is no index.
                Err(ClientError::Api { code, .. }) if code == code::PARAMETER_INVALID => Ok(()),
                other => other,
            }
        };
        self.call(delete).await;
    }

    async fn machine_group(&self, name: &str, make: bool) {
        let named = project(name);
        if make {
            let group = Json(MachineGroup::user_defined("group".parse().unwrap(), vec!["id".to_owned()]));
            let create =
                self.client.send::<CreateMachineGroup>(Some(&named), &NoPath {}, &NoQuery {}, &group);
            self.call(create).await;
        } else {
            let path = InMachineGroup { group: "group".parse().unwrap() };
            let delete = self.client.send::<DeleteMachineGroup>(Some(&named), &path, &NoQuery {}, &());
            self.call(delete).await;
        }
    }

    fn note(&self, done: Done) {
        self.done.lock().unwrap().push(done);
    }

    /// One client: the kept Logstore first, then whatever chance says.
    async fn client(&self, number: u64, until: Instant) {
        let mut random = fastrand::Rng::with_seed(number);
        self.create_project(KEPT).await;
        self.create_logstore(KEPT, KEPT).await;
        self.create_index(KEPT, KEPT).await;
        let mut id = number;
        while Instant::now() < until {
            let name = format!("contended-{}", random.u64(..PROJECTS));
            let logstore = format!("ls-{}", random.u64(..LOGSTORES));
            id += CLIENTS;
            match random.u8(..100) {
                0..4 => self.delete_project(&name).await,
                4..12 => self.delete_logstore(&name, &logstore).await,
                12..22 => self.create_project(&name).await,
                22..37 => self.create_logstore(&name, &logstore).await,
                37..42 => self.create_index(&name, &logstore).await,
                42..44 => self.delete_index(&name, &logstore).await,
                44..50 => self.machine_group(&name, random.bool()).await,
                50..70 => self.put(KEPT, KEPT, id).await,
                _ => self.put(&name, &logstore, id).await,
            }
        }
    }

    /// The ids of all logs of a Logstore, as they are pulled.
    async fn pulled(&self, name: &ProjectName, logstore: &str) -> Vec<u64> {
        let path = in_logstore(logstore);
        let Json(shards) = self.client.send::<ListShards>(Some(name), &path, &NoQuery {}, &()).await.unwrap();
        let mut ids = Vec::new();
        for shard in shards {
            let path = InShard { logstore: path.logstore.clone(), shard: shard.shard_id };
            let begin = CursorQuery { from: "begin".to_owned() };
            let Json(mut at) = self.client.send::<GetCursor>(Some(name), &path, &begin, &()).await.unwrap();
            loop {
                let query = PullQuery { cursor: at.cursor, count: Some(1000), end_cursor: None, query: None };
                let pulled = self.client.send::<PullLogs>(Some(name), &path, &query, &()).await.unwrap();
                if pulled.count == 0 {
                    break;
                }
                for log in pulled.groups(REPLY_RAW_BYTES_MAX).unwrap().log_groups.iter().flat_map(|g| &g.logs)
                {
                    ids.push(std::str::from_utf8(&log.contents[0].value).unwrap().parse().unwrap());
                }
                at.cursor = pulled.cursor;
            }
        }
        ids
    }

    /// Holds what a Logstore has against what was acknowledged; returns how much it has.
    async fn check(&self, name: &ProjectName, logstore: &str) -> usize {
        let ids = self.pulled(name, logstore).await;
        let there: BTreeSet<u64> = ids.iter().copied().collect();
        assert_eq!(there.len(), ids.len(), "{name}/{logstore}: a log is there twice");
        let done = self.done.lock().unwrap();
        let deletions = || {
            done.iter().filter_map(|done| match done {
                Done::Deleted { project, logstore: of, call }
                    if project == name.as_str() && of.as_deref().is_none_or(|of| of == logstore) =>
                {
                    Some(*call)
                }
                _ => None,
            })
        };
        let last_end = deletions().map(|call| call.ended).max().unwrap_or(0);
        let last_begin = deletions().map(|call| call.began).max().unwrap_or(0);
        let mut acknowledged = BTreeSet::new();
        for done in done.iter() {
            let Done::Put { project, logstore: of, id, call } = done else { continue };
            if project != name.as_str() || of != logstore {
                continue;
            }
            acknowledged.insert(*id);
            let is_there = there.contains(id);
            assert!(is_there || call.began < last_end, "{name}/{logstore}: acknowledged log {id} is lost");
            assert!(!is_there || call.ended > last_begin, "{name}/{logstore}: deleted log {id} is back");
        }
        assert!(there.is_subset(&acknowledged), "{name}/{logstore}: logs that nobody was promised");
        there.len()
    }

    async fn count(&self, name: &ProjectName, logstore: &str) -> usize {
        let query = "* | select count(*) as n".to_owned();
        let query = Json(GetLogsRequest { from: 0, to: 10, query, ..Default::default() });
        let path = in_logstore(logstore);
        let Json(found) = self.client.send::<GetLogs>(Some(name), &path, &NoQuery {}, &query).await.unwrap();
        found.data[0].get("n").unwrap().parse().unwrap()
    }
}

/// Every row whose project or Logstore is not there, and what SQLite itself finds.
fn orphans(path: &Path) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut query = db.prepare(sql).unwrap();
        query.query_map((), |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    let mut found = texts("SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'");
    found.extend(texts("SELECT \"table\" FROM pragma_foreign_key_check"));
    let owners = [("project_id", "projects"), ("logstore_id", "logstores"), ("group_id", "machine_groups")];
    for (column, owner) in owners {
        let tables = texts(&format!(
            "SELECT t.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c \
             WHERE t.type = 'table' AND c.name = '{column}'"
        ));
        assert!(!tables.is_empty(), "no table has {column}");
        for table in tables {
            let lost = format!(
                "SELECT '{table} of {column} ' || {column} FROM \"{table}\" \
                 WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {owner})"
            );
            found.extend(texts(&lost));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_clients_do_to_the_same_names_at_once_nothing_acknowledged_is_lost_and_nothing_orphaned() {
    let told = std::env::var("MOCK_SLS_CONTENTION_SECONDS").ok();
    let seconds = told.map_or(SECONDS, |seconds| seconds.parse().expect("a number of seconds"));
    let folder = tempfile::tempdir().unwrap();
    let config = Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() };
    let server = MockSls::start(config).await.unwrap();
    let key = AccessKey::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
    let client = Client::new(ClientConfig::new(server.endpoint().parse().unwrap(), key)).unwrap();
    let (clock, done, made) = (AtomicU64::new(1), Mutex::default(), AtomicU64::new(0));
    let contest = Arc::new(Contest { client, clock, done, made });

    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let contest = contest.clone();
            tokio::spawn(async move { contest.client(number, until).await })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }

    assert_eq!(contest.made.load(Ordering::Relaxed), 1, "the same Logstore was made more than once");
    let kept = project(KEPT);
    let there = contest.check(&kept, KEPT).await;
    assert_eq!(contest.count(&kept, KEPT).await, there);
    let mut remaining = 0;
    for number in 0..PROJECTS {
        let name = project(&format!("contended-{number}"));
        let query = ListLogStoreQuery::default();
        let listed = contest.client.send::<ListLogStore>(Some(&name), &NoPath {}, &query, &()).await;
        // Deleted last.
        let Ok(Json(listed)) = listed else { continue };
        assert_eq!(listed.total as usize, listed.logstores.len());
        for logstore in listed.logstores {
            remaining += contest.check(&name, logstore.as_str()).await;
        }
    }
    let calls = contest.clock.load(Ordering::Relaxed) / 2;
    println!(
        "{CLIENTS} clients, {calls} calls in {seconds} s; {there} logs kept, {remaining} left of others"
    );
    server.shutdown().await;
    assert_eq!(orphans(&folder.path().join(mock_sls::DATABASE_FILE)), [""; 0]);
}
