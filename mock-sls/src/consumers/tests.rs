use proptest::prelude::*;

use super::*;

fn progress(shards: &[(u32, bool)]) -> Vec<Progress> {
    shards.iter().map(|(shard, finished)| Progress { shard: *shard, finished: *finished }).collect()
}

fn read(shards: &[(u32, bool)], parents: &[(u32, u32)], ordered: bool) -> Vec<u32> {
    to_read(&progress(shards), parents, ordered).into_iter().collect()
}

#[test]
fn children_wait_for_their_parents_only_in_order() {
    let parents = [(1, 0), (2, 0), (3, 1), (3, 2)];
    let unread = [(0, false), (1, false), (2, false), (3, false)];
    assert_eq!(read(&unread, &parents, true), [0]);
    assert_eq!(read(&unread, &parents, false), [0, 1, 2, 3]);
    let first_done = [(0, true), (1, false), (2, false), (3, false)];
    assert_eq!(read(&first_done, &parents, true), [1, 2]);
    let one_parent_left = [(0, true), (1, true), (2, false), (3, false)];
    assert_eq!(read(&one_parent_left, &parents, true), [2]);
    let all_done = [(0, true), (1, true), (2, true), (3, false)];
    assert_eq!(read(&all_done, &parents, true), [3]);
}

#[test]
fn an_empty_parent_does_not_let_its_children_overtake_its_own_parent() {
    let shards = [(0, false), (1, true), (2, false)];
    assert_eq!(read(&shards, &[(1, 0), (2, 1)], true), [0]);
}

#[test]
fn a_parent_that_was_deleted_is_not_waited_for() {
    assert_eq!(read(&[(3, false)], &[(3, 1)], true), [3]);
}

