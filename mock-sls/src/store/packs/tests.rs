use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;

use prost::Message;
use rusqlite::{OpenFlags, Transaction};
use sls_api::log_group::{Content, Log, LogGroup};

use super::*;
use crate::config::Data;
use crate::query::source::Order;
use crate::store::blocks::{self, Blocks};
use crate::store::logstores::{LogstoreId, ReadTarget, WriteTarget};
use crate::store::testing::{at, block, fill_with_logstore};
use crate::store::{FILE_NAME, OpenError, Store, connect, logs, schema};

const SENDER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A folder with a database of one Logstore, and its files.
struct Bench {
    data: tempfile::TempDir,
    packs: Arc<Packs>,
    db: Connection,
}

impl Bench {
    /// With files of so many bytes at most.
    fn new(pack_bytes_max: u32) -> Self {
        let data = tempfile::tempdir().unwrap();
        let packs = Arc::new(Packs { pack_bytes_max, ..Packs::new(data.path()) });
        let mut db = connect(&data.path().join(FILE_NAME), OpenFlags::default(), &packs).unwrap();
        schema::migrate(&mut db, data.path()).unwrap();
        let tx = db.transaction().unwrap();
        fill_with_logstore(&tx);
        tx.commit().unwrap();
        Self { data, packs, db }
    }

    fn put(&mut self, second: i64, group: &LogGroup) {
        let tx = self.db.transaction().unwrap();
        put(&tx, &self.packs, second, group);
        tx.commit().unwrap();
    }

    fn delete_before(&mut self, second: i64) {
        let tx = self.db.transaction().unwrap();
        let target = ReadTarget { id: TARGET.id, oldest: at(second).as_nanosecond() as i64 };
        logs::delete_expired(&tx, target, 0, usize::MAX).unwrap();
        tx.commit().unwrap();
    }

    fn file(&self, number: u32) -> PathBuf {
        self.packs.path(number)
    }

    /// Opened anew, after a power cut or not.
    fn check(&self, was_cut: bool) -> Result<usize, OpenError> {
        Packs::new(self.data.path()).check(&self.db, was_cut)
    }
}

const TARGET: WriteTarget = WriteTarget { id: LogstoreId(1), append_meta: false, block_seconds_max: 0 };

fn put(tx: &Transaction<'_>, packs: &Packs, second: i64, group: &LogGroup) {
    logs::append(tx, packs, TARGET, 0, &block(group.clone()), SENDER, at(second)).unwrap();
}

/// A group that LZ4 makes no shorter, of about so many bytes.
fn group(bytes: usize) -> LogGroup {
    let mut random = fastrand::Rng::with_seed(bytes as u64);
    let value = (0..bytes).map(|_| random.alphanumeric() as u8).collect();
    let content = Content { key: "content".to_owned(), value };
    LogGroup { logs: vec![Log { contents: vec![content], ..Log::default() }], ..LogGroup::default() }
}

fn read(db: &Connection) -> Vec<LogGroup> {
    let target = ReadTarget { id: TARGET.id, oldest: 0 };
    let mut metas = Vec::new();
    blocks::scan(db, target, 0, i64::MAX, None, Order::Any, &mut |meta| {
        metas.push(*meta);
        ControlFlow::Continue(())
    })
    .unwrap();
    let mut blocks = Blocks::new(db).unwrap();
    metas.sort_by_key(|meta| meta.cursor);
    metas.iter().map(|meta| LogGroup::decode(blocks.read(meta).unwrap()).unwrap()).collect()
}

#[test]
fn short_groups_are_in_the_database_and_long_ones_in_files() {
    let mut bench = Bench::new(20_000);
    let all = [100, 10_000, 9_000, 50, 30_000].map(group);
    for (second, group) in all.iter().enumerate() {
        bench.put(second as i64, group);
    }
    assert_eq!(read(&bench.db), all);
    let lengths = |bench: &Bench| -> Vec<u64> {
        let numbers = bench.packs.numbers().unwrap();
        numbers.into_iter().map(|number| bench.file(number).metadata().unwrap().len()).collect()
    };
    let before = lengths(&bench);
    assert_eq!(before.len(), 2, "the last one found the first full");
    assert!(before[0] > 19_000 && before[1] > 30_000, "{before:?}");
    // A server that begins goes on with the last file, unless that is full.
    bench.packs.state().current = None;
    bench.put(10, &group(5_000));
    assert_eq!(lengths(&bench).len(), 3);
    assert_eq!(read(&bench.db)[5], group(5_000));
}

