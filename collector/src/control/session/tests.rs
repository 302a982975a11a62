use super::*;
use crate::env::Env;
use sls_api::agent::CommonResponse;
use std::path::Path;

pub(super) fn session() -> Session {
    Session::new(Agent {
        instance_id: "i-1".into(),
        ip: "10.0.0.7".into(),
        hostname: "pod-1".into(),
        startup_time: 1_700_000_000,
        tags: [("team".to_owned(), "web".to_owned())].into(),
    })
}

pub(super) fn instance() -> InstanceConfig {
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
    InstanceConfig::parse(path, None, &Env::default()).unwrap()
}

fn ids() -> GroupIds {
    GroupIds { user_ids: ["1".to_owned()].into(), user_defined_ids: ["b".to_owned(), "a".to_owned()].into() }
}

fn detail(name: &str, version: i64, file: &str) -> ConfigDetail {
    let text = format!(
        r#"{{"inputs":[{{"Type":"input_file","FilePaths":["/var/log/{file}"]}}],
            "flushers":[{{"Type":"flusher_sls","Project":"project","Logstore":"store","Region":"cn-hangzhou"}}]}}"#
    );
    ConfigDetail { name: name.into(), version, detail: text.into_bytes(), ..ConfigDetail::default() }
}

fn accepted(capabilities: u64, flags: u64) -> HeartbeatResponse {
    HeartbeatResponse { capabilities, flags, ..HeartbeatResponse::default() }
}

fn beat(session: &mut Session) -> HeartbeatRequest {
    session.heartbeat(&ids(), &BTreeMap::new())
}

/// Name, version, status and message of what a heartbeat reports.
fn reported(request: &HeartbeatRequest) -> Vec<(String, i64, ConfigStatus, String)> {
    let infos = request.continuous_pipeline_configs.iter();
    infos.map(|info| (info.name.clone(), info.version, info.status(), info.message.clone())).collect()
}

#[test]
fn a_heartbeat_says_who_this_is_with_one_tag_for_each_id() {
    let request = beat(&mut session());
    assert_eq!((request.sequence_num, request.capabilities, request.flags), (0, 1, REQUEST_FULL_STATE));
    assert_eq!(request.agent_type, "LoongCollector");
    let tags: Vec<_> = request.tags.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect();
    assert_eq!(
        tags,
        [("user_defined_id", "a"), ("user_defined_id", "b"), ("aliyun_user_id", "1"), ("team", "web")]
    );
    let attributes = request.attributes.unwrap();
    assert_eq!((attributes.ip, attributes.hostname), (b"10.0.0.7".to_vec(), b"pod-1".to_vec()));
}

