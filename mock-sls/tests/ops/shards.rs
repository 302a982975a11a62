use expect_test::expect;
use sls_api::NoQuery;
use sls_api::ops::shards::ListShards;

use super::bed::{Bed, logstore};

#[tokio::test]
async fn shards_divide_the_key_space_evenly() {
    let bed = Bed::start().await;
    bed.create_logstore("ls", 4).await;
    let shards = bed.send::<ListShards>(&logstore("ls"), &NoQuery {}, &()).await.unwrap().0;
    let shown: Vec<String> = shards
        .iter()
        .map(|s| format!("{} {:?} {} {}", s.shard_id, s.status, s.inclusive_begin_key, s.exclusive_end_key))
        .collect();
    expect![[r#"
        0 Readwrite 00000000000000000000000000000000 40000000000000000000000000000000
        1 Readwrite 40000000000000000000000000000000 80000000000000000000000000000000
        2 Readwrite 80000000000000000000000000000000 c0000000000000000000000000000000
        3 Readwrite c0000000000000000000000000000000 ffffffffffffffffffffffffffffffff"#]]
    .assert_eq(&shown.join("\n"));
}
