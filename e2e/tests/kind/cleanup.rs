//! What was made goes, however the run ends; what another made, stays.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::fakes::{DOCKER, Ended, Fakes, KIND, KUBECTL, wait_for};

/// Says that it is being made, and never ends by itself.
const CREATES: &str = "create*) : >$FAKES/creating; sleep 1000 ;;";
const DELETES: &str = "kind delete cluster --name sls-bed";

fn start(fakes: &Fakes, args: &[&str]) -> Child {
    fakes.bed(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the bed")
}

fn send(bed: &Child, signal: Signal) {
    kill_process(Pid::from_child(bed), signal).expect("the bed runs");
}

fn end(bed: Child) -> Ended {
    Ended::from(bed.wait_with_output().expect("the bed ends"))
}

#[test]
fn a_cluster_that_is_being_made_goes_after_each_signal() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let fakes = Fakes::new().answering("kind", KIND, CREATES);
        let creating = fakes.pipe("creating");
        let bed = start(&fakes, &[]);
        wait_for(&creating);
        send(&bed, signal);
        let ended = end(bed);
        assert_eq!(ended.code, Some(130), "{}", ended.said);
        assert!(fakes.calls().contains(DELETES), "{}", fakes.calls());
        assert!(!ended.said.contains("To remove what is left"), "{}", ended.said);
    }
}

#[test]
fn a_cluster_goes_also_when_nobody_reads_what_is_said() {
    let fakes = Fakes::new().answering("kind", KIND, CREATES);
    let creating = fakes.pipe("creating");
    let mut bed = start(&fakes, &[]);
    wait_for(&creating);
    drop((bed.stdout.take(), bed.stderr.take()));
    send(&bed, Signal::INT);
    assert_eq!(bed.wait().expect("the bed ends").code(), Some(130));
    assert!(fakes.calls().contains(DELETES), "{}", fakes.calls());
}

#[test]
fn a_second_signal_says_what_is_left_and_how_to_remove_it() {
    let cases = format!("{CREATES}\ndelete*) : >$FAKES/deleting; sleep 1000 ;;");
    let fakes = Fakes::new().answering("kind", KIND, &cases);
    let (creating, deleting) = (fakes.pipe("creating"), fakes.pipe("deleting"));
    let bed = start(&fakes, &[]);
    wait_for(&creating);
    send(&bed, Signal::INT);
    wait_for(&deleting);
    send(&bed, Signal::INT);
    let ended = end(bed);
    assert_eq!(ended.code, Some(130), "{}", ended.said);
    assert!(ended.said.contains(&format!("To remove what is left, run: {DELETES}")), "{}", ended.said);
}

#[test]
fn a_cluster_that_is_still_listed_is_deleted_again_and_then_named() {
    let cases =
        format!("{CREATES}\n'get clusters') test -e $FAKES/asked && echo sls-bed; : >$FAKES/asked; exit ;;");
    let fakes = Fakes::new().answering("kind", KIND, &cases);
    let creating = fakes.pipe("creating");
    let bed = start(&fakes, &[]);
    wait_for(&creating);
    send(&bed, Signal::INT);
    let ended = end(bed);
    assert_eq!(fakes.calls().matches(DELETES).count(), 3, "{}", fakes.calls());
    assert!(ended.said.contains(&format!("To remove what is left, run: {DELETES}")), "{}", ended.said);
}

#[test]
fn a_cluster_goes_when_the_installation_fails_and_evidence_stays() {
    let fails = "*apply*) echo 'no such thing' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, fails);
    let root = fakes.path("bed").display().to_string();
    let ended = fakes.run(&["--root", &root]);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    assert!(ended.said.contains("no such thing") && ended.said.contains(&root), "{}", ended.said);
    assert!(fakes.calls().contains(DELETES), "{}", fakes.calls());
    for file in ["sls-bed.events.txt", "sls-bed.log", "cluster.txt", "node-n.log"] {
        assert!(fakes.path("bed").join(file).exists(), "no {file}");
    }
}

#[test]
fn a_cluster_that_another_run_made_meanwhile_is_left_alone() {
    let anothers =
        "create*) echo 'node(s) already exist for a cluster with the name \"sls-bed\"' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("kind", KIND, anothers);
    let ended = fakes.run(&[]);
    assert!(ended.said.contains("another run has made the cluster sls-bed"), "{}", ended.said);
    assert!(!fakes.calls().contains("kind delete"), "{}", fakes.calls());
}

#[test]
fn what_is_kept_is_named_with_how_to_remove_it() {
    let fakes = Fakes::new().answering("kind", KIND, CREATES);
    let creating = fakes.pipe("creating");
    let bed = start(&fakes, &["--keep"]);
    wait_for(&creating);
    send(&bed, Signal::INT);
    let ended = end(bed);
    assert!(!fakes.calls().contains("kind delete"), "{}", fakes.calls());
    assert!(ended.said.contains(&format!("To remove what is left, run: {DELETES}")), "{}", ended.said);
}

#[test]
fn from_a_named_context_only_the_installation_goes() {
    let applies = "*apply*) : >$FAKES/applying; sleep 1000 ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, applies);
    let applying = fakes.pipe("applying");
    let bed = start(&fakes, &["--context", "kind-there"]);
    wait_for(&applying);
    send(&bed, Signal::TERM);
    assert_eq!(end(bed).code, Some(130));
    let calls = fakes.calls();
    assert!(calls.contains("kubectl --context kind-there delete --ignore-not-found"), "{calls}");
    assert!(!calls.contains("kind create") && !calls.contains("kind delete"), "{calls}");
    let told = |call: &str| call.contains("--context kind-there") || call.contains("version --client");
    let without: Vec<&str> = calls
        .lines()
        .filter(|call| call.starts_with("kubectl ") && !told(call))
        .filter(|call| !call.contains("kustomize") && !call.contains("config get-contexts"))
        .collect();
    assert_eq!(without, [""; 0], "kubectl was not told the context");
}

#[test]
fn images_that_the_nodes_have_are_not_loaded_again_and_others_of_the_same_name_are() {
    let fails = "*apply*) exit 1 ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, fails);
    fakes.run(&["--context", "kind-there"]);
    assert!(!fakes.calls().contains("kind load"), "{}", fakes.calls());

    let newer = "*inspect*operator:dev) echo sha256:bb; exit ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, fails).answering("docker", DOCKER, newer);
    let ended = fakes.run(&["--context", "kind-there"]);
    let calls = fakes.calls();
    let packs = |call: &str| call.starts_with("docker save") && call.ends_with(".tar sls-bed/operator:dev");
    assert!(calls.lines().any(packs), "{calls}");
    assert!(calls.contains(".tar --name there --nodes n\n"), "{calls}");
    // This kind loads nothing.
    assert!(ended.said.contains("node n has another image of that name"), "{}", ended.said);
    assert!(!fakes.calls().contains("apply"), "a stale image must not run");
}
