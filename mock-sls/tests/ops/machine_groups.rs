use expect_test::expect;
use serde_json::json;
use sls_api::ops::logtail_configs::{CreateConfig, DeleteConfig, GetAppliedMachineGroups, LogtailConfig};
use sls_api::ops::machine_groups::{
    ApplyConfigToMachineGroup, CreateMachineGroup, DeleteMachineGroup, GetAppliedConfigs, GetMachineGroup,
    GroupAttribute, ListMachineGroup, ListMachineGroupQuery, ListMachines, MachineGroup, MachinesAction,
    MachinesQuery, RemoveConfigFromMachineGroup, UpdateMachineGroup, UpdateMachineGroupMachine,
};
use sls_api::ops::{InConfig, InMachineGroup, InMachineGroupConfig, Paging};
use sls_api::{Json, NoPath, NoQuery};

use super::bed::Bed;

fn group(name: &str) -> InMachineGroup {
    InMachineGroup { group: name.parse().unwrap() }
}

fn new(name: &str) -> Json<MachineGroup> {
    Json(MachineGroup::user_defined(name.parse().unwrap(), vec![format!("id-of-{name}")]))
}

async fn create(bed: &Bed, name: &str) {
    bed.send::<CreateMachineGroup>(&NoPath {}, &NoQuery {}, &new(name)).await.unwrap();
}

async fn create_config(bed: &Bed, name: &str) {
    let config: LogtailConfig = serde_json::from_value(json!({
        "configName": name, "inputType": "file", "inputDetail": {}, "outputDetail": {"logstoreName": "ls"},
    }))
    .unwrap();
    bed.send::<CreateConfig>(&NoPath {}, &NoQuery {}, &Json(config)).await.unwrap();
}

#[tokio::test]
async fn a_group_comes_back_as_sent_with_its_times() {
    let bed = Bed::start().await;
    let attribute = GroupAttribute { external_name: "e".into(), group_topic: "t".into() };
    let Json(sent) = new("group-a");
    let sent = MachineGroup { group_attribute: attribute, ..sent };
    bed.send::<CreateMachineGroup>(&NoPath {}, &NoQuery {}, &Json(sent.clone())).await.unwrap();
    let Json(got) = bed.send::<GetMachineGroup>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
    assert!(got.create_time.is_some() && got.last_modify_time.is_some());
    assert_eq!(MachineGroup { create_time: None, last_modify_time: None, ..got }, sent);
}

#[tokio::test]
async fn machines_come_into_a_group_and_leave_it_one_by_one() {
    let bed = Bed::start().await;
    create(&bed, "group-a").await;
    let change = async |action, machines: &[&str]| {
        let body = Json(machines.iter().map(|machine| (*machine).to_owned()).collect());
        bed.send::<UpdateMachineGroupMachine>(&group("group-a"), &MachinesQuery { action }, &body)
            .await
            .unwrap();
        let Json(got) = bed.send::<GetMachineGroup>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
        got.machine_list.join(" ")
    };
    assert_eq!(change(MachinesAction::Add, &["b", "c"]).await, "id-of-group-a b c");
    assert_eq!(change(MachinesAction::Add, &["b", "d"]).await, "id-of-group-a c b d");
    assert_eq!(change(MachinesAction::Delete, &["c", "none"]).await, "id-of-group-a b d");
    let query = MachinesQuery { action: MachinesAction::Add };
    let missing = bed.shown::<UpdateMachineGroupMachine>(&group("missing"), &query, &Json(Vec::new())).await;
    expect!["404 MachineGroupNotExist: MachineGroup missing not exist"].assert_eq(&missing);
}

#[tokio::test]
async fn a_name_is_given_once_in_a_project() {
    let bed = Bed::start().await;
    create(&bed, "group-a").await;
    let got = bed.shown::<CreateMachineGroup>(&NoPath {}, &NoQuery {}, &new("group-a")).await;
    expect!["400 MachineGroupAlreadyExist: group group-a already exists"].assert_eq(&got);
}

