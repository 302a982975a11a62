//! `operator inject` as a program: files in, objects out, and what it says.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use expect_test::expect;
use fixtures::repaired;
use serde_json::Value;

const APP: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: nginx, image: 'nginx:1'}
";

/// Runs the program on the text as its standard input.
fn inject(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_operator"))
        .arg("inject")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Who refuses its arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The configs of the document's example in a file.
fn configs() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{}\n---\n{}", repaired::CRD_ACCESS, repaired::CRD_ERROR).expect("written");
    file
}

#[test]
fn objects_come_out_as_they_were_but_for_the_sidecar_which_can_be_taken_away_again() {
    let configs = configs();
    let path = configs.path().to_str().expect("a path");
    let output = inject(&["-f", "-", "-c", path], APP);
    assert!(output.status.success(), "{}", told(&output));
    expect![[r#"
        Deployment default/web: sidecar added for machine group nginx-log-sidecar; /var/log/nginx of nginx-log-access-example, nginx-log-error-example
        Deployment default/web: warning: /var/log/nginx is an empty volume now: what the images have there cannot be seen any more
    "#]]
    .assert_eq(&told(&output));
    let yaml = String::from_utf8(output.stdout).expect("UTF-8");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&yaml).expect("YAML");
    let before: Vec<Value> = serde_saphyr::from_multiple(APP).expect("YAML");
    assert_eq!(objects[0], before[0]);
    let spec = &objects[1]["spec"]["template"]["spec"];
    assert_eq!(
        (&spec["initContainers"][0]["name"], &spec["containers"][0]["name"]),
        (&"logtail".into(), &"nginx".into())
    );

    let again = inject(&["-f", "-", "-c", path, "-o", "json"], &yaml);
    assert!(again.status.success() && told(&again).contains("(sidecar_already_exists)"), "{}", told(&again));
    let list: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(list["items"].as_array().expect("a list")[..], objects[..]);

    let removed = inject(&["-f", "-", "--uninject"], &yaml);
    assert_eq!(told(&removed), "Deployment default/web: sidecar removed\n");
    let after: Vec<Value> =
        serde_saphyr::from_multiple(&String::from_utf8_lossy(&removed.stdout)).expect("YAML");
    assert_eq!(after, before);
}

#[test]
fn nothing_is_printed_for_kubectl_when_a_workload_cannot_get_its_sidecar() {
    let output = inject(&["-f", "-"], APP);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    expect![[r#"
        Deployment default/web: not changed (no_config): there is no AliyunLogConfig in namespace default that reads files: give its file with -f or -c, or create one
    "#]]
    .assert_eq(&told(&output));

    let output = inject(&["-f", "-"], "kind: Service");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{}", told(&output));
    let output = inject(&["-f", "-"], "kind: AliyunLogConfig\nspec: 1");
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("`operator validate` says more"), "{}", told(&output));

    let output = inject(&["-f", "/nowhere.yaml"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("/nowhere.yaml cannot be read"), "{}", told(&output));
}

#[test]
fn objects_in_a_list_and_a_namespace_of_the_command_line_are_understood() {
    let configs = configs();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items":
        serde_saphyr::from_multiple::<Value>(APP).expect("YAML")});
    let path = configs.path().to_str().expect("a path");
    let output =
        inject(&["-f", "-", "-c", path, "-n", "shop", "--form", "plain", "-o", "json"], &list.to_string());
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).starts_with("Deployment shop/web: sidecar added"), "{}", told(&output));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list["items"][1]["spec"]["template"]["spec"]["containers"][1]["name"], "logtail");
}
