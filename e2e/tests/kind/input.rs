//! Everything that is missing or in the way is said before anything is made.

use std::fs;
use std::net::TcpListener;

use crate::fakes::{DOCKER, Fakes, KIND, KUBECTL};

/// The bed ends with 1, says all of `words`, has changed nothing and left no folder.
fn refuses(fakes: &Fakes, args: &[&str], words: &[&str]) {
    let ended = fakes.run(args);
    assert_eq!(ended.code, Some(1), "{}", ended.said);
    for word in words {
        assert!(ended.said.contains(word), "no {word:?} in: {}", ended.said);
    }
    assert!(!fakes.changed_anything(), "{}", fakes.calls());
    assert_eq!(fs::read_dir(fakes.path("tmp")).expect("tmp").count(), 0, "a folder is left");
}

#[test]
fn a_tool_that_is_not_installed_is_named_with_where_it_comes_from() {
    refuses(&Fakes::new().without("docker"), &[], &["docker cannot be run", "docs.docker.com"]);
    refuses(&Fakes::new().without("kind"), &[], &["kind cannot be run", "go install sigs.k8s.io/kind"]);
    refuses(
        &Fakes::new().without("kubectl"),
        &[],
        &["kubectl cannot be run", "kubernetes.io/docs/tasks/tools"],
    );
}

#[test]
fn a_kubectl_that_cannot_build_the_kustomization_is_named_with_the_version_it_takes() {
    let old = r#"version*) echo '{"clientVersion": {"gitVersion": "v1.20.2"}}'; exit ;;"#;
    let fakes = Fakes::new().answering("kubectl", KUBECTL, old);
    refuses(&fakes, &[], &["kubectl v1.20.2 is too old", "1.22 or newer"]);
    let broken = r#"kustomize*) echo 'Error: json: unknown field "labels"' >&2; exit 1 ;;"#;
    let fakes = Fakes::new().answering("kubectl", KUBECTL, broken);
    refuses(&fakes, &[], &["this kubectl cannot build deploy/kustomize", "unknown field"]);
}

#[test]
fn a_docker_that_does_not_answer_is_told_from_one_that_may_not_be_asked() {
    let down =
        "version*) echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("docker", DOCKER, down);
    refuses(&fakes, &[], &["no Docker engine answers", "systemctl start docker"]);
    let denied =
        "version*) echo 'permission denied while trying to connect to the Docker daemon' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("docker", DOCKER, denied);
    refuses(&fakes, &[], &["you may not use Docker's socket", "usermod -aG docker"]);
}

#[test]
fn another_engine_of_kinds_is_refused() {
    let fakes = Fakes::new();
    let output = fakes.bed(&[]).env("KIND_EXPERIMENTAL_PROVIDER", "podman").output().expect("the bed");
    assert!(String::from_utf8_lossy(&output.stdout).contains("KIND_EXPERIMENTAL_PROVIDER=docker"));
    assert!(!fakes.changed_anything());
}

#[test]
fn missing_images_are_named_with_what_makes_them() {
    let missing = "*operator:dev | *mock_log:dev) echo 'Error: No such image: x' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("docker", DOCKER, missing);
    refuses(&fakes, &[], &["no image sls-bed/operator:dev, sls-bed/mock_log:dev;", "just images"]);
}

#[test]
fn a_cluster_of_that_name_is_left_alone() {
    let words = ["a kind cluster there already", "--context kind-there", "kind delete cluster --name there"];
    refuses(&Fakes::new(), &["--cluster", "there"], &words);
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let fakes = Fakes::new();
    let path = fakes.path("config.yaml");
    let shown = path.display().to_string();
    refuses(&fakes, &["--kind-config", &shown], &["cannot read --kind-config", &shown]);
    fs::write(&path, "kind: Pod\n").expect("a file");
    refuses(&fakes, &["--kind-config", &shown], &["is not one of kind's", "kind: Cluster"]);

    let other = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = other.local_addr().expect("its address").port();
    let mapping = format!("{{containerPort: 80, hostPort: {port}, listenAddress: 127.0.0.1}}");
    let config = format!("kind: Cluster\nnodes:\n- extraPortMappings:\n  - {mapping}\n");
    fs::write(&path, config).expect("a file");
    refuses(&fakes, &["--kind-config", &shown], &[&format!("port {port} of 127.0.0.1"), "in use", "ss -ln"]);
}

#[test]
fn a_context_that_is_not_there_or_does_not_answer_is_refused() {
    refuses(
        &Fakes::new(),
        &["--context", "nowhere"],
        &["has no context nowhere", "it has: kind-there, other"],
    );
    let none = "'config get-contexts -o name') exit ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, none);
    refuses(&fakes, &["--context", "other"], &["the kubeconfig has no context;", "KUBECONFIG"]);
    let silent = "*'get --raw=/version'*) echo 'connection refused' >&2; exit 1 ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, silent);
    let words =
        ["the cluster of context other does not answer", "kubectl --context other version", "refused"];
    refuses(&fakes, &["--context", "other"], &words);
}

#[test]
fn a_context_named_as_a_kind_cluster_must_lead_to_it() {
    let fakes = Fakes::new().answering("kubectl", KUBECTL, "*get-contexts*) echo kind-gone; exit ;;");
    refuses(&fakes, &["--context", "kind-gone"], &["kind has no cluster gone", "kind get clusters"]);
    let fakes = Fakes::new().answering("kubectl", KUBECTL, "*'get nodes'*) echo node/m; exit ;;");
    let words = ["does not lead to the kind cluster there", "kind export kubeconfig --name there"];
    refuses(&fakes, &["--context", "kind-there"], &words);
    let fakes = Fakes::new().answering("docker", DOCKER, "ps*) exit ;;");
    refuses(
        &fakes,
        &["--context", "kind-there"],
        &["no node of the kind cluster there runs", "docker start"],
    );
}

#[test]
fn an_installation_in_the_context_is_left_alone() {
    let there = "*'get -k'*) echo namespace/sls-bed; exit ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, there);
    let words = ["has namespace/sls-bed already", "kubectl --context other delete"];
    refuses(&fakes, &["--context", "other"], &words);
}

#[test]
fn rights_that_are_missing_in_the_context_are_named() {
    let few = "*'can-i * *'* | *'can-i create namespaces'* | *'can-i create secrets'*) echo no; exit 1 ;;";
    let fakes = Fakes::new().answering("kubectl", KUBECTL, few);
    let words = ["create namespaces; create secrets", "cluster-admin", "auth can-i --list"];
    refuses(&fakes, &["--context", "other"], &words);
}

#[test]
fn a_context_without_a_default_storage_class_is_refused() {
    let fakes = Fakes::new().answering(
        "kubectl",
        KUBECTL,
        r#"*'get storageclasses'*) echo '{"items": [{"metadata": {"name": "slow"}}]}'; exit ;;"#,
    );
    let words =
        ["no default StorageClass", "it has slow", "kubectl --context other annotate storageclass slow"];
    refuses(&fakes, &["--context", "other"], &words);
}

#[test]
fn the_node_image_comes_from_the_environment() {
    let fakes = Fakes::new().answering("kind", KIND, "create*) echo 'failed to pull image x' >&2; exit 1 ;;");
    let output = fakes.bed(&[]).env("KIND_NODE_IMAGE", "mine:v1").output().expect("the bed");
    assert!(fakes.calls().contains("--image mine:v1"), "{}", fakes.calls());
    assert!(String::from_utf8_lossy(&output.stdout).contains("KIND_NODE_IMAGE"));
}
