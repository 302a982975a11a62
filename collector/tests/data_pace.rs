//! Reading that is held up: for want of room towards the server, or by a limit of bytes in a second.

mod data_rig;

use std::time::Duration;

use collector::engine::Limits;
use collector::engine::drain::Until;
use data_rig::{Rig, simple_on, values_of};

/// A file whose last line is half read, and goes on where nothing may be read since the server is silent.
fn stuck_in_a_line() -> Rig {
    let mut rig = Rig::new();
    rig.limits = Limits { lane_parcels_max: 1, ..Limits::default() };
    rig.append("a.log", "whole\nbegin");
    rig.start(vec![simple_on(|input| input.flush_timeout = Duration::from_secs(1))]);
    rig.wait_ms(100);
    assert_eq!(rig.carried.len(), 1);
    rig.append("a.log", " and end\n");
    rig
}

#[test]
fn a_line_is_not_cut_where_its_rest_is_there_and_was_not_read_yet() {
    let mut rig = stuck_in_a_line();
    rig.wait_ms(60_000);
    assert_eq!(rig.values(), ["whole", "begin and end"]);
}

#[test]
fn the_last_call_of_a_drain_does_not_cut_such_a_line_either() {
    let mut rig = stuck_in_a_line();
    let (now, deadline) = (rig.now(), rig.mono + Duration::from_millis(900));
    rig.reader.as_mut().expect("a reader").begin_drain(Until::WritersAreGone, deadline, now);
    rig.wait_ms(800);
    let mut values = Vec::new();
    for _ in 0..3 {
        values.extend(rig.take().iter().flat_map(values_of));
        rig.wait_ms(20);
    }
    assert_eq!(values, ["whole", "begin and end"]);
}
