//! What is planned for what is there; and that carrying a plan out leaves nothing to plan.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sls_api::names::MachineGroupName;
use sls_api::ops::logstores::Logstore;
use sls_api::ops::machine_groups::MachineGroup;

use super::*;
use crate::apply::{logstore_settings, logtail_config};
use crate::crd::InputType;
use crate::desired::{ClassicConfig, DesiredLogstore, Dialect, OWNER_TAG, Owner, PipelineDraft, Target};

fn group(name: &str) -> MachineGroupName {
    name.parse().unwrap()
}

fn desired(groups: &[&str], detail: Value) -> Desired {
    let mut input_detail = detail.as_object().unwrap().clone();
    sls_api::logtail::complete_input_detail(&mut input_detail);
    Desired {
        target: Target { project: "project-a".parse().unwrap(), config: "config".parse().unwrap() },
        endpoint: None,
        account: None,
        project_description: None,
        destination: "store".parse().unwrap(),
        logstores: vec![DesiredLogstore {
            name: "store".parse().unwrap(),
            dialect: Dialect::Classic,
            shard_count: Some(3),
            life_cycle_days: None,
            hot_ttl_days: None,
            infrequent_ttl_days: None,
            mode: None,
            auto_split: None,
            max_split_shard: None,
            telemetry_type: None,
            append_meta: None,
            enable_tracking: None,
            encrypt: None,
            index: None,
        }],
        machine_groups: groups.iter().map(|name| group(name)).collect(),
        exact_groups: false,
        config: DesiredConfig::Classic(ClassicConfig {
            input_type: InputType::File,
            input_detail,
            log_sample: String::new(),
        }),
        tags: BTreeMap::new(),
        owner: None,
        updates_logstores: false,
    }
}

fn simple() -> Value {
    json!({"logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"})
}

/// What Log Service does with a step.
fn take(observed: &mut Observed, step: &Step, desired: &Desired) {
    match step {
        Step::CreateProject => observed.project = true,
        Step::CreateLogstore(name) => {
            let wanted = desired.logstores.iter().find(|wanted| wanted.name == *name).unwrap();
            observed.logstores.insert(name.clone(), created(wanted));
        }
        Step::CreateIndex(name) => {
            observed.indexed.insert(name.clone());
        }
        Step::CreateMachineGroup(name) => {
            let created = MachineGroup::user_defined(name.clone(), vec![name.to_string()]);
            observed.machine_groups.insert(name.clone(), created);
        }
        Step::CreateConfig | Step::UpdateConfig(_) => observed.config = Some(held(desired)),
        Step::ReplaceConfig => {
            observed.config = Some(held(desired));
            observed.bound.clear();
        }
        Step::UpdateLogstore(name, _) => {
            let wanted = desired.logstores.iter().find(|wanted| wanted.name == *name).unwrap();
            observed.logstores.insert(name.clone(), created(wanted));
        }
        Step::Tag(tags) => observed.tags.extend(tags.clone()),
        Step::Untag(keys) => observed.tags.retain(|key, _| !keys.contains(key)),
        Step::Bind(name) => {
            observed.bound.insert(name.clone());
        }
        Step::Unbind(name) => {
            observed.bound.remove(name);
        }
    }
}

fn held(desired: &Desired) -> HeldConfig {
    match &desired.config {
        DesiredConfig::Classic(config) => HeldConfig::Classic(logtail_config(desired, config)),
        DesiredConfig::Pipeline(draft) => HeldConfig::Pipeline(PipelineConfig {
            config_name: desired.target.config.clone(),
            body: draft.body.clone(),
        }),
    }
}

fn created(desired: &DesiredLogstore) -> Logstore {
    let settings = serde_json::to_value(logstore_settings(desired)).unwrap();
    serde_json::from_value(settings).unwrap()
}

fn complete(desired: &Desired) -> Observed {
    let mut observed = Observed::default();
    for step in plan(desired, &observed.clone(), &Memory::default()) {
        take(&mut observed, &step, desired);
    }
    observed
}

