//! The Rust SDK, from a new project to its removal. One test, because one emulator is the proxy
//! of the whole process. The SDK has nothing for histograms, context, machine groups, configs and
//! tags, compresses with lz4 only, and signs with version 1.

mod consumers;
mod data;
mod emulator;
mod life;

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aliyun_log_rust_sdk::{
    Client, Config, Error, FieldIndex, FromConfig, FullTextIndex, Index, IndexKeyText,
};
use aliyun_log_sdk_protobuf::{Log, LogGroup};

use emulator::{Emulator, ENDPOINT, KEY_ID, KEY_SECRET};

const STORE: &str = "access";

fn client_with(id: &str, secret: &str) -> Client {
    let config = Config::builder().endpoint(ENDPOINT).access_key(id, secret).build().unwrap();
    Client::from_config(config).unwrap()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn group(fields: &[(&str, &str)]) -> LogGroup {
    let mut log = Log::new();
    log.set_time(now() as u32);
    for (key, value) in fields {
        log.add_content_kv(*key, *value);
    }
    let mut group = LogGroup::new();
    group.logs_mut().push(log);
    group.set_topic("topic-a");
    group
}

/// An index of all words and of the text of one key.
fn index(key: &str) -> Index {
    let line = FullTextIndex { case_sensitive: false, chn: false, token: vec![" ".to_owned()] };
    let text = IndexKeyText {
        case_sensitive: false,
        alias: None,
        chn: false,
        token: vec![" ".to_owned()],
        doc_value: true,
    };
    let keys = HashMap::from([(key.to_owned(), FieldIndex::Text(text))]);
    Index::builder().line(line).keys(keys).build()
}

/// The code of the error that a call is answered with.
fn code<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(Error::Server { error_code, request_id, .. }) => {
            assert_eq!(request_id.unwrap().len(), 24);
            error_code
        }
        Err(other) => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn the_sdk_walks_from_a_new_project_to_its_removal() {
    let _emulator = Emulator::start();
    let client = client_with(KEY_ID, KEY_SECRET);
    let project = format!("rust-{}", std::process::id());

    life::a_project_is_made_listed_and_changed(&client, &project).await;
    life::a_logstore_keeps_its_settings(&client, &project).await;
    life::an_index_is_changed_and_removed(&client, &project).await;
    life::errors_have_the_codes_of_the_service(&client, &project).await;
    client.create_index(&project, STORE, index("method")).send().await.unwrap();
    data::a_written_log_is_found_with_its_fields(&client, &project).await;
    data::logs_are_paged_and_analysed(&client, &project).await;
    data::written_logs_are_pulled_from_their_shards(&client, &project).await;
    consumers::a_consumer_group_keeps_checkpoints(&client, &project).await;
    life::everything_is_removed(&client, &project).await;
}
