//! Statuses after each outcome, and that nothing changes when nothing changed.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::apply::Applied;
use crate::crd::AliyunLogConfig;
use crate::failure::Class;
use crate::observe::ObserveError;
use crate::plan::{Memory, Observed, Stage, Step, plan};
use crate::validate::{Defaults, SpecProblem, Valid, validate};

fn valid() -> Valid {
    let cr: AliyunLogConfig = serde_json::from_value(json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": "config", "namespace": "default"},
        "spec": {"project": "project-a", "logstore": "store", "machineGroups": ["group-a"],
            "logtailConfig": {"configName": "config", "inputType": "file", "inputDetail": {
                "logType": "common_reg_log", "logPath": "/var/log", "filePattern": "a.log"}}}
    }))
    .unwrap();
    validate(&cr, &Defaults::default()).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

const SUBJECT: Subject<'_> =
    Subject { singular: "aliyunlogconfig", namespace: "default", name: "config", generation: Some(1) };

fn tried(previous: &AliyunLogConfigStatus, progress: &Progress, now: Timestamp) -> AliyunLogConfigStatus {
    let retry = progress.failure.as_ref().map(|_| Retry { attempts: 3, at: at(100) });
    next(
        previous,
        SUBJECT,
        Verdict::Tried { progress, warnings: &[], retry, agents: Collecting::NeverAsked },
        now,
    )
}

/// Everything created at once.
fn created() -> Progress {
    let desired = valid().desired;
    let observed = Observed::default();
    let steps = plan(&desired, &observed, &Memory::default());
    let applied = Applied { done: steps.clone(), ..Applied::default() };
    Progress::new(desired, &Memory::default(), Ok(observed), applied, steps)
}

/// Everything was there.
fn unchanged() -> Progress {
    let desired = valid().desired;
    let memory =
        Memory { bound_by_us: desired.machine_groups.clone(), applied_before: true, ..Memory::default() };
    let observed = Observed {
        project: true,
        indexed: [desired.destination.clone()].into(),
        bound: desired.machine_groups.clone(),
        ..Observed::default()
    };
    Progress::new(desired, &memory, Ok(observed), Applied::default(), Vec::new())
}

fn failure(step: &'static str, class: Class, code: &str) -> Failure {
    Failure {
        step,
        class,
        code: code.to_owned(),
        message: "what the service said".into(),
        http_status: (class != Class::Unreachable).then_some(400),
        request_id: None,
        retry_after: None,
    }
}

