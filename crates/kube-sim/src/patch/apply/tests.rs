//! Properties of server-side apply over small, colliding objects.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::registry::{Registry, Resource};

fn deployments() -> std::sync::Arc<Resource> {
    Registry::with_builtins().find("apps", "v1", "deployments").unwrap()
}

/// Containers with few names, so that lists overlap.
fn containers() -> impl Strategy<Value = Value> {
    let env = btree_map("[AB]", "[12]", 0..3)
        .prop_map(|m| m.into_iter().map(|(k, v)| json!({"name": k, "value": v})).collect::<Value>());
    let container = (prop::option::of("[ij]"), prop::option::of(env)).prop_map(|(image, env)| {
        let mut c = json!({});
        if let Some(image) = image {
            c["image"] = image.into();
        }
        if let Some(env) = env.filter(|e| e != &json!([])) {
            c["env"] = env;
        }
        c
    });
    vec(("[abc]", container), 0..4).prop_map(|list| {
        let mut seen = Vec::new();
        for (name, mut container) in list {
            container["name"] = name.clone().into();
            if !seen.iter().any(|c: &Value| c["name"] == name) {
                seen.push(container);
            }
        }
        Value::Array(seen)
    })
}

fn configuration() -> impl Strategy<Value = Value> {
    let labels = btree_map("[xyz]", "[12]", 0..3);
    (labels, containers(), prop::option::of(0..3_i64)).prop_map(|(labels, containers, replicas)| {
        let mut config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
        if !labels.is_empty() {
            config["metadata"]["labels"] = json!(labels);
        }
        if containers != json!([]) {
            config["spec"]["template"]["spec"]["containers"] = containers;
        }
        if let Some(replicas) = replicas {
            config["spec"]["replicas"] = replicas.into();
        }
        config
    })
}

fn writer(name: &str) -> Writer {
    Writer {
        manager: name.to_owned(),
        operation: "Apply",
        api_version: "apps/v1".to_owned(),
        subresource: String::new(),
    }
}

/// Applies as a manager, with force, and stores the new ownership.
fn applied(live: Option<&Value>, config: &Value, manager: &str) -> Value {
    let resource = deployments();
    let writer = writer(manager);
    let shape = Shape::of(&resource);
    let request = Request { live, config, writer: &writer, force: true, shape, now: "now" };
    let result = apply(&request).unwrap();
    let mut object = result.object;
    managed::write(&mut object, &result.entries);
    object
}

/// True if every field of the configuration is in the object.
fn contains(object: &Value, config: &Value) -> bool {
    match (object, config) {
        (Value::Object(object), Value::Object(config)) => {
            config.iter().all(|(k, v)| object.get(k).is_some_and(|o| contains(o, v)))
        }
        (Value::Array(object), Value::Array(config)) => config
            .iter()
            .all(|item| object.iter().any(|o| o.get("name") == item.get("name") && contains(o, item))),
        (object, config) => object == config,
    }
}

proptest! {
    #[test]
    fn what_was_applied_is_there_and_applying_it_again_changes_nothing(
        first in configuration(), second in configuration()
    ) {
        let live = applied(None, &first, "one");
        let merged = applied(Some(&live), &second, "two");
        prop_assert!(contains(&merged, &second), "{merged}");
        prop_assert_eq!(applied(Some(&merged), &second, "two"), merged);
    }

    #[test]
    fn giving_everything_up_leaves_what_others_own(first in configuration(), second in configuration()) {
        let live = applied(None, &first, "one");
        let both = applied(Some(&live), &second, "two");
        let nothing = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}});
        let left = applied(Some(&both), &nothing, "two");
        let owned = managed::read(&left);
        prop_assert!(owned.iter().all(|e| e.manager == "one"), "{left}");
        // Every leaf that is left belongs to someone.
        let resource = deployments();
        let mut leaves = Fields::of(&left, Shape::of(&resource));
        managed::strip_unowned(&mut leaves);
        let mut owned = owned.into_iter().fold(Fields::default(), |sum, e| sum.union(&e.fields));
        // Identities of list items stay with the items.
        owned = owned.union(&leaves.intersection(&owned));
        for path in leaves.minus(&owned).paths() {
            prop_assert!(path.ends_with("name"), "{path} is nobody's in {left}");
        }
    }

    #[test]
    fn without_force_a_value_of_another_manager_is_never_changed(
        first in configuration(), second in configuration()
    ) {
        let resource = deployments();
        let live = applied(None, &first, "one");
        let writer = writer("two");
        let shape = Shape::of(&resource);
        let request = Request { live: Some(&live), config: &second, writer: &writer, force: false, shape, now: "" };
        match apply(&request) {
            Ok(result) => prop_assert!(contains(&result.object, &first), "{}", result.object),
            Err(conflicts) => prop_assert!(!conflicts.is_empty()),
        }
    }

    #[test]
    fn fields_survive_the_way_over_the_wire(config in configuration()) {
        let resource = deployments();
        let fields = Fields::of(&config, Shape::of(&resource));
        let again = Fields { own: false, ..Fields::from_v1(&fields.to_v1()) };
        prop_assert_eq!(again, fields);
    }
}
