//! What has come of each log of a source: a few bits and the pack in which it came first.

use super::accounting::SourceAccount;
use super::order::Order;
use crate::ledger::Source;

/// It came.
pub const RECEIVED: u8 = 1;
/// It came again.
pub const DUPLICATED: u8 = 1 << 1;
/// It came with other contents.
pub const CORRUPTED: u8 = 1 << 2;
/// It came shorter.
pub const TRUNCATED: u8 = 1 << 3;
/// It came for the first time in the group that is being counted.
pub const NEW: u8 = 1 << 4;

/// Identity of a pack; 0 if it has none. A hash of 32 bits: that two packs of one log have the same by chance
/// happens once in four thousand million duplicates, and then a copy is called a retry that is none.
pub type PackMark = u32;

/// What has come of one source. Ranks are those of the ledger.
#[derive(Debug)]
pub struct Stock {
    states: Vec<u8>,
    /// By rank, the pack of the first copy.
    packs: Vec<PackMark>,
    /// By the place whose order counts: a shard, or 0 for all of them. Nearly always one.
    orders: Vec<(u32, Order)>,
    /// Where the last number was found in the ledger.
    pub hint: usize,
    pub counts: SourceAccount,
}

impl Stock {
    pub fn new(source: &Source) -> Self {
        let entries = source.entries() as usize;
        let counts = SourceAccount {
            run: source.run().to_owned(),
            source: source.source().to_owned(),
            sent: u64::from(source.entries()),
            ..SourceAccount::default()
        };
        Self { states: vec![0; entries], packs: vec![0; entries], orders: Vec::new(), hint: 0, counts }
    }

    pub fn state(&self, rank: u32) -> u8 {
        self.states.get(rank as usize).copied().unwrap_or_default()
    }

    /// Sets bits; says whether they were all set before.
    pub fn set(&mut self, rank: u32, bits: u8) -> bool {
        let Some(state) = self.states.get_mut(rank as usize) else { return false };
        let was = *state & bits == bits;
        *state |= bits;
        was
    }

    pub fn clear(&mut self, rank: u32, bits: u8) {
        if let Some(state) = self.states.get_mut(rank as usize) {
            *state &= !bits;
        }
    }

    pub fn pack(&self, rank: u32) -> PackMark {
        self.packs.get(rank as usize).copied().unwrap_or_default()
    }

    pub fn set_pack(&mut self, rank: u32, pack: PackMark) {
        if let Some(first) = self.packs.get_mut(rank as usize) {
            *first = pack;
        }
    }

    /// The order of arrival at a place.
    pub fn order(&mut self, place: u32) -> &mut Order {
        let at = match self.orders.iter().position(|(known, _)| *known == place) {
            Some(at) => at,
            None => {
                self.orders.push((place, Order::default()));
                self.orders.len() - 1
            }
        };
        // It is there: found or pushed above.
        &mut self.orders[at].1
    }

    pub fn take_orders(&mut self) -> Vec<(u32, Order)> {
        std::mem::take(&mut self.orders)
    }

    /// Calls `f` with each stretch of logs that have not come: first and last number.
    pub fn missing(&self, source: &Source, mut f: impl FnMut(u64, u64)) {
        for (ranks, first) in source.stretches() {
            let states = self.states.get(ranks.start as usize..ranks.end as usize).unwrap_or_default();
            let mut open: Option<u64> = None;
            for (number, state) in states.iter().enumerate() {
                let seq = first + number as u64;
                match (state & RECEIVED == 0, open) {
                    (true, None) => open = Some(seq),
                    (false, Some(from)) => {
                        f(from, seq - 1);
                        open = None;
                    }
                    _ => {}
                }
            }
            if let Some(from) = open {
                f(from, first + (states.len() as u64 - 1));
            }
        }
    }
}