#[test]
fn sequence_numbers_rise_by_one_whether_or_not_an_answer_came() {
    let mut session = session();
    let numbers: Vec<_> = (0..3).map(|_| beat(&mut session).sequence_num).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn the_full_state_is_repeated_unless_the_server_remembers_it() {
    let mut session = session();
    beat(&mut session);
    session.receive(accepted(0, 0));
    let again = beat(&mut session);
    assert!(again.attributes.is_some() && again.flags == REQUEST_FULL_STATE);

    session.update(&detail("c", 1, "a.log"), &instance());
    beat(&mut session);
    session.receive(accepted(3, 0));
    let short = beat(&mut session);
    assert!(short.attributes.is_none() && short.continuous_pipeline_configs.is_empty() && short.flags == 0);

    session.receive(accepted(3, RESPONSE_REPORT_FULL_STATE));
    let full = beat(&mut session);
    assert!(full.attributes.is_some() && full.flags == REQUEST_FULL_STATE);
    assert_eq!(reported(&full).len(), 1);
}

#[test]
fn a_changed_status_is_told_even_to_a_server_that_remembers() {
    let mut session = session();
    session.update(&detail("c", 1, "a.log"), &instance());
    beat(&mut session);
    session.receive(accepted(3, 0));
    let troubles = [("c".to_owned(), "project does not exist".to_owned())].into();
    let request = session.heartbeat(&ids(), &troubles);
    assert_eq!(reported(&request), [("c".into(), 1, ConfigStatus::Applied, "project does not exist".into())]);
}

#[test]
fn an_update_is_applied_once_and_reported() {
    let mut session = session();
    assert!(matches!(session.update(&detail("c", 5, "a.log"), &instance()), Change::Applied { .. }));
    assert_eq!(session.update(&detail("c", 5, "a.log"), &instance()), Change::None);
    assert_eq!(reported(&beat(&mut session)), [("c".into(), 5, ConfigStatus::Applied, String::new())]);
    let files: Vec<_> = session.pipelines().map(|pipeline| pipeline.input.file_pattern.clone()).collect();
    assert_eq!(files, ["a.log"]);
}

#[test]
fn any_other_version_is_an_update_also_a_lower_one() {
    let mut session = session();
    session.update(&detail("c", 5, "a.log"), &instance());
    assert!(matches!(session.update(&detail("c", 4, "b.log"), &instance()), Change::Applied { .. }));
    assert_eq!(session.pipelines().next().unwrap().input.file_pattern, "b.log");
}

#[test]
fn a_failed_update_is_reported_and_the_old_version_goes_on() {
    let mut session = session();
    session.update(&detail("c", 1, "a.log"), &instance());
    let mut bad = detail("c", 2, "b.log");
    bad.detail = b"{}".to_vec();
    let Change::Failed { message } = session.update(&bad, &instance()) else { panic!("not failed") };
    assert!(
        message.contains("inputs: is missing") && message.ends_with("version 1 goes on collecting"),
        "{message}"
    );
    assert_eq!(session.pipelines().count(), 1);
    assert_eq!(reported(&beat(&mut session)), [("c".into(), 2, ConfigStatus::Failed, message)]);
    assert_eq!(session.update(&bad, &instance()), Change::None, "the same bad version is not tried again");
    assert!(matches!(session.update(&detail("c", 3, "c.log"), &instance()), Change::Applied { .. }));
}

#[test]
fn version_minus_one_deletes() {
    let mut session = session();
    session.update(&detail("c", 1, "a.log"), &instance());
    let delete = ConfigDetail { name: "c".into(), version: VERSION_DELETED, ..ConfigDetail::default() };
    assert_eq!(session.update(&delete, &instance()), Change::Removed);
    assert_eq!(session.update(&delete, &instance()), Change::None);
    assert!(session.pipelines().next().is_none() && reported(&beat(&mut session)).is_empty());
}

#[test]
fn an_error_answer_changes_nothing_and_a_notice_comes_with_success() {
    let mut session = session();
    beat(&mut session);
    let common =
        |status, text: &str| Some(CommonResponse { status, error_message: text.as_bytes().to_vec() });
    let refused = HeartbeatResponse {
        common_response: common(401, "account id 1 is not known"),
        continuous_pipeline_config_updates: vec![detail("c", 1, "a.log")],
        ..HeartbeatResponse::default()
    };
    assert_eq!(
        session.receive(refused),
        Answer::Refused { status: 401, message: "account id 1 is not known".into() }
    );
    let notice = HeartbeatResponse {
        common_response: common(0, "no group"),
        ..accepted(0, RESPONSE_FETCH_PIPELINE_CONFIG)
    };
    assert_eq!(
        session.receive(notice),
        Answer::Accepted { notice: "no group".into(), updates: vec![], fetch: true }
    );
}

#[test]
fn a_fetch_asks_for_everything_but_deletions() {
    let mut session = session();
    let delete = ConfigDetail { name: "gone".into(), version: VERSION_DELETED, ..ConfigDetail::default() };
    let request = session.fetch(&[detail("c", 9, "a.log"), delete]);
    let wanted: Vec<_> =
        request.continuous_pipeline_configs.iter().map(|info| (&*info.name, info.version)).collect();
    assert_eq!(wanted, [("c", 9)]);
}

#[test]
fn configs_of_an_earlier_run_collect_at_once_and_are_reported_with_their_version() {
    let mut first = session();
    let Change::Applied { store, .. } = first.update(&detail("c", 5, "a.log"), &instance()) else { panic!() };
    let mut second = session();
    second.restore(store, &instance()).unwrap();
    assert_eq!(second.pipelines().count(), 1);
    assert_eq!(reported(&beat(&mut second)), [("c".into(), 5, ConfigStatus::Applied, String::new())]);
}

#[test]
fn a_config_with_the_name_of_a_local_one_waits_and_says_which() {
    let mut session = session();
    session.update(&detail("c", 5, "a.log"), &instance());
    session.update(&detail("d", 1, "d.log"), &instance());
    session.shadow([("c".to_owned(), "/local/c.json".to_owned())].into());
    let running: Vec<_> = session.pipelines().map(|pipeline| pipeline.name.clone()).collect();
    assert_eq!(running, ["d"]);
    let reported = reported(&beat(&mut session));
    assert_eq!((reported[0].1, reported[0].2), (5, ConfigStatus::Failed));
    assert!(reported[0].3.starts_with("not collected: /local/c.json on this machine"), "{}", reported[0].3);
    assert_eq!(
        session.update(&detail("c", 5, "a.log"), &instance()),
        Change::None,
        "the server need not repeat it"
    );
    session.shadow(BTreeMap::new());
    assert_eq!(session.pipelines().count(), 2);
}
