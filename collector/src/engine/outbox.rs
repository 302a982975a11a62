//! What waits for the server: one lane per destination, each bounded, and the parcels under way.
//!
//! A *parcel* is one PutLogs request. The outbox compresses, counts and hands parcels to a
//! [`Carrier`]; the engine is told of the outcome and gives it to [`Outbox::settle`]. A lane that
//! has no room stops the reading of its files (back-pressure), never drops. Called by `engine` only.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sls_api::codec::{self, Compression};

use super::Limits;
use super::tracked::FileKey;
use crate::checkpoint::ParcelId;
use crate::pipeline::Destination;

/// Buffers kept for the next groups, each up to the size of a full group.
const SPARE_BUFFERS_MAX: usize = 2;

/// One request body under way.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub id: ParcelId,
    pub destination: Arc<Destination>,
    /// Parcels of the same file must arrive in the order in which they were given.
    pub file: FileKey,
    /// A LogGroup, compressed by `compression`.
    pub body: Bytes,
    pub compression: Compression,
    /// Bytes of the LogGroup before compression.
    pub raw_bytes: usize,
    pub logs: u32,
}

/// What became of a parcel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged,
    /// Refused for good; `logs_lost` of its logs are gone (some may have been delivered).
    Refused {
        logs_lost: u32,
    },
}

/// Takes parcels to the server; reports each one's outcome to the engine, at some time.
pub trait Carrier: Send {
    fn carry(&mut self, parcel: Parcel);
}

/// Names a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(u32);

/// A parcel that was settled.
#[derive(Debug)]
pub struct Settled {
    pub lane: LaneId,
    pub file: FileKey,
    pub raw_bytes: usize,
    pub logs: u32,
    body_bytes: usize,
}

#[derive(Debug)]
struct Lane {
    destination: Arc<Destination>,
    under_way: usize,
    under_way_bytes: usize,
    last_sent: Option<Instant>,
    /// Files with logs that are not in a parcel yet, the longest waiting first.
    open: VecDeque<(FileKey, Instant)>,
    /// Files that may not be read before there is room.
    blocked: Vec<FileKey>,
}

