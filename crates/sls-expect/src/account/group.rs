//! A group of logs that came, taken in log by log.

use super::accounting::{Altered, DuplicateKind, Late, LogId};
use super::contents::{self, Contents};
use super::identity::Found;
use super::repeated::Copy;
use super::stock::{CORRUPTED, DUPLICATED, NEW, PackMark, RECEIVED, TRUNCATED};
use super::{Accountant, Arrival, Field, OrderWithin};

/// A group whose logs are being counted.
#[derive(Debug)]
pub struct Group<'a> {
    pub(super) accountant: &'a mut Accountant,
    pub(super) arrival: Arrival<'a>,
    pub(super) mark: PackMark,
}

impl Group<'_> {
    /// The next log of the group: its own fields, in their order.
    pub fn add(&mut self, fields: &[Field<'_>]) {
        let Accountant { so_far, reader, .. } = &mut *self.accountant;
        so_far.received += 1;
        let Some(found) = reader.find(fields, self.arrival.tags) else {
            return self.accountant.unidentified(fields);
        };
        // A log need not say its run where there is but one.
        let only_run = if found.run.is_none() { self.accountant.only_run.clone() } else { None };
        let run = found.run.or(only_run.as_deref().map(str::as_bytes)).unwrap_or_default();
        self.add_found(run, &found, fields);
    }

    fn add_found(&mut self, run: &[u8], found: &Found<'_>, fields: &[Field<'_>]) {
        let accountant = &mut *self.accountant;
        let at = accountant.source(run, found.source);
        let listed_max = accountant.options.listed_max;
        let (Some(at), ledger) = (at, &accountant.ledger) else {
            return accountant.unexpected(run, found.source, found.seq);
        };
        let (Some(source), Some(stock)) = (ledger.sources().get(at), accountant.stocks.get_mut(at)) else {
            return;
        };
        let Some(place) = source.place(found.seq, &mut stock.hint) else {
            return accountant.unexpected(run, found.source, found.seq);
        };
        let contents = contents::compare(fields, source.line(place), source.values(place));
        if found.at_end && matches!(contents, Contents::Corrupted { .. } | Contents::Truncated { .. }) {
            // The log is cut, and perhaps within its number: it may be any that begins like that.
            return accountant.unidentified(fields);
        }
        let id =
            || LogId { run: source.run().to_owned(), source: source.source().to_owned(), seq: found.seq };
        let so_far = &mut accountant.so_far;
        stock.counts.received += 1;
        if stock.set(place.rank, RECEIVED) {
            let kind = accountant.repeated.add(
                (at as u32, place.rank),
                found.seq,
                Copy {
                    group: accountant.groups,
                    mark: self.mark,
                    first_mark: stock.pack(place.rank),
                    first_in_this_group: stock.state(place.rank) & NEW != 0,
                    listed_max,
                },
            );
            stock.counts.duplicates += 1;
            so_far.duplicates.count += 1;
            so_far.duplicates.logs += u64::from(!stock.set(place.rank, DUPLICATED));
            match kind {
                DuplicateKind::Retry => so_far.duplicates.retries += 1,
                DuplicateKind::ReadTwice => so_far.duplicates.read_twice += 1,
            }
        } else {
            stock.set(place.rank, NEW);
            accountant.new.push((at as u32, place.rank));
            stock.set_pack(place.rank, self.mark);
            stock.counts.unique += 1;
            so_far.unique += 1;
            let within = match accountant.options.order_within {
                OrderWithin::Logstore => 0,
                OrderWithin::Shard => self.arrival.shard,
            };
            stock.order(within).arrive(place.rank, &mut accountant.room, listed_max);
            if let Some(written) = source.time(place) {
                let ms = self.arrival.received_ms.saturating_sub(written);
                accountant.latencies.add(ms);
                if accountant.options.late_after_ms.is_some_and(|late| ms > late) {
                    stock.counts.late += 1;
                    so_far.late.add(listed_max, || Late { id: id(), ms });
                }
            }
        }
        let altered = |written, got| Altered { id: id(), written, got };
        match contents {
            Contents::Intact => {}
            Contents::Unchecked => so_far.unchecked += 1,
            Contents::Corrupted { written, got } => {
                if !stock.set(place.rank, CORRUPTED) {
                    stock.counts.corrupted += 1;
                    so_far.corrupted.add(listed_max, || altered(written, got));
                }
            }
            Contents::Truncated { written, got } => {
                if !stock.set(place.rank, TRUNCATED) {
                    stock.counts.truncated += 1;
                    so_far.truncated.add(listed_max, || altered(written, got));
                }
            }
        }
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        let Accountant { new, stocks, .. } = &mut *self.accountant;
        for (source, rank) in new.drain(..) {
            if let Some(stock) = stocks.get_mut(source as usize) {
                stock.clear(rank, NEW);
            }
        }
    }
}
