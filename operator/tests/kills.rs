//! The operator is killed over and over while objects change; in the end everything is as the objects say, nothing is
//! left over, and nothing was done by halves.

mod support;

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use support::program::Program;
use support::*;

/// How often it is killed; set otherwise by OPERATOR_KILLS, as `just operator-kills` does.
const KILLS: usize = 12;
/// Longest life, ms: from before its first request to long after its last.
const LIFE_MS_MAX: u64 = 400;
const OBJECTS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_is_killed_anywhere_leaves_nothing_undone() {
    let kills = std::env::var("OPERATOR_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let name = |n: usize| format!("config-{n}");
    let mut generation = 0;
    for kill in 0..kills {
        generation += 1;
        for n in 0..OBJECTS {
            let (pattern, group) = (format!("{generation}.log"), format!("group-{}", (generation + n) % 3));
            bed.apply_value(object(&name(n), |object| {
                object["spec"]["machineGroups"] = json!([group]);
                object["spec"]["logtailConfig"]["inputDetail"]["filePattern"] = json!(pattern);
            }))
            .await;
        }
        // One object comes and goes.
        let fleeting = bed.untyped().get_opt("fleeting").await.unwrap();
        match fleeting {
            None => bed.apply_value(object("fleeting", |_| {})).await,
            Some(found) if found.metadata.deletion_timestamp.is_none() => bed.delete("fleeting").await,
            Some(_) => {}
        }
        let program = Program::named(&bed, &format!("life-{kill}"), &[]).await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..LIFE_MS_MAX))).await;
        program.signal(Signal::KILL);
        program.ended().await;
    }
    let _last = Program::named(&bed, "last", &[]).await;
    let sls = bed.sls();
    for n in 0..OBJECTS {
        bed.ready(&name(n)).await;
        let config = sls.config("project-a", &name(n)).await.unwrap();
        assert_eq!(config.input_detail.get("filePattern"), Some(&json!(format!("{generation}.log"))));
        assert_eq!(sls.bound("project-a", &name(n)).await, [format!("group-{}", (generation + n) % 3)]);
    }
    if bed
        .untyped()
        .get_opt("fleeting")
        .await
        .unwrap()
        .is_some_and(|it| it.metadata.deletion_timestamp.is_none())
    {
        bed.delete("fleeting").await;
    }
    bed.gone("fleeting").await;
    let mut left = sls.configs("project-a").await;
    left.sort();
    assert_eq!(left, (0..OBJECTS).map(name).collect::<Vec<_>>());
    println!("{kills} kills, and all is as the objects say");
}