#[tokio::test]
async fn a_group_that_is_not_there_is_named() {
    let bed = Bed::start().await;
    let expected = expect!["404 MachineGroupNotExist: MachineGroup missing not exist"];
    let path = group("missing");
    expected.assert_eq(&bed.shown::<GetMachineGroup>(&path, &NoQuery {}, &()).await);
    expected.assert_eq(&bed.shown::<UpdateMachineGroup>(&path, &NoQuery {}, &new("missing")).await);
    expected.assert_eq(&bed.shown::<DeleteMachineGroup>(&path, &NoQuery {}, &()).await);
    expected.assert_eq(&bed.shown::<ListMachines>(&path, &Paging::default(), &()).await);
    expected.assert_eq(&bed.shown::<GetAppliedConfigs>(&path, &NoQuery {}, &()).await);
}

#[tokio::test]
async fn an_update_replaces_the_group_under_its_name() {
    let bed = Bed::start().await;
    create(&bed, "group-a").await;
    let other = bed.shown::<UpdateMachineGroup>(&group("group-a"), &NoQuery {}, &new("group-b")).await;
    expect![[r#"400 BadRequest: The name "group-b" in the body is not the name "group-a" in the path."#]]
        .assert_eq(&other);
    let Json(changed) = new("group-a");
    let changed = MachineGroup { machine_list: vec!["x".into(), "y".into()], ..changed };
    bed.send::<UpdateMachineGroup>(&group("group-a"), &NoQuery {}, &Json(changed)).await.unwrap();
    let Json(got) = bed.send::<GetMachineGroup>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
    assert_eq!(got.machine_list, ["x", "y"]);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let bed = Bed::start().await;
    for name in ["app-a", "app-b", "other"] {
        create(&bed, name).await;
    }
    let query = ListMachineGroupQuery { group_name: Some("app".into()), offset: Some(1), size: Some(10) };
    let Json(list) = bed.send::<ListMachineGroup>(&NoPath {}, &query, &()).await.unwrap();
    assert_eq!((list.count, list.total), (1, 2));
    assert_eq!(list.machinegroups, [group("app-b").group]);
}

#[tokio::test]
async fn configs_are_bound_and_unbound_and_both_can_be_repeated() {
    let bed = Bed::start().await;
    create(&bed, "group-a").await;
    create_config(&bed, "config-a").await;
    let both =
        InMachineGroupConfig { group: "group-a".parse().unwrap(), config: "config-a".parse().unwrap() };
    let applied = async || {
        let Json(configs) = bed.send::<GetAppliedConfigs>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
        let path = InConfig { config: "config-a".parse().unwrap() };
        let Json(groups) = bed.send::<GetAppliedMachineGroups>(&path, &NoQuery {}, &()).await.unwrap();
        format!("{:?} {:?}", configs.configs, groups.machinegroups)
    };
    expect!["[] []"].assert_eq(&applied().await);
    for _ in 0..2 {
        bed.send::<ApplyConfigToMachineGroup>(&both, &NoQuery {}, &()).await.unwrap();
        expect![[r#"["config-a"] ["group-a"]"#]].assert_eq(&applied().await);
    }
    for _ in 0..2 {
        bed.send::<RemoveConfigFromMachineGroup>(&both, &NoQuery {}, &()).await.unwrap();
        expect!["[] []"].assert_eq(&applied().await);
    }
}

#[tokio::test]
async fn binding_needs_both_sides_and_ends_with_either() {
    let bed = Bed::start().await;
    create(&bed, "group-a").await;
    let path =
        InMachineGroupConfig { group: "group-a".parse().unwrap(), config: "config-a".parse().unwrap() };
    let apply = async || bed.shown::<ApplyConfigToMachineGroup>(&path, &NoQuery {}, &()).await;
    expect!["404 ConfigNotExist: Config config-a not exist"].assert_eq(&apply().await);
    create_config(&bed, "config-a").await;
    expect!["ok ()"].assert_eq(&apply().await);
    let config = InConfig { config: "config-a".parse().unwrap() };
    bed.send::<DeleteConfig>(&config, &NoQuery {}, &()).await.unwrap();
    let Json(left) = bed.send::<GetAppliedConfigs>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
    assert_eq!(left.count, 0);
    bed.send::<DeleteMachineGroup>(&group("group-a"), &NoQuery {}, &()).await.unwrap();
    expect!["404 MachineGroupNotExist: MachineGroup group-a not exist"].assert_eq(&apply().await);
}
