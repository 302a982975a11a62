use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn profile(form: Form) -> Profile {
    Profile {
        name: "test".to_owned(),
        image: "collector:1".to_owned(),
        config_path: "/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json".to_owned(),
        account_id: Some("1234567890123456".to_owned()),
        machine_group: None,
        form,
        probe_port: 7953,
        startup_seconds: 60,
    }
}

fn config(name: &str, groups: &[&str], path: &str) -> AliyunLogConfig {
    let config = json!({
        "apiVersion": "log.alibabacloud.com/v1alpha1", "kind": "AliyunLogConfig",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"logstore": "logs", "machineGroups": groups, "logtailConfig": {
            "inputType": "file", "inputDetail": {"logType": "json_log", "logPath": path, "filePattern": "*.log"}}}
    });
    serde_json::from_value(config).unwrap()
}

/// The two configs of the document's example.
fn example() -> Vec<AliyunLogConfig> {
    vec![config("access", &["nginx"], "/var/log/nginx"), config("error", &["nginx"], "/var/log/nginx/")]
}

fn job(template: Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template}})
}

fn app(more: Value) -> Value {
    let mut container = json!({"name": "app", "image": "app:1"});
    container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    container
}

fn pods(spec: Value) -> Value {
    json!({"spec": spec})
}

fn injected(object: &Value, configs: &[AliyunLogConfig], form: Form) -> Result<(Value, Injected), Skip> {
    let mut object = object.clone();
    let injected = inject(&mut Workload::of(&mut object, None).unwrap(), configs, &profile(form))?;
    Ok((object, injected))
}

fn check(object: &Value, form: Form, expected: Expect) {
    let (object, _) = injected(object, &example(), form).unwrap();
    expected.assert_eq(&serde_saphyr::to_string(&object["spec"]["template"]).unwrap());
}

/// The reason, and what is told.
fn refused(template: Value, configs: &[AliyunLogConfig]) -> (&'static str, String) {
    let before = job(template);
    let mut object = before.clone();
    let skip =
        inject(&mut Workload::of(&mut object, None).unwrap(), configs, &profile(Form::Native)).unwrap_err();
    assert_eq!(object, before, "a refused workload is as it was");
    (skip.reason(), skip.to_string())
}