fn names(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_service_gets_everything_in_order() {
    let steps = plan(&desired(&["group-a", "group-b"], simple()), &Observed::default(), &Memory::default());
    assert_eq!(
        names(&steps),
        [
            "CreateProject",
            "CreateLogstore store",
            "CreateIndex store",
            "CreateMachineGroup group-a",
            "CreateMachineGroup group-b",
            "CreateConfig",
            "BindMachineGroup group-a",
            "BindMachineGroup group-b",
        ]
    );
}

#[test]
fn a_complete_service_gets_nothing() {
    let desired = desired(&["group-a"], simple());
    assert_eq!(plan(&desired, &complete(&desired), &Memory::default()), []);
}

#[test]
fn a_changed_config_is_updated_and_the_difference_named() {
    let observed = complete(&desired(&["group-a"], simple()));
    let wanted = desired(
        &["group-a"],
        json!({"logType": "common_reg_log", "logPath": "/data", "filePattern": "a.log"}),
    );
    let steps = plan(&wanted, &observed, &Memory::default());
    let [Step::UpdateConfig(diffs)] = steps.as_slice() else { panic!("{steps:?}") };
    let texts: Vec<_> = diffs.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [r#"inputDetail.logPath: wanted "/data", is "/var/log""#]);
}

#[test]
fn a_key_that_only_the_service_has_counts_once_per_generation() {
    let desired = desired(&["group-a"], simple());
    let mut observed = complete(&desired);
    let Some(HeldConfig::Classic(config)) = &mut observed.config else { panic!("{observed:?}") };
    config.input_detail.insert("serverDefault".into(), json!(1));
    let first = plan(&desired, &observed, &Memory::default());
    assert_eq!(names(&first), ["UpdateConfig"]);
    let again = Memory { applied_before: true, ..Memory::default() };
    assert_eq!(plan(&desired, &observed, &again), []);
}

#[test]
fn only_groups_that_the_operator_bound_are_unbound() {
    let desired = desired(&["group-a"], simple());
    let mut observed = complete(&desired);
    observed.bound.extend([group("group-ours"), group("group-foreign")]);
    let memory = Memory {
        bound_by_us: [group("group-ours"), group("group-gone")].into(),
        applied_before: true,
        ..Memory::default()
    };
    assert_eq!(names(&plan(&desired, &observed, &memory)), ["UnbindMachineGroup group-ours"]);
    let notes = differences(&desired, &observed, &memory);
    assert!(
        matches!(notes.as_slice(), [(Stage::Binding, note)] if note.contains("[group-foreign]")),
        "{notes:?}"
    );
}

#[test]
fn an_existing_logstore_with_other_settings_is_left_alone_and_told() {
    let mut desired = desired(&["group-a"], simple());
    let observed = complete(&desired);
    desired.logstores[0].life_cycle_days = Some(30);
    desired.logstores[0].shard_count = Some(2);
    assert_eq!(plan(&desired, &observed, &Memory::default()), []);
    let notes = differences(&desired, &observed, &Memory::default());
    assert!(
        matches!(notes.as_slice(), [(Stage::Logstore, note)] if note.contains("lifeCycle: wanted 30, is 90") && !note.contains("shardCount")),
        "{notes:?}"
    );
}

#[test]
fn a_group_that_no_sidecar_can_join_is_told() {
    let desired = desired(&["group-a"], simple());
    let mut observed = complete(&desired);
    let other = MachineGroup::user_defined(group("group-a"), vec!["other-id".into()]);
    observed.machine_groups.insert(group("group-a"), other);
    let notes = differences(&desired, &observed, &Memory::default());
    assert!(
        matches!(notes.as_slice(), [(Stage::MachineGroups, note)] if note.contains("[other-id]")),
        "{notes:?}"
    );
}

/// A pipeline config that may take the place of another, for the groups and no others.
fn pipeline(groups: &[&str], body: Value) -> Desired {
    let draft = PipelineDraft { body: body.as_object().unwrap().clone(), replaces_classic: true };
    Desired { exact_groups: true, config: DesiredConfig::Pipeline(draft), ..desired(groups, simple()) }
}

#[test]
fn a_pipeline_takes_the_place_of_a_classic_config_and_is_bound_anew() {
    let mut observed = complete(&desired(&["group-a"], simple()));
    let wanted = pipeline(&["group-a"], json!({"inputs": [{"Type": "input_file"}]}));
    let steps = plan(&wanted, &observed, &Memory::default());
    assert_eq!(names(&steps), ["ReplaceConfig", "BindMachineGroup group-a"]);
    for step in steps {
        take(&mut observed, &step, &wanted);
    }
    assert_eq!(plan(&wanted, &observed, &Memory::default()), []);
}

#[test]
fn groups_of_a_pipeline_are_exactly_those_it_lists() {
    let wanted = pipeline(&["group-a"], json!({"inputs": [{"Type": "input_file"}]}));
    let mut observed = complete(&wanted);
    observed.bound.insert(group("group-foreign"));
    let memory = Memory::default();
    assert_eq!(names(&plan(&wanted, &observed, &memory)), ["UnbindMachineGroup group-foreign"]);
    assert_eq!(differences(&wanted, &observed, &memory), []);
}

#[test]
fn the_service_may_add_defaults_to_a_pipeline_and_its_times() {
    let wanted = pipeline(&["group-a"], json!({"inputs": [{"Type": "input_file"}]}));
    let mut observed = complete(&wanted);
    let Some(HeldConfig::Pipeline(config)) = &mut observed.config else { panic!("{observed:?}") };
    config.body =
        json!({"inputs": [{"Type": "input_file", "MaxDirSearchDepth": 0}], "createTime": 1, "global": {}})
            .as_object()
            .unwrap()
            .clone();
    assert_eq!(plan(&wanted, &observed, &Memory::default()), []);
    let changed = pipeline(&["group-a"], json!({"inputs": [{"Type": "input_file"}, {"Type": "input_file"}]}));
    assert_eq!(names(&plan(&changed, &observed, &Memory::default())), ["UpdateConfig"]);
}

#[test]
fn tags_are_set_and_those_that_the_object_no_longer_has_taken_away() {
    let mut wanted = desired(&["group-a"], simple());
    wanted.tags = [("team".to_owned(), "shop".to_owned())].into();
    wanted.owner =
        Some(Owner { cluster: "ours".to_owned(), object: "default/config".to_owned(), adopts: false });
    let mut observed = complete(&wanted);
    assert_eq!(observed.tags[OWNER_TAG], "ours/default/config");
    assert_eq!(plan(&wanted, &observed, &Memory::default()), []);
    observed.tags.extend([("old".to_owned(), "1".to_owned()), ("foreign".to_owned(), "2".to_owned())]);
    observed.tags.insert("team".to_owned(), "changed".to_owned());
    let memory =
        Memory { tagged_by_us: ["team", "old", "gone"].map(str::to_owned).into(), ..Memory::default() };
    let steps = plan(&wanted, &observed, &memory);
    assert_eq!(names(&steps), ["TagConfig team=shop", "UntagConfig old"]);
}

#[test]
fn settings_of_an_existing_logstore_are_changed_if_the_object_asks_for_it() {
    let mut wanted = desired(&["group-a"], simple());
    let observed = complete(&wanted);
    wanted.updates_logstores = true;
    wanted.logstores[0].life_cycle_days = Some(30);
    wanted.logstores[0].shard_count = Some(5);
    let steps = plan(&wanted, &observed, &Memory::default());
    let [step @ Step::UpdateLogstore(..)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(step.described(), "UpdateLogstore store (lifeCycle: wanted 30, is 90)");
    let notes = differences(&wanted, &observed, &Memory::default());
    let [(Stage::Logstore, note)] = &notes[..] else { panic!("{notes:?}") };
    assert!(note.contains("shardCount") && !note.contains("lifeCycle"), "{note}");
}

fn detail() -> impl Strategy<Value = Value> {
    let values = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-z.*]{0,6}".prop_map(Value::from),
        prop::collection::vec("[a-z]{0,3}", 0..3).prop_map(Value::from),
        Just(json!({"nested": {"deep": [1, null]}})),
    ];
    let keys = prop::sample::select(vec![
        "regex",
        "key",
        "logBeginRegex",
        "timeFormat",
        "maxDepth",
        "discardUnmatch",
        "advanced",
        "unknown",
    ]);
    let log_type =
        prop::sample::select(vec!["common_reg_log", "json_log", "delimiter_log", "apsara_log", "new"]);
    (log_type, prop::collection::btree_map(keys, values, 0..5)).prop_map(|(log_type, more)| {
        let mut detail: Map<String, Value> =
            more.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        detail.insert("logType".into(), log_type.into());
        Value::Object(detail)
    })
}

fn groups() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["group-a", "group-b", "group-c", "group-d"], 1..4)
}

