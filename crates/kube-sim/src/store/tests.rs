//! The store against a model that keeps every state it was ever in.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key(name: &str) -> Key {
    Key { resource: "pods".into(), namespace: "default".into(), name: name.into() }
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}})
}

#[test]
fn versions_rise_over_all_resources() {
    let store = Store::new(100, 10);
    let a = store.create(&key("a"), pod("a")).unwrap();
    let other = Key { resource: "nodes".into(), namespace: String::new(), name: "n".into() };
    let n = store.create(&other, json!({"metadata": {"name": "n"}})).unwrap();
    assert_eq!(meta::resource_version(&n), meta::resource_version(&a) + 1);
}

#[test]
fn a_write_against_an_old_version_is_refused() {
    let store = Store::new(100, 10);
    let v1 = meta::resource_version(&store.create(&key("a"), pod("a")).unwrap());
    store.replace(&key("a"), v1, pod("a")).unwrap();
    assert_eq!(store.replace(&key("a"), v1, pod("a")).unwrap_err(), WriteError::Moved);
    assert_eq!(store.create(&key("a"), pod("a")).unwrap_err(), WriteError::Exists);
    assert_eq!(store.remove(&key("b"), v1, pod("b")).unwrap_err(), WriteError::Missing);
}

#[test]
fn history_is_bounded_and_says_when_it_is_too_short() {
    let store = Store::new(100, 2);
    let start = store.version();
    for name in ["a", "b", "c"] {
        store.create(&key(name), pod(name)).unwrap();
    }
    let gone = store.changes_since("pods", start).unwrap_err();
    assert_eq!(gone, Compacted { requested: start, oldest: start + 1 });
    assert_eq!(store.changes_since("pods", start + 1).unwrap().changes.len(), 2);
}

/// Names in the store, in short.
fn names(objects: &BTreeMap<NsName, Object>) -> Vec<(String, u64)> {
    objects.iter().map(|((_, name), o)| (name.clone(), meta::resource_version(o))).collect()
}

proptest! {
    #[test]
    fn every_remembered_version_can_be_seen_again_and_replayed_from(
        steps in vec((0..3_u8, "[abc]"), 0..40), history in 1..20_usize
    ) {
        let store = Store::new(100, history);
        let mut states = vec![(store.version(), Vec::new())];
        for (step, name) in steps {
            let key = key(&name);
            let current = store.get(&key).map(|o| meta::resource_version(&o));
            let done = match (step, current) {
                (0, None) => store.create(&key, pod(&name)).is_ok(),
                (1, Some(version)) => store.replace(&key, version, pod(&name)).is_ok(),
                (2, Some(version)) => store.remove(&key, version, pod(&name)).is_ok(),
                _ => false,
            };
            if done {
                states.push((store.version(), names(&store.snapshot("pods").objects)));
            }
        }
        let now = names(&store.snapshot("pods").objects);
        for (version, state) in states {
            match (store.snapshot_at("pods", version), store.changes_since("pods", version)) {
                (Ok(past), Ok(batch)) => {
                    prop_assert_eq!(&names(&past.objects), &state);
                    let mut objects = past.objects;
                    for change in batch.changes {
                        let key = (meta::namespace(&change.object).to_owned(), meta::name(&change.object).to_owned());
                        match change.happened {
                            Happened::Deleted => objects.remove(&key),
                            Happened::Added | Happened::Modified => objects.insert(key, change.object),
                        };
                    }
                    prop_assert_eq!(&names(&objects), &now);
                }
                (Err(SnapshotError::Compacted(a)), Err(b)) => prop_assert_eq!(a, b),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
