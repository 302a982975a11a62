//! What waits for the server: one lane per destination, each bounded, and the parcels under way.
//!
//! A *parcel* is one PutLogs request. The outbox compresses, counts and hands parcels to a
//! [`Carrier`]; the engine is told of the outcome and gives it to [`Outbox::settle`]. A lane that
//! has no room stops the reading of its files (back-pressure), never drops. Called by `engine` only.

mod packing;
mod parcel;
mod rate;
mod sending;
mod spare;

pub use parcel::{Carrier, Outcome, PackedGroup, Parcel, Route};
pub use rate::Limit;
pub use sending::LaneProfile;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use sls_api::codec::Compression;

use self::packing::{Packing, expected_bytes};
use self::rate::Rates;
use self::spare::Spare;
use super::Limits;
use super::profile::Sending;
use super::tracked::FileKey;
use crate::checkpoint::ParcelId;
use crate::pipeline::Destination;

/// A buffer is kept if it is at most that many times as long as the texts of a full group.
const SPARE_BYTES_PER_TEXT_MAX: usize = 4;

/// Names a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId(u32);

/// What a settled parcel held of one file.
#[derive(Debug)]
pub struct Settled {
    pub file: FileKey,
    pub raw_bytes: usize,
    pub source_bytes: u64,
    pub logs: u32,
}

#[derive(Debug)]
struct UnderWay {
    lane: LaneId,
    since: Instant,
    body_bytes: usize,
    parts: Vec<Settled>,
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
    blocked: BTreeSet<FileKey>,
    /// The parcel that is being filled, and its bytes before compression.
    filling: Option<Parcel>,
    filling_bytes: usize,
    /// Something was delivered.
    has_worked: bool,
    sending: Sending,
}

impl Lane {
    fn has_room(&self, limits: &Limits, all_under_way_bytes: usize) -> bool {
        self.under_way == 0
            || (self.under_way < limits.lane_parcels_max
                && self.under_way_bytes < limits.lane_bytes_max
                && all_under_way_bytes < limits.under_way_bytes_max)
    }

    fn has_something_to_send(&self) -> bool {
        !self.open.is_empty() || !self.blocked.is_empty()
    }
}

/// All lanes.
pub struct Outbox {
    limits: Limits,
    carrier: Box<dyn Carrier>,
    lanes: BTreeMap<LaneId, Lane>,
    by_destination: HashMap<Destination, LaneId>,
    rates: Rates,
    under_way: HashMap<ParcelId, UnderWay>,
    under_way_bytes: usize,
    /// Encoded bytes of all logs that are not in a parcel yet.
    open_bytes: usize,
    next_lane: u32,
    next_parcel: u64,
    /// Numbered parcels, which may not be sent before the checkpoint knows of them.
    held: Vec<Parcel>,
    /// Parcels that are sent at the end of the turn.
    posted: Vec<Parcel>,
    packing: Packing,
    spare: Spare,
}

impl Outbox {
    pub fn new(limits: Limits, carrier: Box<dyn Carrier>) -> Self {
        Self {
            packing: Packing::new(limits.threads),
            limits,
            carrier,
            lanes: BTreeMap::new(),
            by_destination: HashMap::new(),
            rates: Rates::default(),
            under_way: HashMap::new(),
            under_way_bytes: 0,
            open_bytes: 0,
            next_lane: 0,
            next_parcel: 0,
            held: Vec::new(),
            posted: Vec::new(),
            spare: Spare::default(),
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
            blocked: BTreeSet::new(),
            filling: None,
            filling_bytes: 0,
            has_worked: false,
            sending: Sending::default(),
        };
        self.lanes.insert(id, lane);
        id
    }

    /// Keeps only lanes to `used` destinations, and those that have still something to deliver.
    pub fn keep_lanes(&mut self, used: &HashSet<&Destination>) {
        let carrier = &mut self.carrier;
        self.lanes.retain(|_, lane| {
            let is_empty = lane.under_way == 0 && lane.open.is_empty() && lane.filling.is_none();
            let keeps = used.contains(&*lane.destination) || !is_empty;
            if !keeps {
                carrier.forget(&lane.destination);
            }
            keeps
        });
        self.by_destination.retain(|_, id| self.lanes.contains_key(id));
    }