fn divided(shards: &[u32], consumers: &[&'static str], owners: &[(u32, &'static str)]) -> String {
    let divided = divide(
        &shards.iter().copied().collect(),
        &consumers.iter().copied().collect(),
        &owners.iter().copied().collect(),
    );
    divided.iter().map(|(shard, name)| format!("{shard}{name}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn shards_are_spread_and_stay_where_they_are() {
    assert_eq!(divided(&[0, 1, 2], &["a"], &[]), "0a 1a 2a");
    assert_eq!(divided(&[0, 1, 2, 3], &["a", "b"], &[(0, "a"), (1, "a"), (2, "a"), (3, "a")]), "0a 1a 2b 3b");
    assert_eq!(divided(&[0, 1, 2], &["a", "b"], &[(0, "b"), (1, "b"), (2, "a")]), "0b 1b 2a");
    assert_eq!(divided(&[0, 1], &["a", "b", "c"], &[(1, "c")]), "0a 1c");
    assert_eq!(divided(&[0, 1], &[], &[(0, "gone")]), "");
    assert_eq!(divided(&[0, 1], &["b"], &[(0, "gone"), (7, "b")]), "0b 1b");
}

#[test]
fn a_shard_moves_only_after_its_owner_let_it_go() {
    let owners = BTreeMap::from([(0, "a"), (1, "a")]);
    let shards = BTreeSet::from([0, 1]);
    let divided = divide(&shards, &BTreeSet::from(["a", "b"]), &owners);
    assert_eq!(divided, BTreeMap::from([(0, "a"), (1, "b")]));

    let too_early = beat("b", &BTreeSet::new(), &owners, &divided);
    assert_eq!(too_early, Beat::default());
    let told = beat("a", &shards, &owners, &divided);
    assert_eq!(told, Beat { may_read: BTreeSet::from([0]), ..Beat::default() });
    let let_go = beat("a", &BTreeSet::from([0]), &owners, &divided);
    assert_eq!(let_go.released, BTreeSet::from([1]));
    let owners = BTreeMap::from([(0, "a")]);
    let now = beat("b", &BTreeSet::new(), &owners, &divided);
    assert_eq!(
        now,
        Beat { taken: BTreeSet::from([1]), may_read: BTreeSet::from([1]), released: BTreeSet::new() }
    );
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn owners() -> impl Strategy<Value = BTreeMap<u32, &'static str>> {
    prop::collection::btree_map(0u32..40, prop::sample::select(&NAMES[..]), 0..40)
}

fn consumers() -> impl Strategy<Value = BTreeSet<&'static str>> {
    prop::collection::btree_set(prop::sample::select(&NAMES[..]), 1..NAMES.len())
}

/// How many shards somebody who lives must give up at least, so that all have equal shares.
fn fewest_moves(shards: &BTreeSet<u32>, consumers: &BTreeSet<&str>, owners: &BTreeMap<u32, &str>) -> usize {
    let mut counts: Vec<usize> = consumers
        .iter()
        .map(|name| owners.iter().filter(|(shard, owner)| shards.contains(shard) && *owner == name).count())
        .collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let (each, larger) = (shards.len() / consumers.len(), shards.len() % consumers.len());
    counts
        .iter()
        .enumerate()
        .map(|(rank, count)| count.saturating_sub(each + usize::from(rank < larger)))
        .sum()
}

proptest! {
    #[test]
    fn every_shard_goes_to_one_live_consumer_in_equal_shares_with_the_fewest_moves(
        shards in prop::collection::btree_set(0u32..40, 0..40),
        consumers in consumers(),
        owners in owners(),
    ) {
        let divided = divide(&shards, &consumers, &owners);
        prop_assert_eq!(divided.keys().copied().collect::<BTreeSet<_>>(), shards.clone());
        prop_assert!(divided.values().all(|name| consumers.contains(name)));
        let share = |name: &str| divided.values().filter(|owner| **owner == name).count();
        let shares: Vec<usize> = consumers.iter().map(|name| share(name)).collect();
        prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        let moved = divided.iter()
            .filter(|(shard, name)| owners.get(shard)
                .is_some_and(|owner| consumers.contains(owner) && owner != *name))
            .count();
        prop_assert_eq!(moved, fewest_moves(&shards, &consumers, &owners));
        prop_assert_eq!(divide(&shards, &consumers, &divided), divided.clone(), "at rest");
    }

    /// Consumers come, beat, stop reading what they may not, and die, in any order.
    #[test]
    fn no_shard_is_ever_read_by_two_live_consumers_and_all_are_read_in_the_end(
        steps in prop::collection::vec((0usize..NAMES.len(), 0u8..10), 1..120),
    ) {
        let shards: BTreeSet<u32> = (0..7).collect();
        let mut owners: BTreeMap<u32, &str> = BTreeMap::new();
        let mut reading: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let step = |owners: &mut BTreeMap<u32, &'static str>,
                    reading: &mut BTreeMap<&'static str, BTreeSet<u32>>,
                    name: &'static str| {
            let held = reading.entry(name).or_default().clone();
            let live: BTreeSet<&str> = reading.keys().copied().collect();
            let divided = divide(&shards, &live, owners);
            let beat = beat(name, &held, owners, &divided);
            owners.retain(|shard, _| !beat.released.contains(shard));
            owners.extend(beat.taken.iter().map(|shard| (*shard, name)));
            reading.insert(name, beat.may_read);
        };
        for (who, what) in steps {
            let name = NAMES[who];
            if what == 0 {
                reading.remove(name);
                owners.retain(|_, owner| *owner != name);
            } else {
                step(&mut owners, &mut reading, name);
            }
            let mut seen = BTreeSet::new();
            for shard in reading.values().flatten() {
                prop_assert!(seen.insert(*shard), "shard {} has two readers", shard);
            }
        }
        reading.entry("a").or_default();
        // A shard may go to another than was first meant, when who comes next has got one meanwhile.
        for _ in 0..shards.len() {
            for name in reading.keys().copied().collect::<Vec<_>>() {
                step(&mut owners, &mut reading, name);
            }
        }
        let seen: BTreeSet<u32> = reading.values().flatten().copied().collect();
        prop_assert_eq!(seen, shards.clone());
    }
}
