//! Which consumer of a group reads which shard: pure, from what the group's consumers say.
//! [`crate::ops`] calls it with every heartbeat.
//!
//! A shard has one owner. When shards are to be divided anew, an owner keeps a shard that it is
//! to give up until a heartbeat of its does not hold it any more, and only then the next
//! consumer gets it: so no shard is read by two consumers that live. Source of handing over so:
//! the consumer libraries, which go on to report a shard until they have stopped reading it; of
//! the division itself: guess.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A shard as a consumer group sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The shard.
    pub shard: u32,
    /// Whether it is readonly and the group has read all of it.
    pub finished: bool,
}

/// The shards to be read: all that are not finished, and with `ordered` only those whose parents,
/// and the parents of these, are. `shards` are sorted by id; parents have smaller ids.
pub fn to_read(shards: &[Progress], parents: &[(u32, u32)], ordered: bool) -> BTreeSet<u32> {
    let mut waiting = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for Progress { shard, finished } in shards {
        let mut own = parents.iter().filter(|(child, _)| child == shard);
        let ready = !ordered || own.all(|(_, parent)| !waiting.contains(parent));
        if !ready || !finished {
            waiting.insert(*shard);
        }
        if ready && !finished {
            wanted.insert(*shard);
        }
    }
    wanted
}

/// Divides shards among consumers: every shard to one of them, none more than one shard ahead of
/// another, and as few shards as possible taken from who has them. Nobody gets anything when
/// there is no consumer.
pub fn divide<'c>(
    shards: &BTreeSet<u32>,
    consumers: &BTreeSet<&'c str>,
    owners: &BTreeMap<u32, &'c str>,
) -> BTreeMap<u32, &'c str> {
    let Some(each) = shards.len().checked_div(consumers.len()) else {
        return BTreeMap::new();
    };
    let mut held: BTreeMap<&str, Vec<u32>> = consumers.iter().map(|name| (*name, Vec::new())).collect();
    for (shard, owner) in owners.iter().filter(|(shard, _)| shards.contains(shard)) {
        if let Some(held) = held.get_mut(owner) {
            held.push(*shard);
        }
    }
    // Who has most gets one more of the remainder: it gives up fewer.
    let mut by_share: Vec<&'c str> = consumers.iter().copied().collect();
    by_share.sort_by_key(|name| (Reverse(held.get(name).map_or(0, Vec::len)), *name));
    let larger = shards.len() % consumers.len();
    let shares: Vec<(&'c str, usize)> =
        by_share.into_iter().zip(0..).map(|(name, rank)| (name, each + usize::from(rank < larger))).collect();

    let mut divided = BTreeMap::new();
    for (name, share) in &shares {
        let kept = held.get(name).into_iter().flatten().take(*share);
        divided.extend(kept.map(|shard| (*shard, *name)));
    }
    let free: Vec<u32> = shards.iter().filter(|shard| !divided.contains_key(shard)).copied().collect();
    let room = shares.iter().flat_map(|(name, share)| {
        let kept = held.get(name).map_or(0, Vec::len).min(*share);
        std::iter::repeat_n(*name, share - kept)
    });
    divided.extend(free.into_iter().zip(room));
    divided
}

/// What a heartbeat changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Shards that the consumer owned and has let go.
    pub released: BTreeSet<u32>,
    /// Shards that nobody owned and that the consumer owns now.
    pub taken: BTreeSet<u32>,
    /// Shards that it may read: the answer.
    pub may_read: BTreeSet<u32>,
}

/// The heartbeat of a consumer that says it holds `held`. `divided` is what [`divide`] makes.
pub fn beat(
    consumer: &str,
    held: &BTreeSet<u32>,
    owners: &BTreeMap<u32, &str>,
    divided: &BTreeMap<u32, &str>,
) -> Beat {
    let mine = |map: &BTreeMap<u32, &str>, shard: &u32| map.get(shard).is_some_and(|name| *name == consumer);
    let owned = owners.keys().filter(|shard| mine(owners, shard));
    let released = owned.filter(|shard| !held.contains(shard) && !mine(divided, shard)).copied().collect();
    let due = || divided.keys().filter(|shard| mine(divided, shard));
    Beat {
        released,
        taken: due().filter(|shard| !owners.contains_key(shard)).copied().collect(),
        may_read: due().filter(|shard| !owners.contains_key(shard) || mine(owners, shard)).copied().collect(),
    }
}

#[cfg(test)]
mod tests;