proptest! {
    /// From whatever is there, whoever made it: after one round nothing is left to do, in this look and
    /// in later ones.
    #[test]
    fn carrying_out_a_plan_leaves_nothing_to_plan(
        before in (groups(), detail()),
        wanted in (groups(), detail()),
        parts in prop::collection::vec(any::<bool>(), 4),
        ours in groups(),
        applied_before in any::<bool>(),
    ) {
        let old = desired(&before.0, before.1);
        let desired = desired(&wanted.0, wanted.1);
        let mut observed = complete(&old);
        if parts[0] { observed.config = None; observed.bound.clear(); }
        if parts[1] { observed.indexed.clear(); }
        if parts[2] { observed.logstores.clear(); observed.indexed.clear(); }
        if parts[3] { observed = Observed::default(); }
        observed.machine_groups.retain(|name, _| desired.machine_groups.contains(name));

        let memory =
            Memory { bound_by_us: ours.into_iter().map(group).collect(), applied_before, ..Memory::default() };
        for step in plan(&desired, &observed.clone(), &memory) {
            take(&mut observed, &step, &desired);
        }
        prop_assert_eq!(plan(&desired, &observed, &memory), []);
        let later = Memory {
            bound_by_us: desired.machine_groups.clone(),
            applied_before: true,
            ..Memory::default()
        };
        prop_assert_eq!(plan(&desired, &observed, &later), []);
    }
}
