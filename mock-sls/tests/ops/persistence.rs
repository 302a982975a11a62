//! What a folder keeps from one start to the next.

use mock_sls::{Config, Data, MockSls};
use sls_api::NoQuery;
use sls_api::ops::logstores::{DeleteLogStore, GetLogStore};

use super::bed::{Bed, logstore};
use super::logs;

#[tokio::test]
async fn a_folder_keeps_everything_and_a_temporary_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Data::Dir(folder.path().join("new/deep")), ..Config::default() };
    let bed = Bed::bare(config()).await;
    bed.create_project().await;
    bed.create_logstore("ls", 1).await;
    bed.server.shutdown().await;

    let again = Bed::bare(config()).await;
    assert!(again.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.is_ok());
    let temporary = Bed::bare(Config::default()).await;
    assert!(temporary.send::<GetLogStore>(&logstore("ls"), &NoQuery {}, &()).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_is_named_with_the_remedy() {
    let bed = Bed::start().await;
    let listen = bed.server.addr();
    let error = MockSls::start(Config { listen, ..Config::default() }).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&listen.to_string()) && text.contains("Port 0 takes a free one"), "{text}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = Data::Dir(file.join("below"));
    let error = MockSls::start(Config { data, ..Config::default() }).await.unwrap_err().to_string();
    assert!(error.contains("file/below") && error.contains("--data"), "{error}");
}

#[tokio::test]
async fn a_folder_serves_one_server_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() };
    let bed = Bed::bare(config()).await;
    let error = MockSls::start(config()).await.unwrap_err().to_string();
    assert!(error.contains("is used by another mock-sls"), "{error}");
    bed.server.shutdown().await;
    assert!(MockSls::start(config()).await.is_ok());
}

#[tokio::test]
async fn the_space_of_a_deleted_logstore_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let bed = Bed::bare(Config { data: Data::Dir(folder.path().to_owned()), ..Config::default() }).await;
    bed.create_project().await;
    let mut bytes_after_round = Vec::new();
    for _ in 0..3 {
        bed.create_logstore("ls", 1).await;
        for seed in 0..20 {
            logs::put(&bed, &incompressible(seed)).await;
        }
        bed.send::<DeleteLogStore>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
        let file = folder.path().join("mock-sls.sqlite");
        bytes_after_round.push(std::fs::metadata(file).unwrap().len());
    }
    let (first, last) = (bytes_after_round[0], bytes_after_round[2]);
    assert!(last <= first + (1 << 20), "the database grew: {bytes_after_round:?}");
}

/// 100 kB of text that does not compress.
fn incompressible(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..100_000).map(|_| random.alphanumeric()).collect()
}