#[test]
fn what_a_failed_write_left_in_a_file_is_in_nobodys_way() {
    let mut bench = Bench::new(1 << 20);
    let tx = bench.db.transaction().unwrap();
    put(&tx, &bench.packs, 0, &group(10_000));
    tx.rollback().unwrap();
    bench.put(1, &group(6_000));
    assert_eq!(read(&bench.db), [group(6_000)]);
    assert_eq!(bench.check(false).unwrap(), 0);
}

#[test]
fn after_a_power_cut_only_what_did_not_reach_the_disk_is_gone() {
    let mut bench = Bench::new(1 << 20);
    for second in 0..3 {
        bench.put(second, &group(6_000 + second as usize));
    }
    assert_eq!(bench.check(true).unwrap(), 0);
    // The last one was cut, and of the one before it a page was never written.
    let file = OpenOptions::new().write(true).open(bench.file(0)).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 1).unwrap();
    file.write_all_at(&[0; 4096], length / 3 + 100).unwrap();
    assert_eq!(bench.check(true).unwrap(), 2);
    assert_eq!(read(&bench.db), [group(6_000)]);
    // There may be no file at all.
    std::fs::remove_file(bench.file(0)).unwrap();
    assert_eq!(bench.check(true).unwrap(), 1);
}

#[test]
fn a_file_that_is_missing_without_a_power_cut_is_asked_for() {
    let mut bench = Bench::new(1 << 20);
    bench.put(0, &group(6_000));
    std::fs::remove_file(bench.file(0)).unwrap();
    let error = bench.check(false).unwrap_err().to_string();
    assert!(error.contains("00000000.pack has 0 bytes") && error.contains("copy the folder"), "{error}");
    assert_eq!(bench.db.query_row("SELECT count(*) FROM blocks", (), |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[test]
fn a_file_without_used_parts_goes_at_the_second_look() {
    let mut bench = Bench::new(10_000);
    for second in 0..3 {
        bench.put(second, &group(6_000));
    }
    bench.delete_before(1);
    bench.packs.reclaim(&bench.db).unwrap();
    assert_eq!(bench.packs.numbers().unwrap(), [0, 1, 2], "somebody may still read it");
    bench.packs.reclaim(&bench.db).unwrap();
    assert_eq!(bench.packs.numbers().unwrap(), [1, 2]);
    bench.delete_before(9);
    for _ in 0..2 {
        bench.packs.reclaim(&bench.db).unwrap();
    }
    assert_eq!(bench.packs.numbers().unwrap(), [2], "the last file is appended to");
    bench.put(10, &group(6_000));
    assert_eq!(read(&bench.db), [group(6_000)]);
}

#[test]
#[cfg(target_os = "linux")]
fn of_a_file_that_is_hardly_used_the_rest_goes() {
    let mut bench = Bench::new(100_000);
    for second in 0..4 {
        bench.put(second, &group(30_000));
    }
    bench.delete_before(2);
    let used = |bench: &Bench| bench.file(0).metadata().unwrap().blocks() * 512;
    let before = used(&bench);
    bench.packs.reclaim(&bench.db).unwrap();
    assert_eq!(used(&bench), before);
    bench.packs.reclaim(&bench.db).unwrap();
    assert!(used(&bench) + 40_000 < before, "{} of {before}", used(&bench));
    assert_eq!(read(&bench.db), [group(30_000), group(30_000)]);
}

#[tokio::test]
async fn a_snapshot_is_one_file_that_needs_no_other() {
    let first = tempfile::tempdir().unwrap();
    let store = Store::open(&Data::Dir(first.path().to_owned())).unwrap();
    let packs = Arc::clone(&store.packs);
    let put_long = move |tx: &Transaction<'_>| {
        fill_with_logstore(tx);
        put(tx, &packs, 0, &group(50_000));
        Ok(())
    };
    store.write(put_long).await.unwrap();
    store.snapshot("all").await.unwrap();
    store.reset().await.unwrap();
    store.restore("all").await.unwrap();
    assert_eq!(store.read(|db| Ok(read(db))).await.unwrap(), [group(50_000)]);

    let second = tempfile::tempdir().unwrap();
    std::fs::copy(first.path().join("snapshots/all.sqlite"), second.path().join(FILE_NAME)).unwrap();
    let store = Store::open(&Data::Dir(second.path().to_owned())).unwrap();
    assert_eq!(store.read(|db| Ok(read(db))).await.unwrap(), [group(50_000)]);
}
