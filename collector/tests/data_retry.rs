//! A file that cannot be read for a moment. Alone in its process, which it takes the right to open files.

mod data_rig;

use std::num::NonZeroU16;

use collector::engine::Limits;
use collector::pipeline::{Pipeline, Shards};
use data_rig::{Rig, groups_of, simple, values_of};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn what_could_not_be_read_for_want_of_descriptors_is_read_soon_after() {
    let numbered = Pipeline { shards: Shards::ExactlyOnce(NonZeroU16::MIN), ..simple() };
    let mut rig = Rig::new();
    rig.limits = Limits { group_logs_max: 1, ..Limits::default() };
    rig.append("a.log", "1\n2\n");
    rig.start(vec![numbered.clone()]);
    rig.wait_ms(100);
    rig.kill();
    rig.limits.lane_parcels_max = 1;
    rig.start(vec![numbered]);
    rig.wait_ms(100);
    let first = rig.carried.pop().expect("the first line");
    assert_eq!(rig.carried.len(), 0, "the second waits for room");

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..limit }).expect("a lower limit");
    rig.acknowledge(&first);
    setrlimit(Resource::Nofile, limit).expect("the old limit");
    assert_eq!(rig.carried.len(), 0);
    assert!(rig.status().last_error.is_some());

    rig.wait_ms(2_500);
    let second = rig.carried.pop().expect("the second line");
    assert_eq!(groups_of(&second).iter().flat_map(values_of).collect::<Vec<_>>(), ["2"]);
}
