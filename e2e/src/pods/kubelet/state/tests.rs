//! The life of pods, told as what happens and what the kubelet does.

use super::container::Tally;
use super::*;
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

const BASE: Duration = Duration::from_secs(10);

/// A pod, its state and a clock that only the test moves.
struct Life {
    manifest: Manifest,
    state: PodState,
    now: Instant,
}

impl Life {
    fn of(spec: Value) -> Self {
        let pod: core::Pod = serde_json::from_value(json!({ "metadata": {}, "spec": spec })).unwrap();
        let manifest = Manifest::of(&pod);
        let now = Instant::now();
        Self { state: PodState::new(&manifest, now), manifest, now }
    }

    /// The actions of the next step, in short.
    fn step(&mut self) -> Vec<String> {
        let plan = self.state.step(&self.manifest, self.now);
        let name = |index: usize| self.manifest.containers[index].name.clone();
        let actions = plan.actions.into_iter().map(|action| match action {
            Action::Start(index) => format!("start {}", name(index)),
            Action::Stop { container, deadline } => {
                format!("stop {} in {}", name(container), (deadline - self.now).as_secs())
            }
            Action::TellBackoff(index) => format!("back-off {}", name(index)),
        });
        let wake = plan.wake.map(|wake| format!("wake in {}", (wake - self.now).as_secs()));
        actions.chain(wake).collect()
    }

    fn index(&self, name: &str) -> usize {
        self.manifest.containers.iter().position(|container| container.name == name).unwrap()
    }

    fn moment(&self) -> Moment {
        Moment { instant: self.now, time: Timestamp::UNIX_EPOCH }
    }

    fn started(&mut self, name: &str) {
        let (index, now) = (self.index(name), self.moment());
        self.state.containers[index].started(&self.manifest.containers[index], "id".into(), now);
    }

    fn ended(&mut self, name: &str, code: i32) {
        let index = self.index(name);
        let ended = Ended {
            code,
            signal: None,
            reason: "Error",
            message: None,
            started: None,
            finished: Timestamp::UNIX_EPOCH,
            id: "id".into(),
        };
        self.state.containers[index].ended(ended, BASE, self.now);
    }

    fn probed(&mut self, name: &str, kind: ProbeKind, passed: bool) -> Verdict {
        let index = self.index(name);
        self.state.containers[index].probed(&self.manifest.containers[index], kind, passed)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn containers(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn ordinary_containers_start_together_and_complete_the_pod() {
    let mut life = Life::of(json!({"restartPolicy": "Never", "containers": containers(&["a", "b"])}));
    assert_eq!(life.step(), ["start a", "start b"]);
    life.started("a");
    life.started("b");
    life.ended("a", 0);
    assert_eq!(life.step(), NOTHING);
    assert!(!life.state.over);
    life.ended("b", 1);
    assert_eq!(life.step(), NOTHING);
    assert!(life.state.over);
    assert_eq!(life.state.stopping.unwrap().reason, StopReason::Completed);
}

#[test]
fn restarts_wait_longer_each_time_up_to_five_minutes() {
    let mut life = Life::of(json!({"containers": containers(&["a"])}));
    let mut waits = Vec::new();
    assert_eq!(life.step(), ["start a"]);
    for _ in 0..8 {
        life.started("a");
        life.ended("a", 1);
        let step = life.step();
        if step == ["start a"] {
            waits.push(0);
            continue;
        }
        assert_eq!(step[0], "back-off a");
        let wait = step[1].strip_prefix("wake in ").unwrap().parse().unwrap();
        waits.push(wait);
        life.pass(wait);
        assert_eq!(life.step(), ["start a"]);
    }
    assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(life.state.containers[0].restarts(), 7);
}

#[test]
fn a_long_run_forgives_earlier_failures() {
    let mut life = Life::of(json!({"containers": containers(&["a"])}));
    life.step();
    for _ in 0..3 {
        life.started("a");
        life.ended("a", 1);
        life.pass(300);
        life.step();
    }
    life.started("a");
    life.pass(600);
    life.ended("a", 1);
    assert_eq!(life.step(), ["start a"]);
}

#[test]
fn on_failure_restarts_only_what_failed() {
    let mut life = Life::of(json!({"restartPolicy": "OnFailure", "containers": containers(&["a", "b"])}));
    life.step();
    for (name, code) in [("a", 0), ("b", 7)] {
        life.started(name);
        life.ended(name, code);
    }
    assert_eq!(life.step(), ["start b"]);
}

#[test]
fn init_containers_take_turns_and_a_sidecar_must_have_started() {
    let side = json!({"name": "side", "restartPolicy": "Always", "startupProbe": {"exec": {}}});
    let mut life = Life::of(json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "one"}, side, {"name": "two"}],
        "containers": containers(&["main"]),
    }));
    assert_eq!(life.step(), ["start one"]);
    life.started("one");
    assert_eq!(life.step(), NOTHING);
    life.ended("one", 0);
    assert_eq!(life.step(), ["start side"]);
    life.started("side");
    assert_eq!(life.step(), NOTHING);
    assert_eq!(life.probed("side", ProbeKind::Startup, true), Verdict::Started);
    assert_eq!(life.step(), ["start two"]);
    life.started("two");
    life.ended("two", 0);
    assert_eq!(life.step(), ["start main"]);
    life.started("main");
    // A sidecar is restarted whatever the pod's policy; the main container goes on meanwhile.
    life.ended("side", 0);
    assert_eq!(life.step(), ["start side"]);
    life.started("side");
    life.ended("main", 0);
    assert_eq!(life.step(), ["stop side in 30"]);
    assert!(!life.state.over);
    life.ended("side", 1);
    life.step();
    assert!(life.state.over);
}

