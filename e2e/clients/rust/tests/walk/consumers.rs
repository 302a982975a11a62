//! Consumer groups.

use aliyun_log_rust_sdk::get_cursor_models::CursorPos;
use aliyun_log_rust_sdk::Client;

use crate::{code, STORE};

const GROUP: &str = "readers";

pub async fn a_consumer_group_keeps_checkpoints(client: &Client, project: &str) {
    let create = || client.create_consumer_group(project, STORE, GROUP).timeout(30).order(true);
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "ConsumerGroupAlreadyExist");
    let update = client.update_consumer_group(project, STORE, GROUP).timeout(60).order(false);
    update.send().await.unwrap();
    let groups = client.list_consumer_groups(project, STORE).send().await.unwrap();
    let [group] = &groups.get_body().consumer_groups()[..] else { panic!("one group") };
    assert_eq!((group.consumer_group_name().as_str(), *group.timeout(), *group.order()), (GROUP, 60, false));

    let beat = client.consumer_group_heartbeat(project, STORE, GROUP).consumer("one").shards(vec![]);
    assert_eq!(*beat.send().await.unwrap().get_body().shards(), [0, 1]);
    let end = client.get_cursor(project, STORE, 0).cursor_pos(CursorPos::End).send().await.unwrap();
    let cursor = end.get_body().cursor();
    let keep = client.update_consumer_group_checkpoint(project, STORE, GROUP).shard_id(0);
    keep.consumer_id("one").checkpoint(cursor).force_success(false).send().await.unwrap();
    let kept = client.get_consumer_group_checkpoint(project, STORE, GROUP).shard_id(0).send().await.unwrap();
    let [point] = &kept.get_body().checkpoints()[..] else { panic!("one checkpoint") };
    assert_eq!((point.checkpoint().as_str(), point.consumer().as_str()), (cursor, "one"));

    client.delete_consumer_group(project, STORE, GROUP).send().await.unwrap();
    let gone = client.get_consumer_group_checkpoint(project, STORE, GROUP).send().await;
    assert_eq!(code(gone), "ConsumerGroupNotExist");
}
