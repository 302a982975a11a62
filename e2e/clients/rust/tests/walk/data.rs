//! Logs written, found, analysed and pulled.

use std::collections::HashMap;

use aliyun_log_rust_sdk::get_cursor_models::CursorPos;
use aliyun_log_rust_sdk::Client;

use crate::{code, group, now, STORE};

async fn rows(client: &Client, project: &str, query: &str) -> Vec<HashMap<String, String>> {
    let request = client.get_logs(project, STORE).from(now() - 600).to(now() + 600).query(query);
    let answer = request.send().await.unwrap();
    assert!(answer.get_body().is_complete());
    answer.take_body().take_logs()
}

pub async fn a_written_log_is_found_with_its_fields(client: &Client, project: &str) {
    for n in ["0", "1", "2"] {
        let logs = group(&[("method", "GET"), ("n", n), ("path", "/中 文")]);
        client.put_logs(project, STORE).log_group(logs).send().await.unwrap();
    }
    let found = rows(client, project, "method: GET and 1").await;
    let [row] = &found[..] else { panic!("one row") };
    assert_eq!((row["path"].as_str(), row["__topic__"].as_str()), ("/中 文", "topic-a"));
    assert!(rows(client, project, "method: PUT").await.is_empty());
    let missing = client.put_logs(project, "missing").log_group(group(&[("k", "v")])).send().await;
    assert_eq!(code(missing), "LogStoreNotExist");
    let long = client.put_logs(project, STORE).log_group(group(&[(&"k".repeat(129), "v")])).send().await;
    assert_eq!(code(long), "InvalidKey");
}

pub async fn logs_are_paged_and_analysed(client: &Client, project: &str) {
    let request = || client.get_logs(project, STORE).from(now() - 600).to(now() + 600).query("GET");
    let page = request().offset(2).lines(10).reverse(true).send().await.unwrap();
    assert_eq!((page.get_body().logs_count(), page.get_body().logs()[0]["n"].as_str()), (1, "0"));
    let counted = rows(client, project, "* | select count(*) as n, max(method) as m").await;
    assert_eq!((counted[0]["n"].as_str(), counted[0]["m"].as_str()), ("3", "GET"));
    let backwards = client.get_logs(project, STORE).from(now()).to(now() - 600).query("*").send().await;
    assert_eq!(code(backwards), "InvalidTimeRange");
}

pub async fn written_logs_are_pulled_from_their_shards(client: &Client, project: &str) {
    let shards = client.list_shards(project, STORE).send().await.unwrap();
    assert_eq!(shards.get_body().shards().len(), 2);
    let (mut pulled, mut searched) = (Vec::new(), 0);
    for shard in shards.get_body().shards() {
        let id = *shard.shard_id();
        let cursor = async |place| {
            let answer = client.get_cursor(project, STORE, id).cursor_pos(place).send().await.unwrap();
            answer.get_body().cursor().to_owned()
        };
        let (begin, end) = (cursor(CursorPos::Begin).await, cursor(CursorPos::End).await);
        assert_eq!(cursor(CursorPos::UnixTimeStamp(now() - 600)).await, begin);
        let logs = client.pull_logs(project, STORE, id).cursor(&begin).count(10).send().await.unwrap();
        assert_eq!(*logs.get_body().next_cursor(), end);
        pulled.extend(logs.take_body().into_log_group_list());
        let some =
            client.pull_logs(project, STORE, id).cursor(&begin).count(10).query("1").send().await.unwrap();
        searched += some.get_body().log_group_list().len();
    }
    assert_eq!((pulled.len(), searched), (3, 1));
    let lost = client.pull_logs(project, STORE, 0).cursor("no cursor").count(1).send().await;
    assert_eq!(code(lost), "ParameterInvalid");
}
