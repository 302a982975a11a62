//! The Rust SDK, from a new project to its removal. One test, because one emulator is the proxy
//! of the whole process.

mod emulator;

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aliyun_log_rust_sdk::get_cursor_models::CursorPos;
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

fn code<T>(outcome: Result<T, Error>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(Error::Server { error_code, request_id, .. }) => {
            assert_eq!(request_id.unwrap().len(), 24);
            error_code
        }
        Err(other) => panic!("not an answer of the service: {other}"),
    }
}

#[tokio::test]
async fn the_sdk_walks_from_project_to_removal() {
    let _emulator = Emulator::start();
    let client = client_with(KEY_ID, KEY_SECRET);
    let project = format!("rust-{}", std::process::id());

    client.create_project(&project).description("made by the Rust SDK").send().await.unwrap();
    let got = client.get_project(&project).send().await.unwrap();
    assert_eq!(got.get_body().description(), "made by the Rust SDK");
    client.create_logstore(&project, STORE).shard_count(2).ttl(1).send().await.unwrap();
    let line = FullTextIndex { case_sensitive: false, chn: false, token: vec![" ".to_owned()] };
    let method = IndexKeyText {
        case_sensitive: false,
        alias: None,
        chn: false,
        token: vec![" ".to_owned()],
        doc_value: true,
    };
    let keys = HashMap::from([("method".to_owned(), FieldIndex::Text(method))]);
    let index = Index::builder().line(line).keys(keys).build();
    client.create_index(&project, STORE, index).send().await.unwrap();

    for n in ["0", "1", "2"] {
        let logs = group(&[("method", "GET"), ("n", n), ("path", "/中 文")]);
        client.put_logs(&project, STORE).log_group(logs).send().await.unwrap();
    }
    let found = client
        .get_logs(&project, STORE)
        .from(now() - 600)
        .to(now() + 600)
        .query("method: GET and 1")
        .send()
        .await
        .unwrap();
    assert!(found.get_body().is_complete());
    let [row] = &found.get_body().logs()[..] else { panic!("one row") };
    assert_eq!((row["path"].as_str(), row["__topic__"].as_str()), ("/中 文", "topic-a"));
    let counted = client
        .get_logs(&project, STORE)
        .from(now() - 600)
        .to(now() + 600)
        .query("* | select count(*) as n")
        .send()
        .await
        .unwrap();
    assert_eq!(counted.get_body().logs()[0]["n"], "3");

    let shards = client.list_shards(&project, STORE).send().await.unwrap();
    assert_eq!(shards.get_body().shards().len(), 2);
    let mut pulled = 0;
    for shard in shards.get_body().shards() {
        let id = *shard.shard_id();
        let begin = client.get_cursor(&project, STORE, id).cursor_pos(CursorPos::Begin).send().await.unwrap();
        let cursor = begin.get_body().cursor();
        let logs = client.pull_logs(&project, STORE, id).cursor(cursor).count(10).send().await.unwrap();
        pulled += logs.get_body().log_group_list().len();
    }
    assert_eq!(pulled, 3);

    let wrong = client_with(KEY_ID, "wrong");
    let nobody = client_with("nobody", KEY_SECRET);
    assert_eq!(code(client.get_logstore(&project, "missing").send().await), "LogStoreNotExist");
    assert_eq!(code(client.get_project("missing-project").send().await), "ProjectNotExist");
    assert_eq!(code(wrong.get_logstore(&project, STORE).send().await), "SignatureNotMatch");
    assert_eq!(code(nobody.get_logstore(&project, STORE).send().await), "Unauthorized");

    client.delete_logstore(&project, STORE).send().await.unwrap();
    client.delete_project(&project).send().await.unwrap();
    assert_eq!(code(client.get_project(&project).send().await), "ProjectNotExist");
}