    /// A config names another destination now. If the one before has never taken anything and fails, it was wrong:
    /// what is under way there would wait for ever, and goes to the other one, if all of it is of this config.
    pub fn redirect(
        &mut self,
        (from, to): (&Destination, &Destination),
        is_of_config: impl Fn(FileKey) -> bool,
        now: Instant,
    ) {
        let Some(id) = self.by_destination.get(from).copied() else { return };
        self.post(id, now);
        let Some(lane) = self.lanes.get(&id) else { return };
        let of_lane = self.under_way.values().filter(|parcel| parcel.lane == id);
        let is_all = of_lane.flat_map(|parcel| &parcel.parts).all(|part| is_of_config(part.file));
        if lane.has_worked || !lane.sending.is_failing || !is_all {
            return;
        }
        let to_shared = Arc::new(to.clone());
        let waiting = self.held.iter_mut().chain(&mut self.posted);
        for parcel in waiting.filter(|parcel| *parcel.destination == *from) {
            parcel.destination = Arc::clone(&to_shared);
        }
        self.carrier.redirect(from, to);
    }

    /// Exactly these rates hold from now on.
    pub fn limit<'d>(&mut self, limits: impl IntoIterator<Item = (&'d Destination, Limit)>, now: Instant) {
        self.rates.set(limits, now);
    }

    /// Time has passed: Logstores with a rate have earned a share.
    pub fn advance(&mut self, now: Instant) {
        self.rates.advance(now);
    }

    /// When a lane that has something to send and no share may have one, counted from `now`, the moment of the last
    /// [`Self::advance`].
    pub fn next_share(&self, now: Instant) -> Option<Instant> {
        let waiting = self.lanes.values().filter(|lane| lane.has_something_to_send());
        let share = waiting.filter_map(|lane| self.rates.wait(&lane.destination)).min()?;
        Some(self.rates.next_end().map_or(now + share, |end| end.min(now + share)))
    }

    fn has_room(&self, lane: &Lane) -> bool {
        lane.has_room(&self.limits, self.under_way_bytes) && self.rates.wait(&lane.destination).is_none()
    }

    fn may_send(&self, lane: LaneId) -> bool {
        self.lanes.get(&lane).is_some_and(|lane| self.has_room(lane))
    }

    /// True if logs read now for this lane would not pile up.
    pub fn may_read(&self, lane: LaneId) -> bool {
        let has_nothing_open = self.lanes.get(&lane).is_some_and(|l| l.open.is_empty());
        self.may_send(lane) && (has_nothing_open || !self.is_overfull())
    }

    /// So many logs wait for company that some should go without.
    pub fn is_overfull(&self) -> bool {
        self.open_bytes >= self.limits.open_bytes_max
    }

    /// The file that waits longest among those that could be sent.
    pub fn longest_waiting(&self) -> Option<FileKey> {
        let sendable = self.lanes.values().filter(|lane| self.has_room(lane));
        sendable.filter_map(|l| l.open.front()).min_by_key(|(_, since)| *since).map(|(file, _)| *file)
    }

    /// `file` is not to be read before the lane has room.
    pub fn block(&mut self, lane: LaneId, file: FileKey) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.blocked.insert(file);
        }
    }

    /// The files that were blocked and may be read now.
    ///
    /// A lane that was full is read for again when half of it is free: so there are several parcels at once, whose
    /// digests are cheaper together, and the reader does not wake up for each.
    pub fn take_unblocked(&mut self) -> Vec<FileKey> {
        let half_full = self.limits.lane_parcels_max / 2;
        let waiting =
            self.lanes.iter().filter(|(_, lane)| !lane.blocked.is_empty() && lane.under_way <= half_full);
        let free: Vec<LaneId> = waiting.map(|(id, _)| *id).filter(|id| self.may_read(*id)).collect();
        let mut files = Vec::new();
        for id in free {
            if let Some(lane) = self.lanes.get_mut(&id) {
                files.extend(std::mem::take(&mut lane.blocked));
            }
        }
        files
    }

    /// Something may be read or sent as soon as a parcel is settled.
    pub fn waits_for_room(&self) -> bool {
        let is_waiting = |lane: &Lane| {
            !lane.blocked.is_empty()
                || (!lane.open.is_empty() && !lane.has_room(&self.limits, self.under_way_bytes))
        };
        self.lanes.values().any(is_waiting)
    }

    /// `file` has logs that are not in a parcel yet.
    pub fn opened(&mut self, lane: LaneId, file: FileKey, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.open.push_back((file, now));
        }
    }

    /// Such logs became more by this many encoded bytes.
    pub fn grew(&mut self, bytes: usize) {
        self.open_bytes += bytes;
    }

    /// `file` has no such logs any more; they had this many encoded bytes.
    pub fn closed(&mut self, lane: LaneId, file: FileKey, bytes: usize) {
        self.open_bytes = self.open_bytes.saturating_sub(bytes);
        let Some(lane) = self.lanes.get_mut(&lane) else { return };
        match lane.open.front() {
            Some((first, _)) if *first == file => drop(lane.open.pop_front()),
            _ => lane.open.retain(|(f, _)| *f != file),
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
        (due && self.may_send(lane)).then_some(*file)
    }

    /// The file whose logs have waited for [`Limits::linger`].
    pub fn lingering(&self, lane: LaneId, now: Instant) -> Option<FileKey> {
        let (file, since) = self.lanes.get(&lane)?.open.front()?;
        (*since + self.limits.linger <= now && self.may_send(lane)).then_some(*file)
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
        let with_room = self.lanes.iter().filter(|(id, _)| self.may_send(**id));
        with_room.filter_map(|(_, lane)| self.due_at(lane)).min()
    }

    pub fn lane_ids(&self) -> Vec<LaneId> {
        self.lanes.keys().copied().collect()
    }

    /// Puts the LogGroup `group`, of so many logs from so many bytes, into the next parcel of the lane, which is
    /// sent when it is full or by [`Self::post`]; one whose route names a key travels alone and at once.
    pub fn put(
        &mut self,
        lane_id: LaneId,
        file: FileKey,
        route: Route,
        (group, logs, source_bytes): (Vec<u8>, u32, u64),
        now: Instant,
    ) -> ParcelId {
        let packed = PackedGroup { source_bytes, ..self.pack(lane_id, file, group, logs) };
        if route != Route::Any {
            self.post(lane_id, now); // what came before goes before
        }
        let fresh = ParcelId(self.next_parcel);
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return fresh };
        let destination = &lane.destination;
        self.rates.spend(destination, packed.raw_bytes);
        let is_alone = route != Route::Any;
        let parcel = lane.filling.get_or_insert_with(|| {
            self.next_parcel += 1;
            Parcel { id: fresh, destination: Arc::clone(destination), route, groups: Vec::new() }
        });
        let id = parcel.id;
        lane.filling_bytes += packed.raw_bytes;
        parcel.groups.push(packed);
        if is_alone || lane.filling_bytes >= self.limits.group_text_bytes_max {
            self.post(lane_id, now);
        }
        id
    }

    fn pack(&mut self, lane: LaneId, file: FileKey, group: Vec<u8>, logs: u32) -> PackedGroup {
        let wanted = self.lanes.get(&lane).map_or(Compression::None, |l| l.destination.compression);
        let raw_bytes = group.len();
        let (body, compression) = if self.packing.is_shared() {
            (group.into(), Compression::None)
        } else {
            let packed = self.packing.pack(&group, wanted);
            self.spare.keep(group, SPARE_BYTES_PER_TEXT_MAX * self.limits.group_text_bytes_max);
            packed
        };
        PackedGroup { file, body, digest: None, compression, raw_bytes, source_bytes: 0, logs }
    }

    /// Sends the parcel that was being filled, if there is one.
    pub fn post(&mut self, lane_id: LaneId, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&lane_id) else { return };
        let Some(parcel) = lane.filling.take() else { return };
        lane.filling_bytes = 0;
        let body_bytes = expected_bytes(&parcel);
        lane.under_way += 1;
        lane.under_way_bytes += body_bytes;
        lane.last_sent = Some(now);
        self.under_way_bytes += body_bytes;
        let part = |g: &PackedGroup| Settled {
            file: g.file,
            raw_bytes: g.raw_bytes,
            source_bytes: g.source_bytes,
            logs: g.logs,
        };
        let parts = parcel.groups.iter().map(part).collect();
        self.under_way.insert(parcel.id, UnderWay { lane: lane_id, since: now, body_bytes, parts });
        match parcel.route {
            Route::Numbered { .. } => self.held.push(parcel),
            Route::Any | Route::Key(_) => self.posted.push(parcel),
        }
    }

    /// The files of the parcels that wait for [`Self::release_held`].
    pub fn held_files(&self) -> BTreeSet<FileKey> {
        self.held.iter().flat_map(|parcel| &parcel.groups).map(|group| group.file).collect()
    }

    /// The checkpoint on disk says what is in these parcels: they may be sent.
    pub fn release_held(&mut self) {
        self.posted.append(&mut self.held);
    }

    /// Hands over what was posted, if there is enough for all threads: so it is on its way while more is parsed.
    pub fn hand_over_full_shares(&mut self) {
        if self.packing.is_shared() && self.posted.len() >= self.packing.threads() {
            self.hand_over();
        }
    }

    /// Hands over what was posted: the end of a turn.
    pub fn hand_over(&mut self) {
        if self.packing.is_shared() {
            self.packing.pack_together(&mut self.posted);
            for parcel in &self.posted {
                let Some(under_way) = self.under_way.get_mut(&parcel.id) else { continue };
                let expected = std::mem::replace(&mut under_way.body_bytes, expected_bytes(parcel));
                let real = |all: usize| all - expected + under_way.body_bytes;
                self.under_way_bytes = real(self.under_way_bytes);
                if let Some(lane) = self.lanes.get_mut(&under_way.lane) {
                    lane.under_way_bytes = real(lane.under_way_bytes);
                }
            }
        } else {
            Parcel::digest_together(&mut self.posted);
        }
        for parcel in self.posted.drain(..) {
            self.carrier.carry(parcel);
        }
    }

    /// [`Self::post`] for all lanes, before [`Self::hand_over`].
    pub fn post_all(&mut self, now: Instant) {
        let filling = self.lanes.iter().filter(|(_, lane)| lane.filling.is_some());
        for lane in filling.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.post(lane, now);
        }
    }

    /// A parcel came to its end, refused in part or as a whole or not: what it held, and how long it was.
    pub fn settle(&mut self, id: ParcelId, is_refused: bool, now: Instant) -> (Vec<Settled>, usize) {
        let Some(ended) = self.under_way.remove(&id) else { return Default::default() };
        self.under_way_bytes -= ended.body_bytes;
        if let Some(lane) = self.lanes.get_mut(&ended.lane) {
            lane.under_way -= 1;
            lane.under_way_bytes -= ended.body_bytes;
            lane.sending.is_failing = false;
            match is_refused {
                true => lane.sending.discarded += 1,
                false => {
                    lane.has_worked = true;
                    lane.sending.succeeded += 1;
                    lane.sending.succeeded_at = Some(now);
                }
            }
        }
        (ended.parts, ended.body_bytes)
    }

    /// Parcels that are not acknowledged yet.
    pub fn parcels_under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The same, and their logs.
    pub fn unsettled(&self) -> (usize, u64) {
        (
            self.parcels_under_way(),
            self.under_way.values().flat_map(|p| &p.parts).map(|part| u64::from(part.logs)).sum(),
        )
    }

    /// A buffer for the next group.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.spare.take()
    }

    /// Gives back memory that is only of use under load.
    pub fn release_memory(&mut self) {
        self.packing.release_memory();
        self.spare = Spare::default();
    }
}