/// All lanes.
pub struct Outbox {
    limits: Limits,
    carrier: Box<dyn Carrier>,
    lanes: HashMap<LaneId, Lane>,
    by_destination: HashMap<Destination, LaneId>,
    under_way: HashMap<ParcelId, Settled>,
    under_way_bytes: usize,
    next_lane: u32,
    next_parcel: u64,
    scratch: Vec<u8>,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    pub fn new(limits: Limits, carrier: Box<dyn Carrier>) -> Self {
        Self {
            limits,
            carrier,
            lanes: HashMap::new(),
            by_destination: HashMap::new(),
            under_way: HashMap::new(),
            under_way_bytes: 0,
            next_lane: 0,
            next_parcel: 0,
            scratch: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// The lane to `destination`.
    pub fn lane(&mut self, destination: &Destination) -> LaneId {
        if let Some(id) = self.by_destination.get(destination) {
            return *id;
        }
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        self.by_destination.insert(destination.clone(), id);
        let lane = Lane {
            destination: Arc::new(destination.clone()),
            under_way: 0,
            under_way_bytes: 0,
            last_sent: None,
            open: VecDeque::new(),
            blocked: Vec::new(),
        };
        self.lanes.insert(id, lane);
        id
    }

    /// True if logs read now for this lane can be sent without piling up.
    pub fn has_room(&self, lane: LaneId) -> bool {
        let Some(lane) = self.lanes.get(&lane) else { return false };
        let total_full = self.under_way_bytes >= self.limits.under_way_bytes_max;
        lane.under_way == 0
            || (lane.under_way < self.limits.lane_parcels_max
                && lane.under_way_bytes < self.limits.lane_bytes_max
                && !total_full)
    }

    /// `file` is not to be read before the lane has room.
    pub fn block(&mut self, lane: LaneId, file: FileKey) {
        if let Some(lane) = self.lanes.get_mut(&lane)
            && !lane.blocked.contains(&file)
        {
            lane.blocked.push(file);
        }
    }

    /// The files that were blocked, if there is room now.
    pub fn unblocked(&mut self, lane: LaneId) -> Vec<FileKey> {
        if !self.has_room(lane) {
            return Vec::new();
        }
        self.lanes.get_mut(&lane).map(|l| std::mem::take(&mut l.blocked)).unwrap_or_default()
    }

    /// `file` has logs that are not in a parcel yet.
    pub fn opened(&mut self, lane: LaneId, file: FileKey, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.open.push_back((file, now));
        }
    }

    /// `file` has no such logs any more.
    pub fn closed(&mut self, lane: LaneId, file: FileKey) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.open.retain(|(f, _)| *f != file);
        }
    }

    /// The file whose logs should go into a parcel now.
    ///
    /// When nothing is under way the link is idle and waiting gains nothing, save that requests
    /// keep a distance ([`Limits::send_spacing`]); otherwise logs gather up to [`Limits::linger`].
    pub fn due(&self, lane: LaneId, now: Instant, at_once: bool) -> Option<FileKey> {
        let lane_state = self.lanes.get(&lane)?;
        let (file, _) = lane_state.open.front()?;
        let due = at_once || self.due_at(lane_state).is_some_and(|at| at <= now);
        (due && self.has_room(lane)).then_some(*file)
    }

    /// The file whose logs have waited for [`Limits::linger`].
    pub fn lingering(&self, lane: LaneId, now: Instant) -> Option<FileKey> {
        let (file, since) = self.lanes.get(&lane)?.open.front()?;
        (*since + self.limits.linger <= now && self.has_room(lane)).then_some(*file)
    }

    fn due_at(&self, lane: &Lane) -> Option<Instant> {
        let (_, since) = lane.open.front()?;
        let lingered = *since + self.limits.linger;
        if lane.under_way > 0 {
            return Some(lingered);
        }
        let spaced = lane.last_sent.map_or(*since, |sent| sent + self.limits.send_spacing);
        Some(spaced.min(lingered))
    }

    /// When [`Self::due`] may next have something that it has not now.
    pub fn next_due(&self) -> Option<Instant> {
        let with_room = self.lanes.iter().filter(|(id, _)| self.has_room(**id));
        with_room.filter_map(|(_, lane)| self.due_at(lane)).min()
    }

    pub fn lane_ids(&self) -> Vec<LaneId> {
        self.lanes.keys().copied().collect()
    }

    /// Sends the LogGroup `group`.
    pub fn send(
        &mut self,
        lane_id: LaneId,
        file: FileKey,
        group: Vec<u8>,
        logs: u32,
        now: Instant,
    ) -> ParcelId {
        let id = ParcelId(self.next_parcel);
        self.next_parcel += 1;
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return id };
        let raw_bytes = group.len();
        self.scratch.clear();
        let wanted = lane.destination.compression;
        let (body, compression) = match codec::compress(&group, wanted, &mut self.scratch) {
            Ok(()) => (Bytes::copy_from_slice(&self.scratch), wanted),
            Err(error) => {
                tracing::warn!(%error, "a request is sent uncompressed");
                (Bytes::copy_from_slice(&group), Compression::None)
            }
        };
        let body_bytes = body.len();
        lane.under_way += 1;
        lane.under_way_bytes += body_bytes;
        lane.last_sent = Some(now);
        self.under_way_bytes += body_bytes;
        self.under_way.insert(id, Settled { lane: lane_id, file, raw_bytes, logs, body_bytes });
        let destination = Arc::clone(&lane.destination);
        self.carrier.carry(Parcel { id, destination, file, body, compression, raw_bytes, logs });
        self.keep_spare(group);
        id
    }

    /// A parcel came to its end; `None` if it is not known.
    pub fn settle(&mut self, id: ParcelId) -> Option<Settled> {
        let settled = self.under_way.remove(&id)?;
        self.under_way_bytes -= settled.body_bytes;
        if let Some(lane) = self.lanes.get_mut(&settled.lane) {
            lane.under_way -= 1;
            lane.under_way_bytes -= settled.body_bytes;
        }
        Some(settled)
    }

    /// Parcels and logs that are not acknowledged yet.
    pub fn unsettled(&self) -> (usize, u64) {
        (self.under_way.len(), self.under_way.values().map(|s| u64::from(s.logs)).sum())
    }

    /// A buffer for the next group.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    fn keep_spare(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS_MAX && buffer.capacity() <= 4 * self.limits.group_text_bytes_max {
            self.spare.push(buffer);
        }
    }

    /// Gives back memory that is only of use under load.
    pub fn release_memory(&mut self) {
        self.scratch = Vec::new();
        self.spare = Vec::new();
    }
}