fn check(status: &AliyunLogConfigStatus, expected: Expect) {
    let mut lines = vec![format!(
        "{} {}",
        status.status_code.unwrap_or_default(),
        status.status.as_deref().unwrap_or_default()
    )];
    lines.extend(status.conditions.iter().flatten().map(|condition| {
        format!("{}={} {}: {}", condition.type_, condition.status, condition.reason, condition.message)
    }));
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn everything_created_is_ready() {
    let status = tried(&AliyunLogConfigStatus::default(), &created(), at(0));
    check(
        &status,
        expect![[r#"
            200 OK
            Ready=True Synced: config config in project project-a is applied: logs go to Logstore store, machine groups: group-a
            Accepted=True Valid: the spec is valid
            ProjectReady=True Created: project project-a exists
            LogstoreReady=True Created: Logstore store exists
            IndexReady=True Created: Logstore store has an index
            MachineGroupsReady=True Created: machine groups exist: group-a; config config is bound to: group-a
            ConfigReady=True Created: config config is as described
        "#]],
    );
    assert_eq!(status.applied_machine_groups.as_deref(), Some(["group-a".to_owned()].as_slice()));
    assert_eq!(status.last_sync_time, Some(Time(at(0))));
}

#[test]
fn a_later_look_that_finds_everything_changes_nothing() {
    let first = tried(&AliyunLogConfigStatus::default(), &created(), at(0));
    assert_eq!(tried(&first, &unchanged(), at(50)), first);
}

#[test]
fn a_failed_step_is_told_where_it_happened_and_in_ready() {
    let mut progress = created();
    let failed = failure("CreateConfig", Class::Spec, "ParameterInvalid");
    let bind = Step::Bind("group-a".parse().unwrap());
    let done: Vec<_> = progress.done.iter().filter(|step| step.stage() < Stage::Config).cloned().collect();
    let applied = Applied {
        done: done.clone(),
        failed: Some((Step::CreateConfig, failed)),
        pending: vec![bind],
        raced: None,
    };
    progress = Progress::new(progress.desired, &Memory::default(), Ok(Observed::default()), applied, done);
    let status = tried(&AliyunLogConfigStatus::default(), &progress, at(0));
    check(
        &status,
        expect![[r#"
            400 CreateConfig failed: ParameterInvalid: what the service said
            Ready=False ParameterInvalid: CreateConfig failed: what the service said
            Accepted=True Valid: the spec is valid
            ProjectReady=True Created: project project-a exists
            LogstoreReady=True Created: Logstore store exists
            IndexReady=True Created: Logstore store has an index
            MachineGroupsReady=Unknown Waiting: waits for CreateConfig
            ConfigReady=False ParameterInvalid: CreateConfig failed: what the service said
        "#]],
    );
    assert_eq!(status.applied_machine_groups.as_deref(), Some([].as_slice()));
    let error = status.last_error.unwrap();
    assert_eq!((error.step.as_str(), error.attempts), ("CreateConfig", 3));
}

#[test]
fn an_unreachable_backend_says_so_and_recovery_moves_the_transition_times() {
    let ready = tried(&AliyunLogConfigStatus::default(), &created(), at(0));
    let error = ObserveError {
        stage: Stage::Project,
        failure: failure("GetProject", Class::Unreachable, crate::failure::BACKEND_UNAVAILABLE),
    };
    let memory =
        Memory { bound_by_us: valid().desired.machine_groups, applied_before: true, ..Memory::default() };
    let down = Progress::new(valid().desired, &memory, Err(error), Applied::default(), Vec::new());
    let status = tried(&ready, &down, at(10));
    check(
        &status,
        expect![[r#"
            503 GetProject failed: BackendUnavailable: what the service said
            Ready=False BackendUnavailable: GetProject failed: what the service said
            Accepted=True Valid: the spec is valid
            ProjectReady=False BackendUnavailable: GetProject failed: what the service said
            LogstoreReady=Unknown Waiting: not checked, because GetProject failed
            IndexReady=Unknown Waiting: not checked, because GetProject failed
            MachineGroupsReady=Unknown Waiting: not checked, because GetProject failed
            ConfigReady=Unknown Waiting: not checked, because GetProject failed
        "#]],
    );
    assert_eq!(status.applied_machine_groups, ready.applied_machine_groups);
    assert_eq!(status.applied_generation, Some(1));
    let since = |status: &AliyunLogConfigStatus, type_: &str| {
        let mut conditions = status.conditions.iter().flatten();
        conditions.find(|condition| condition.type_ == type_).unwrap().last_transition_time.0
    };
    assert_eq!(since(&status, "Ready"), at(10));
    assert_eq!(since(&status, "Accepted"), at(0));
    let healed = tried(&status, &unchanged(), at(20));
    assert_eq!(since(&healed, "Ready"), at(20));
    assert_eq!(healed.last_error, None);
}

#[test]
fn an_invalid_spec_lists_every_problem_and_keeps_what_was_applied() {
    let ready = tried(&AliyunLogConfigStatus::default(), &created(), at(0));
    let problems = vec![
        SpecProblem::OutOfRange { field: "spec.shardCount", value: 0, min: 1, max: 10 },
        SpecProblem::MissingKey { key: "logPath", input_type: "file" },
    ];
    let refused = Refused { problems, warnings: vec![Warning::MeteringNotSent] };
    let subject = Subject { generation: Some(2), ..SUBJECT };
    let status = next(&ready, subject, Verdict::Invalid { refused: &refused, target: None }, at(10));
    check(
        &status,
        expect![[r#"
            400 2 problems: (1) spec.shardCount: 0 is out of range: use 1 to 10; (2) spec.logtailConfig.inputDetail.logPath: missing, inputType file needs it; also look at spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
            Ready=False InvalidSpec: 2 problems: (1) spec.shardCount: 0 is out of range: use 1 to 10; (2) spec.logtailConfig.inputDetail.logPath: missing, inputType file needs it; also look at spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
            Accepted=False InvalidSpec: 2 problems: (1) spec.shardCount: 0 is out of range: use 1 to 10; (2) spec.logtailConfig.inputDetail.logPath: missing, inputType file needs it; also look at spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
            ProjectReady=True Created: project project-a exists
            LogstoreReady=True Created: Logstore store exists
            IndexReady=True Created: Logstore store has an index
            MachineGroupsReady=True Created: machine groups exist: group-a; config config is bound to: group-a
            ConfigReady=True Created: config config is as described
            Warnings=True MeteringNotSent: spec.logstoreMeteringMode: recorded only: a new Logstore is billed as the account's default says
        "#]],
    );
    assert_eq!(status.applied_machine_groups, ready.applied_machine_groups);
    assert_eq!(status.observed_generation, Some(2));
    assert_eq!(next(&status, subject, Verdict::Invalid { refused: &refused, target: None }, at(20)), status);
}

#[test]
fn a_conflict_names_the_winner() {
    let target = valid().desired.target;
    let verdict = Verdict::Conflict { target: &target, winner: "kube-system/older" };
    check(
        &next(&AliyunLogConfigStatus::default(), SUBJECT, verdict, at(0)),
        expect![[r#"
            409 config config in project project-a belongs to the older object kube-system/older; use another configName, or delete that object
            Ready=False ConfigNameConflict: config config in project project-a belongs to the older object kube-system/older; use another configName, or delete that object
            Accepted=False ConfigNameConflict: config config in project project-a belongs to the older object kube-system/older; use another configName, or delete that object
        "#]],
    );
}

#[test]
fn a_deletion_that_cannot_be_done_names_the_way_out() {
    let target = valid().desired.target;
    let failure = failure("DeleteConfig", Class::Unreachable, crate::failure::BACKEND_UNAVAILABLE);
    let retry = Retry { attempts: 4, at: at(100) };
    let verdict = Verdict::Deleting { target: &target, failure: &failure, retry };
    check(
        &next(&AliyunLogConfigStatus::default(), SUBJECT, verdict, at(0)),
        expect![[r#"
            503 config config in project project-a could not be deleted in 4 attempts: DeleteConfig failed: BackendUnavailable: what the service said; to give it up, kubectl annotate aliyunlogconfig config -n default sls.testbed/force-delete=true
            Ready=False Deleting: config config in project project-a could not be deleted in 4 attempts: DeleteConfig failed: BackendUnavailable: what the service said; to give it up, kubectl annotate aliyunlogconfig config -n default sls.testbed/force-delete=true
        "#]],
    );
}

#[test]
fn an_object_of_the_wrong_shape_is_told_so() {
    let verdict = Verdict::Undecodable("invalid type: string \"two\", expected i32");
    check(
        &next(&AliyunLogConfigStatus::default(), SUBJECT, verdict, at(0)),
        expect![[r#"
            400 the object cannot be read: invalid type: string "two", expected i32; compare it with `kubectl explain aliyunlogconfig.spec`
            Ready=False InvalidSpec: the object cannot be read: invalid type: string "two", expected i32; compare it with `kubectl explain aliyunlogconfig.spec`
            Accepted=False InvalidSpec: the object cannot be read: invalid type: string "two", expected i32; compare it with `kubectl explain aliyunlogconfig.spec`
        "#]],
    );
}