#[test]
fn the_documents_job_gets_what_the_document_writes_by_hand() {
    let template = pods(json!({"restartPolicy": "Never", "containers": [app(json!({}))]}));
    check(
        &job(template.clone()),
        Form::Plain,
        expect![[r#"
        spec:
          restartPolicy: Never
          containers:
          - name: app
            image: app:1
            volumeMounts:
            - name: sls-log-0
              mountPath: /var/log/nginx
          - name: logtail
            image: collector:1
            env:
            - name: ALIYUN_LOGTAIL_USER_ID
              value: "1234567890123456"
            - name: ALIYUN_LOGTAIL_USER_DEFINED_ID
              value: nginx
            - name: ALIYUN_LOGTAIL_CONFIG
              value: /etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json
            - name: ALIYUN_LOG_ENV_TAGS
              value: _pod_name_|_pod_ip_|_namespace_|_node_name_|_node_ip_
            - name: _pod_name_
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: _pod_ip_
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP
            - name: _namespace_
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
            - name: _node_name_
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
            - name: _node_ip_
              valueFrom:
                fieldRef:
                  fieldPath: status.hostIP
            - name: ALIYUN_LOGTAIL_SHARED_STATE_PATH
              value: /var/lib/sls-state
            - name: HTTP_PROBE_PORT
              value: "7953"
            - name: ALIYUN_LOGTAIL_JOB_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.labels['job-name']
            livenessProbe:
              exec:
                command:
                - /etc/init.d/ilogtaild
                - status
              initialDelaySeconds: 30
              periodSeconds: 30
            resources:
              limits:
                memory: 512Mi
              requests:
                cpu: 10m
                memory: 30Mi
            volumeMounts:
            - name: sls-log-0
              mountPath: /var/log/nginx
              readOnly: true
            - name: sls-state
              mountPath: /var/lib/sls-state
          volumes:
          - name: sls-log-0
            emptyDir: {}
          - name: sls-state
            emptyDir: {}
        metadata:
          labels:
            sls.testbed/injected: "true"
          annotations:
            sls.testbed/injected: test@1afba5d2
            sls.testbed/volumes: sls-log-0,sls-state
    "#]],
    );
    check(
        &job(template),
        Form::Native,
        expect![[r#"
        spec:
          restartPolicy: Never
          containers:
          - name: app
            image: app:1
            volumeMounts:
            - name: sls-log-0
              mountPath: /var/log/nginx
          volumes:
          - name: sls-log-0
            emptyDir: {}
          - name: sls-state
            emptyDir: {}
          initContainers:
          - name: logtail
            image: collector:1
            restartPolicy: Always
            env:
            - name: ALIYUN_LOGTAIL_USER_ID
              value: "1234567890123456"
            - name: ALIYUN_LOGTAIL_USER_DEFINED_ID
              value: nginx
            - name: ALIYUN_LOGTAIL_CONFIG
              value: /etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json
            - name: ALIYUN_LOG_ENV_TAGS
              value: _pod_name_|_pod_ip_|_namespace_|_node_name_|_node_ip_
            - name: _pod_name_
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: _pod_ip_
              valueFrom:
                fieldRef:
                  fieldPath: status.podIP
            - name: _namespace_
              valueFrom:
                fieldRef:
                  fieldPath: metadata.namespace
            - name: _node_name_
              valueFrom:
                fieldRef:
                  fieldPath: spec.nodeName
            - name: _node_ip_
              valueFrom:
                fieldRef:
                  fieldPath: status.hostIP
            - name: ALIYUN_LOGTAIL_SHARED_STATE_PATH
              value: /var/lib/sls-state
            - name: HTTP_PROBE_PORT
              value: "7953"
            - name: ALIYUN_LOGTAIL_EXIT_ON_IDLE
              value: "false"
            startupProbe:
              httpGet:
                path: /startup?within=60
                port: 7953
              periodSeconds: 1
              failureThreshold: 90
            livenessProbe:
              exec:
                command:
                - /etc/init.d/ilogtaild
                - status
              initialDelaySeconds: 30
              periodSeconds: 30
            resources:
              limits:
                memory: 512Mi
              requests:
                cpu: 10m
                memory: 30Mi
            volumeMounts:
            - name: sls-log-0
              mountPath: /var/log/nginx
              readOnly: true
            - name: sls-state
              mountPath: /var/lib/sls-state
        metadata:
          labels:
            sls.testbed/injected: "true"
          annotations:
            sls.testbed/injected: test@49cbd321
            sls.testbed/volumes: sls-log-0,sls-state
    "#]],
    );
}

#[test]
fn a_volume_that_is_there_is_used() {
    let mounted = json!({"volumeMounts": [{"name": "logs", "mountPath": "/var/log"}]});
    let template = pods(json!({"containers": [app(mounted)], "volumes": [{"name": "logs", "emptyDir": {}}]}));
    let (object, injected) = injected(&job(template), &example(), Form::Native).unwrap();
    let spec = &object["spec"]["template"]["spec"];
    assert_eq!(
        spec["volumes"],
        json!([{"name": "logs", "emptyDir": {}}, {"name": "sls-state", "emptyDir": {}}])
    );
    assert_eq!(
        spec["initContainers"][0]["volumeMounts"],
        json!([{"name": "logs", "mountPath": "/var/log", "readOnly": true},
            {"name": "sls-state", "mountPath": "/var/lib/sls-state"}])
    );
    assert_eq!(spec["containers"][0]["volumeMounts"].as_array().unwrap().len(), 1);
    assert_eq!(injected.warnings, [""; 0]);
}

#[test]
fn what_is_mounted_below_a_directory_is_shared_with_it() {
    let mounted = json!({"volumeMounts": [
        {"name": "claim", "mountPath": "/var/log/nginx/old", "subPath": "old"},
        {"name": "rules", "mountPath": "/var/log/nginx/rules"}]});
    let template = pods(
        json!({"containers": [app(mounted)], "volumes": [{"name": "rules", "configMap": {"name": "x"}}]}),
    );
    let (object, _) = injected(&job(template), &example(), Form::Native).unwrap();
    assert_eq!(
        object["spec"]["template"]["spec"]["initContainers"][0]["volumeMounts"],
        json!([{"name": "sls-log-0", "mountPath": "/var/log/nginx", "readOnly": true},
            {"name": "claim", "mountPath": "/var/log/nginx/old", "readOnly": true, "subPath": "old"},
            {"name": "sls-state", "mountPath": "/var/lib/sls-state"}])
    );
}

#[test]
fn each_directory_gets_a_volume_and_those_inside_of_another_do_not() {
    let configs = [
        config("a", &["g"], "/var/log/app"),
        config("b", &["g", "h"], "/data/*/logs"),
        config("c", &["h", "g"], "/var/log/app/inner"),
    ];
    let other = json!({"name": "other", "image": "other:1"});
    let template = pods(json!({"containers": [app(json!({})), other],
        "volumes": [{"name": "sls-log-0", "emptyDir": {}}]}));
    let (object, injected) = injected(&job(template), &configs, Form::Native).unwrap();
    let spec = &object["spec"]["template"]["spec"];
    let mounts = json!([{"name": "sls-log-1", "mountPath": "/data"}, {"name": "sls-log-2", "mountPath": "/var/log/app"}]);
    assert_eq!(spec["containers"][0]["volumeMounts"], mounts);
    assert_eq!(spec["containers"][1]["volumeMounts"], mounts);
    assert_eq!((injected.machine_group.as_str(), injected.directories.len()), ("g", 2));
}

#[test]
fn a_pod_chooses_its_configs_and_the_containers_that_write() {
    let configs = [
        config("access", &["nginx"], "/var/log/nginx"),
        config("debug", &["other"], "/debug"),
        config("x", &["y"], "/x"),
    ];
    let chosen = json!({"annotations": {CONFIGS_ANNOTATION: " debug, ", CONTAINERS_ANNOTATION: "app"}});
    let template = json!({"metadata": chosen, "spec": {"containers": [app(json!({})), {"name": "proxy"}]}});
    let (object, injected) = injected(&job(template), &configs, Form::Native).unwrap();
    assert_eq!((injected.configs, injected.machine_group.as_str()), (vec!["debug".to_owned()], "other"));
    let spec = &object["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][0]["volumeMounts"], json!([{"name": "sls-log-0", "mountPath": "/debug"}]));
    assert_eq!(spec["containers"][1], json!({"name": "proxy"}));
}

#[test]
fn the_sidecar_is_as_confined_as_the_application() {
    let confined = json!({"securityContext": {"runAsUser": 1000, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "seccompProfile": {"type": "RuntimeDefault"},
        "readOnlyRootFilesystem": true}});
    let template = pods(json!({"terminationGracePeriodSeconds": 90, "containers": [app(confined)]}));
    let (object, _) = injected(&job(template), &example(), Form::Native).unwrap();
    let sidecar = &object["spec"]["template"]["spec"]["initContainers"][0];
    assert_eq!(
        sidecar["securityContext"],
        json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true,
            "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}})
    );
    let drain = json!({"name": "ALIYUN_LOGTAIL_EXIT_FLUSHOUT_DURATION", "value": "88000"});
    assert!(sidecar["env"].as_array().unwrap().contains(&drain));
}

#[test]
fn every_kind_of_workload_is_one() {
    let template = pods(json!({"containers": [app(json!({}))]}));
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"] {
        let object = json!({"kind": kind, "metadata": {"namespace": "shop"}, "spec": {"template": template}});
        injected(&object, &example(), Form::Native).unwrap();
    }
    let cron = json!({"kind": "CronJob", "metadata": {"namespace": "shop"},
        "spec": {"jobTemplate": {"spec": {"template": template}}}});
    let (object, _) = injected(&cron, &example(), Form::Plain).unwrap();
    let env = &object["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][1]["env"];
    assert!(env.to_string().contains("ALIYUN_LOGTAIL_JOB_NAME"), "{env}");
    let pod =
        json!({"kind": "Pod", "metadata": {"namespace": "shop", "name": "one"}, "spec": template["spec"]});
    let (object, _) = injected(&pod, &example(), Form::Native).unwrap();
    assert_eq!(object["metadata"]["labels"], json!({INJECTED: "true"}));
    assert!(Workload::of(&mut json!({"kind": "Service", "spec": {"template": template}}), None).is_none());
    assert!(Workload::of(&mut json!({"kind": "Job", "spec": {}}), None).is_none());
}

#[test]
fn a_pod_that_a_job_made_tells_its_plain_sidecar_so() {
    let pod = |owner: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [app(json!({}))]},
            "metadata": {"name": "web", "namespace": "shop", "ownerReferences": [{"kind": owner, "name": "web"}]}})
    };
    for (owner, form, expected) in
        [("Job", Form::Plain, true), ("ReplicaSet", Form::Plain, false), ("Job", Form::Native, false)]
    {
        let (pod, _) = injected(&pod(owner), &example(), form).unwrap();
        assert_eq!(pod.to_string().contains("metadata.labels['job-name']"), expected, "{owner} {form:?}");
    }
}

#[test]
fn a_workload_that_cannot_get_it_says_why() {
    let plain = || pods(json!({"containers": [app(json!({}))]}));
    let mounts = |mount: Value, volume: Value| {
        pods(json!({"containers": [app(json!({"volumeMounts": [mount]}))], "volumes": [volume]}))
    };
    let annotated = |name: &str, value: &str| json!({"metadata": {"annotations": {name: value}}, "spec": plain()["spec"]});
    let docker = |mut config: AliyunLogConfig| {
        config.spec.logtail_config.input_detail.insert("dockerFile".to_owned(), true.into());
        config
    };
    let two = pods(json!({"containers": [
        app(json!({"volumeMounts": [{"name": "a", "mountPath": "/var/log"}]})),
        {"name": "b", "volumeMounts": [{"name": "a", "mountPath": "/var/log", "subPath": "b"}]}]}));
    let label = json!({"metadata": {"labels": {ASK_LABEL: "false"}}, "spec": plain()["spec"]});
    let cases = [
        ("opted_out", refused(label, &example())),
        ("sidecar_already_exists", refused(pods(json!({"containers": [{"name": "logtail"}]})), &example())),
        ("no_config", refused(plain(), &[docker(config("a", &["g"], "/a"))])),
        ("unknown_config", refused(annotated(CONFIGS_ANNOTATION, "none"), &example())),
        (
            "config_of_containers",
            refused(annotated(CONFIGS_ANNOTATION, "a"), &[docker(config("a", &["g"], "/a"))]),
        ),
        ("no_directory", refused(plain(), &[config("a", &["g"], "logs")])),
        ("no_directory", refused(plain(), &[config("a", &["g"], "/*/logs")])),
        ("no_machine_group", refused(plain(), &[config("a", &[], "/a")])),
        (
            "no_common_machine_group",
            refused(plain(), &[config("a", &["g"], "/a"), config("b", &["h"], "/a")]),
        ),
        ("unknown_container", refused(annotated(CONTAINERS_ANNOTATION, "none"), &example())),
        (
            "sub_path",
            refused(
                mounts(
                    json!({"name": "v", "mountPath": "/var/log/nginx", "subPathExpr": "$(POD)"}),
                    json!({"name": "v"}),
                ),
                &example(),
            ),
        ),
        (
            "read_only",
            refused(
                mounts(json!({"name": "v", "mountPath": "/var/log", "readOnly": true}), json!({"name": "v"})),
                &example(),
            ),
        ),
        (
            "no_log_volume",
            refused(
                mounts(json!({"name": "v", "mountPath": "/var/log"}), json!({"name": "v", "secret": {}})),
                &example(),
            ),
        ),
        ("containers_disagree", refused(two, &example())),
        ("malformed", refused(pods(json!({"containers": 1})), &example())),
        ("malformed", refused(json!({"metadata": {"labels": []}, "spec": plain()["spec"]}), &example())),
    ];
    let mut told = String::new();
    for (wanted, (reason, text)) in cases {
        assert_eq!(reason, wanted, "{text}");
        told += &format!("{reason}: {text}\n");
    }
    expect![[r#"
        opted_out: its label sls.testbed/inject is false
        sidecar_already_exists: it has a container logtail already: remove that, by hand or with `operator inject --uninject`
        no_config: there is no AliyunLogConfig in namespace shop that reads files: give its file with -f or -c, or create one
        unknown_config: annotation sls.testbed/configs names "none", which there is not in namespace shop: there are access, error
        config_of_containers: AliyunLogConfig a is for the files or the output of other containers, found by a DaemonSet (dockerFile is true, or inputType plugin): a sidecar reads files of a shared directory, set inputType file and dockerFile false
        no_directory: AliyunLogConfig a has logPath "logs", which names no directory to share: write an absolute one
        no_directory: AliyunLogConfig a has logPath "/*/logs", which names no directory to share: write an absolute one
        no_machine_group: AliyunLogConfig a lists no machine group and there is no default: list the group, or give --default-machine-group
        no_common_machine_group: no machine group is common to its AliyunLogConfigs (g, h): a collector belongs to one; give them a group in common, or choose some of them with the annotation sls.testbed/configs
        unknown_container: annotation sls.testbed/containers names "none", which there is not: there are app
        sub_path: container app mounts a part of volume v at /var/log/nginx that only its own environment names (subPathExpr): use subPath, or mount the whole volume
        read_only: container app cannot write to /var/log, where it mounts volume v read-only: correct logPath or the mount
        no_log_volume: volume v at /var/log is made of other objects (secret), no log files are in it: correct logPath
        containers_disagree: containers have different volumes at /var/log/nginx (a, b in a): choose those that write the logs with the annotation sls.testbed/containers
        malformed: its pods are not described as they must be: invalid type: integer `1`, expected a sequence
        malformed: its pods are not described as they must be: invalid type: sequence, expected a map
    "#]].assert_eq(&told);
}

#[test]
fn namespaces_of_the_cluster_are_left_alone() {
    let mut object = job(pods(json!({"containers": [app(json!({}))]})));
    object["metadata"]["namespace"] = "kube-system".into();
    assert_eq!(injected(&object, &example(), Form::Native), Err(Skip::SystemNamespace));
}

#[test]
fn volumes_of_the_user_stay_whatever_their_names_are() {
    let mounted = json!({"volumeMounts": [{"name": "sls-log-0", "mountPath": "/data"}]});
    let volumes = json!([{"name": "sls-log-0", "emptyDir": {}}]);
    let before = job(pods(json!({"containers": [app(mounted)], "volumes": volumes})));
    let (mut object, _) = injected(&before, &example(), Form::Native).unwrap();
    assert!(remove(&mut Workload::of(&mut object, None).unwrap()));
    assert_eq!(object, before);
}

#[test]
fn a_sidecar_written_by_hand_is_not_removed() {
    let mut object = job(pods(json!({"containers": [app(json!({})), {"name": "logtail"}]})));
    assert!(!remove(&mut Workload::of(&mut object, None).unwrap()));
}

/// Templates of one or two containers, with and without volumes, labels and empty lists.
fn any_template() -> impl Strategy<Value = Value> {
    let mount = prop::sample::select(vec![
        json!([{"name": "data", "mountPath": "/data"}]),
        json!([{"name": "data", "mountPath": "/var/log/nginx"}]),
    ]);
    let metadata = prop::sample::select(vec![
        json!(null),
        json!({}),
        json!({"labels": {"app": "web"}}),
        json!({"name": "web", "annotations": {}}),
    ]);
    (metadata, mount, any::<[bool; 4]>()).prop_map(
        |(metadata, mount, [has_mounts, has_volumes, has_init, two])| {
            let mut container = app(json!({}));
            if has_mounts {
                container["volumeMounts"] = mount;
            }
            let mut spec = json!({"containers": [container]});
            if two {
                spec["containers"].as_array_mut().unwrap().push(json!({"name": "second"}));
            }
            if has_volumes {
                spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
            }
            if has_init {
                spec["initContainers"] = json!([{"name": "first", "image": "i"}]);
            }
            let mut template = json!({"spec": spec});
            if !metadata.is_null() {
                template["metadata"] = metadata;
            }
            template
        },
    )
}

proptest! {
    #[test]
    fn what_was_added_can_be_taken_away_and_is_added_once(template in any_template(), native in any::<bool>()) {
        let before = job(template);
        let form = if native { Form::Native } else { Form::Plain };
        let (mut after, _) = injected(&before, &example(), form).unwrap();
        prop_assert_eq!(injected(&after, &example(), form), Err(Skip::AlreadyThere));
        prop_assert!(remove(&mut Workload::of(&mut after, None).unwrap()));
        // Empty metadata, labels and annotations say nothing.
        let without_empty = |mut object: Value| {
            let template = object["spec"]["template"].as_object_mut().unwrap();
            if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
            }
            if template.get("metadata") == Some(&json!({})) {
                template.shift_remove("metadata");
            }
            object
        };
        prop_assert_eq!(without_empty(after), without_empty(before));
    }
}