#[test]
fn a_failed_init_container_is_restarted_by_policy() {
    let spec = |policy: &str| {
        json!({
            "restartPolicy": policy, "initContainers": containers(&["init"]), "containers": containers(&["main"]),
        })
    };
    let mut life = Life::of(spec("Never"));
    life.step();
    life.started("init");
    life.ended("init", 1);
    assert_eq!(life.step(), NOTHING);
    assert_eq!(life.state.stopping.unwrap().reason, StopReason::InitFailed);
    assert!(life.state.over);
    let mut life = Life::of(spec("Always"));
    life.step();
    life.started("init");
    life.ended("init", 1);
    assert_eq!(life.step(), ["start init"]);
}

#[test]
fn sidecars_stop_after_the_others_last_one_first_within_the_same_grace() {
    let side = |name: &str| json!({"name": name, "restartPolicy": "Always"});
    let mut life = Life::of(json!({
        "terminationGracePeriodSeconds": 20,
        "initContainers": [side("first"), side("second")],
        "containers": containers(&["a", "b"]),
    }));
    for name in ["first", "second"] {
        life.step();
        life.started(name);
    }
    life.step();
    life.started("a");
    life.started("b");
    life.state.stop(StopReason::Deleted, life.now + Duration::from_secs(20));
    assert_eq!(life.step(), ["stop a in 20", "stop b in 20"]);
    assert_eq!(life.step(), NOTHING);
    life.pass(5);
    life.ended("a", 0);
    assert_eq!(life.step(), NOTHING);
    life.ended("b", 0);
    assert_eq!(life.step(), ["stop second in 15"]);
    life.pass(15);
    life.ended("second", 0);
    // The grace is used up, but a moment remains for everyone.
    assert_eq!(life.step(), ["stop first in 2"]);
    assert_eq!(life.step(), NOTHING);
    life.ended("first", 0);
    life.step();
    assert!(life.state.over);
}

#[test]
fn a_shorter_grace_brings_the_deadline_nearer() {
    let mut life = Life::of(json!({"containers": containers(&["a"])}));
    life.step();
    life.started("a");
    life.state.stop(StopReason::Deleted, life.now + Duration::from_secs(30));
    assert_eq!(life.step(), ["stop a in 30"]);
    life.state.stop(StopReason::Shutdown, life.now + Duration::from_secs(5));
    assert_eq!(life.step(), ["stop a in 5"]);
    life.state.stop(StopReason::Deleted, life.now + Duration::from_secs(30));
    assert_eq!(life.step(), NOTHING);
}

