//! What is told of the lanes: how requests fare, and how many wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::{LaneId, Outbox};
use crate::engine::profile::Sending;
use crate::pipeline::Destination;
use crate::ship::Trouble;

/// What is told of a lane.
#[derive(Debug)]
pub struct LaneProfile {
    pub id: LaneId,
    pub destination: Arc<Destination>,
    pub sending: Sending,
    /// Parcels under way, and since when the first and the last of them are.
    pub unsent: usize,
    pub unsent_since: Option<(Instant, Instant)>,
    pub is_blocked: bool,
}

/// How many lanes there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneCounts {
    pub all: u64,
    /// Without room for more.
    pub full: u64,
    /// Whose last request failed.
    pub failing: u64,
}

impl Outbox {
    pub fn lane_counts(&self) -> LaneCounts {
        let mut counts = LaneCounts::default();
        for lane in self.lanes.values() {
            counts.all += 1;
            counts.full += u64::from(!lane.has_room(&self.limits, self.under_way_bytes));
            counts.failing += u64::from(lane.sending.is_failing);
        }
        counts
    }

    /// A request to `destination` failed, and will be sent again.
    pub fn note_failure(&mut self, destination: &Destination, trouble: Trouble) {
        let lane = self.by_destination.get(destination).and_then(|id| self.lanes.get_mut(id));
        let Some(lane) = lane else { return };
        lane.sending.is_failing = true;
        match trouble {
            Trouble::Quota => lane.sending.quota_errors += 1,
            Trouble::Unreachable => lane.sending.network_errors += 1,
            Trouble::NotExist | Trouble::Auth | Trouble::Clock | Trouble::Refused | Trouble::Malformed => {}
        }
    }

    /// How the lanes are, with what was counted since the last call.
    pub fn take_sending(&mut self) -> Vec<LaneProfile> {
        let mut since: HashMap<LaneId, (Instant, Instant)> = HashMap::new();
        for parcel in self.under_way.values() {
            let (first, last) = since.entry(parcel.lane).or_insert((parcel.since, parcel.since));
            (*first, *last) = ((*first).min(parcel.since), (*last).max(parcel.since));
        }
        let all = self.under_way_bytes;
        let lanes = self.lanes.iter_mut().map(|(id, lane)| {
            let Sending { succeeded_at, is_failing, .. } = lane.sending;
            let kept = Sending { succeeded_at, is_failing, ..Sending::default() };
            LaneProfile {
                id: *id,
                destination: Arc::clone(&lane.destination),
                unsent: lane.under_way,
                unsent_since: since.get(id).copied(),
                is_blocked: !lane.has_room(&self.limits, all),
                sending: std::mem::replace(&mut lane.sending, kept),
            }
        });
        lanes.collect()
    }
}