#[test]
fn a_container_that_is_just_starting_is_stopped_when_it_runs() {
    let mut life = Life::of(json!({"containers": containers(&["a"])}));
    assert_eq!(life.step(), ["start a"]);
    life.state.stop(StopReason::Deleted, life.now + Duration::from_secs(30));
    assert_eq!(life.step(), NOTHING);
    assert!(!life.state.over);
    life.started("a");
    assert_eq!(life.step(), ["stop a in 30"]);
}

#[test]
fn the_active_deadline_stops_the_pod() {
    let mut life = Life::of(json!({"activeDeadlineSeconds": 60, "containers": containers(&["a"])}));
    assert_eq!(life.step(), ["start a", "wake in 60"]);
    life.started("a");
    life.pass(60);
    assert_eq!(life.step(), ["stop a in 30"]);
    assert_eq!(life.state.stopping.unwrap().reason, StopReason::DeadlineExceeded);
}

#[test]
fn a_held_container_waits_for_its_retry_or_for_ever() {
    let mut life = Life::of(json!({"containers": containers(&["a", "b"])}));
    life.step();
    life.state.containers[0].held("CreateContainerConfigError", "x".into(), Some(life.now + BASE));
    life.state.containers[1].held("ErrImagePull", "x".into(), None);
    assert_eq!(life.step(), ["wake in 10"]);
    life.pass(10);
    assert_eq!(life.step(), ["start a"]);
    life.started("a");
    assert_eq!(life.state.containers[0].restarts(), 0);
    life.state.stop(StopReason::Deleted, life.now);
    assert_eq!(life.step(), ["stop a in 0"]);
    life.ended("a", 137);
    life.step();
    assert!(life.state.over);
}

#[test]
fn probes_act_only_at_their_thresholds() {
    let probe = json!({"exec": {}, "failureThreshold": 2, "successThreshold": 1});
    let container = json!({
        "name": "a",
        "startupProbe": {"exec": {}, "failureThreshold": 3},
        "livenessProbe": probe,
        "readinessProbe": {"exec": {}, "failureThreshold": 2, "successThreshold": 2},
    });
    let mut life = Life::of(json!({"containers": [container]}));
    life.step();
    life.started("a");
    let running = |life: &Life| match &life.state.containers[0].phase {
        Phase::Running(running) => (running.started, running.ready),
        other => panic!("{other:?}"),
    };
    assert_eq!(running(&life), (false, false));
    assert_eq!(life.probed("a", ProbeKind::Startup, false), Verdict::Nothing);
    assert_eq!(life.probed("a", ProbeKind::Startup, true), Verdict::Started);
    assert_eq!(running(&life), (true, false));
    life.probed("a", ProbeKind::Readiness, true);
    assert_eq!(running(&life), (true, false));
    life.probed("a", ProbeKind::Readiness, true);
    assert_eq!(running(&life), (true, true));
    life.probed("a", ProbeKind::Readiness, false);
    assert_eq!(running(&life), (true, true));
    life.probed("a", ProbeKind::Readiness, false);
    assert_eq!(running(&life), (true, false));
    assert_eq!(life.probed("a", ProbeKind::Liveness, false), Verdict::Nothing);
    assert_eq!(life.probed("a", ProbeKind::Liveness, true), Verdict::Nothing);
    assert_eq!(life.probed("a", ProbeKind::Liveness, false), Verdict::Nothing);
    assert_eq!(life.probed("a", ProbeKind::Liveness, false), Verdict::Kill);
    assert!(life.state.containers[0].begin_stop(life.now));
    assert_eq!(life.probed("a", ProbeKind::Liveness, false), Verdict::Nothing);
    let tallies = life.state.containers[0].tallies;
    assert_eq!(tallies.of(ProbeKind::Liveness), Tally { passed: 1, failed: 3 });
    assert_eq!(tallies.of(ProbeKind::Startup), Tally { passed: 1, failed: 1 });
}
