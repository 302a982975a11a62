//! The wizard of collection configs.

use serde_json::{Value, json};
use sls_api::ops::InConfig;
use sls_api::ops::documents::{
    CreateLogtailPipelineConfig, GetLogtailPipelineConfig, InPipelineConfig, PipelineConfig,
};
use sls_api::ops::logtail_configs::{
    CreateConfig, GetAppliedMachineGroups, GetConfig, LogtailConfig, UpdateConfig,
};
use sls_api::{Json, NoPath, NoQuery};

use super::visitor::{Page, Visitor};

const LINE: &str = r#"10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] "GET /a HTTP/1.1" 200 612 "-" "curl/8.1""#;
const FORMAT: &str = r#"log_format main '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"';"#;

async fn with_groups() -> Visitor {
    let visitor = Visitor::start().await;
    visitor.done("/projects/demo/logstores", &[("logstore", "nginx-access")]).await;
    for group in ["one", "two"] {
        let form = [("group", group), ("identified", "userdefined"), ("machines", group)];
        visitor.done("/projects/demo/machine-groups", &form).await;
    }
    visitor
}

/// A form of this mode, with what each has.
fn form<'f>(mode: &'f str, more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut form = vec![
        ("mode", mode),
        ("name", "nginx-access"),
        ("logstore", "nginx-access"),
        ("log-path", "/var/log/nginx"),
        ("file-pattern", "access.log"),
        ("max-depth", "0"),
        ("encoding", "utf8"),
        ("topic", "none"),
    ];
    form.extend(more);
    form
}

async fn preview(visitor: &Visitor, form: &[(&str, &str)]) -> Page {
    let page = visitor.post("/projects/demo/config-preview", form).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

async fn save(visitor: &Visitor, form: &[(&str, &str)]) -> String {
    let form = [form, &[("do", "save")]].concat();
    visitor.done("/projects/demo/new-config", &form).await
}

async fn config(visitor: &Visitor) -> LogtailConfig {
    let path = InConfig { config: "nginx-access".parse().unwrap() };
    visitor.ask::<GetConfig>(path, NoQuery {}, ()).await.0
}

async fn groups(visitor: &Visitor) -> Vec<String> {
    let path = InConfig { config: "nginx-access".parse().unwrap() };
    let Json(applied) = visitor.ask::<GetAppliedMachineGroups>(path, NoQuery {}, ()).await;
    applied.machinegroups.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_mode_has_a_form_and_tells_why_docker_file_is_off() {
    let visitor = with_groups().await;
    for mode in ["simple", "regex", "nginx", "delimiter", "json"] {
        let page =
            visitor.page(&format!("/projects/demo/new-config?mode={mode}&logstore=nginx-access")).await;
        page.has(&["a sidecar shares a volume", "name=\"log-path\"", "value=\"one\"", "name=\"sample\""]);
        page.has(&[&format!("<option value=\"{mode}\" selected"), "<option value=\"nginx-access\" selected"]);
    }
    visitor
        .page("/projects/demo/new-config?mode=advanced")
        .await
        .has(&["name=\"input-type\"", "inputDetail"]);
    visitor
        .page("/projects/demo/new-config?mode=none-such")
        .await
        .has(&["<option value=\"simple\" selected"]);
    assert_eq!(visitor.get("/projects/none/new-config").await.status, 404);
}

#[tokio::test]
async fn a_regex_is_shown_at_work_on_the_sample() {
    let visitor = with_groups().await;
    let fields = [
        ("regex", r#"(\S+) - - \[([^\]]+)\] "(\w+) (\S+)[^"]*" (\d+) .*"#),
        ("key", "ip"),
        ("key", "time"),
        ("key", "method"),
        ("key", "url"),
        ("key", "status"),
        ("time-key", "time"),
        ("time-format", "%d/%b/%Y:%H:%M:%S %z"),
        ("discard-unmatched", "true"),
    ];
    let two = format!("{LINE}\r\n10.0.0.2 - - [bad] GET\r\n");
    let page = preview(&visitor, &form("regex", &[&fields[..], &[("sample", &two)]].concat())).await;
    page.has(&["data-keys=\"5\"", "1 of 2 lines match regex", "time format fits 1 of 1"]);
    page.has(&[r#"title="method">GET<sub>3</sub>"#, "does not match, dropped", "2018-11-13T09:05:09Z"]);
    page.has(&["there the regex has", "kind: AliyunLogConfig"]);
    // What is dropped is sent whole instead.
    let kept: Vec<_> = fields.iter().copied().filter(|(name, _)| *name != "discard-unmatched").collect();
    let page = preview(&visitor, &form("regex", &[&kept[..], &[("sample", &two)]].concat())).await;
    page.has(&["sent in __raw_log__"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_breaks() {
    let visitor = with_groups().await;
    for (mode, more, told) in [
        ("regex", vec![("regex", r"(\S+) (\d+"), ("key", "a")], "regex"),
        ("regex", vec![("regex", r"(\S+) (\d+)"), ("key", "a")], "key"),
        ("regex", vec![("regex", r"(a)(?=b)"), ("key", "a")], "look-around"),
        ("nginx", vec![("log-format", "nothing in it")], "has no variable"),
        ("nginx", vec![("log-format", "$a$b")], "stand beside each other"),
        ("delimiter", vec![("separator", "")], "separator"),
        ("simple", vec![("more", "[1]")], "write a JSON object"),
        ("simple", vec![("more", "{\"regex\": \"x\"}")], "has a field of its own"),
        ("simple", vec![("max-depth", "deep")], "no number"),
        ("simple", vec![("more", "{\"tailExisted\": 7}")], "tailExisted"),
        ("advanced", vec![("input-type", "syslog"), ("more", "{}")], "syslog"),
    ] {
        let mut fields = form(mode, &more);
        if mode == "simple" && more[0].0 == "max-depth" {
            fields.retain(|(name, value)| *name != "max-depth" || *value == "deep");
        }
        fields.push(("sample", LINE));
        preview(&visitor, &fields).await.has(&["This config cannot work", told]);
    }
    let hostile = "<script>alert(1)</script>\u{202e}\0\u{1b}[31m";
    let page = preview(&visitor, &form("simple", &[("sample", hostile)])).await;
    page.has(&["&lt;script&gt;", "␛[31m"]).lacks(&["<script>alert"]);
    let long = "x".repeat(1_000_000);
    let page = preview(&visitor, &form("simple", &[("sample", &long)])).await;
    assert!(page.text.len() < 20_000, "{}", page.text.len());
    assert_eq!(visitor.post("/projects/none/config-preview", &[]).await.status, 200);
}

#[tokio::test]
async fn a_log_format_of_nginx_is_enough_and_becomes_a_regex() {
    let visitor = with_groups().await;
    let fields = form("nginx", &[("log-format", FORMAT), ("sample", LINE), ("discard-unmatched", "true")]);
    let page = preview(&visitor, &fields).await;
    page.has(&["remote_addr, remote_user, time_local", "%d/%b/%Y:%H:%M:%S %z", "1 of 1 lines match regex"]);
    page.has(&["Go on with this regex", "logType: common_reg_log"]);
    save(&visitor, &fields).await;
    let saved = config(&visitor).await.input_detail;
    assert_eq!(saved["logFormat"], FORMAT);
    assert!(!saved.contains_key("regex"));
    visitor.page("/projects/demo/configs/nginx-access/edit").await.has(&["<option value=\"nginx\" selected"]);
    let on = [&fields[..], &[("do", "to-regex")]].concat();
    let page = visitor.post("/projects/demo/new-config", &on).await;
    page.has(&["<option value=\"regex\" selected", "value=\"remote_addr\"", "value=\"time_local\""]);
}

#[tokio::test]
async fn a_regex_is_made_of_a_line() {
    let visitor = with_groups().await;
    let fields = form("regex", &[("sample", LINE), ("do", "guess"), ("discard-unmatched", "true")]);
    let page = visitor.post("/projects/demo/new-config", &fields).await;
    assert_eq!(page.status, 200);
    page.has(&[
        "value=\"ip\"",
        "value=\"time\"",
        "value=\"request\"",
        "value=\"status\"",
        "1 of 1 lines match regex",
    ]);
}

#[tokio::test]
async fn columns_and_objects_are_previewed() {
    let visitor = with_groups().await;
    let columns = [("separator", r"\t"), ("quote", "\""), ("key", "a"), ("key", "b"), ("extends", "true")];
    let page =
        preview(&visitor, &form("delimiter", &[&columns[..], &[("sample", "1\t\"2\t3\"\t4\n")]].concat()))
            .await;
    page.has(&["<bdi>a</bdi>", "<bdi>2\t3</bdi>", "__column2__", "data-keys=\"4\""]);
    let page = preview(&visitor, &form("json", &[("sample", "{\"a\": {\"b\": 1}}\nno object\n")])).await;
    page.has(&["1 of 2 lines match JSON mode", "{&quot;b&quot;: 1}"]);
    let begin = [("begin", r"\d+ .*"), ("sample", "1 first\n  at x\n2 second\n")];
    preview(&visitor, &form("simple", &begin)).await.has(&["begin regex matches 2 of 3 lines", "at x"]);
}

#[tokio::test]
async fn a_config_is_saved_and_applied_to_the_groups_that_are_ticked() {
    let visitor = with_groups().await;
    let fields = [
        ("separator", r"\t"),
        ("quote", ""),
        ("key", "a"),
        ("key", "_"),
        ("key", ""),
        ("topic-text", "t1"),
        ("time-key", "a"),
        ("time-format", "%s"),
        ("time-zone", "GMT+08:00"),
        ("filter-key", "a"),
        ("filter-regex", r"\d+"),
        ("filter-key", ""),
        ("filter-regex", ""),
        ("more", r#"{"tailExisted": true}"#),
        ("sample", "1\t2"),
        ("group", "one"),
        ("raw-log", "true"),
    ];
    let mut fields = form("delimiter", &fields);
    fields.retain(|(name, _)| *name != "topic");
    fields.push(("topic", "constant"));
    assert_eq!(save(&visitor, &fields).await, "/projects/demo/configs/nginx-access");
    let saved = config(&visitor).await;
    let wanted = json!({
        "logType": "delimiter_log", "logPath": "/var/log/nginx", "filePattern": "access.log", "dockerFile": false,
        "maxDepth": 0, "fileEncoding": "utf8", "topicFormat": "customized://t1", "separator": "\t", "quote": "\u{1}",
        "key": ["a", "_"], "autoExtend": false, "timeKey": "a", "timeFormat": "%s", "adjustTimezone": true,
        "logTimezone": "GMT+08:00", "filterKey": ["a"], "filterRegex": [r"\d+"], "discardUnmatch": false,
        "enableRawLog": true, "tailExisted": true,
    });
    assert_eq!(Value::Object(saved.input_detail), wanted);
    assert_eq!(saved.log_sample.as_deref(), Some("1\t2"));
    assert_eq!(groups(&visitor).await, ["one"]);
    // What the form shows of it is what it was.
    let edit = visitor.page("/projects/demo/configs/nginx-access/edit").await;
    edit.has(&[
        r#"name="separator" value="\t""#,
        "value=\"t1\"",
        "value=\"GMT+08:00\"",
        "tailExisted",
        "value=\"one\" checked",
    ]);
    let refused = visitor.post("/projects/demo/new-config", &[&fields[..], &[("do", "save")]].concat()).await;
    refused.has(&["ConfigAlreadyExist"]);
}

#[tokio::test]
async fn changing_a_config_keeps_what_the_form_does_not_show() {
    let visitor = with_groups().await;
    let there: LogtailConfig = serde_json::from_value(json!({
        "configName": "nginx-access", "inputType": "file", "outputType": "LogService",
        "inputDetail": {"logType": "common_reg_log", "logPath": "/a", "filePattern": "*.log", "regex": "(a)(b)",
            "key": ["x", "y"], "tailExisted": true, "advanced": {"tail_size_kb": 5}, "unknown": [1]},
        "outputDetail": {"logstoreName": "nginx-access", "compressType": "zstd", "endpoint": "e"},
    }))
    .unwrap();
    visitor.ask::<CreateConfig>(NoPath {}, NoQuery {}, Json(there)).await;
    let page = visitor.page("/projects/demo/configs/nginx-access/edit").await;
    page.has(&["(a)(b)", "value=\"x\"", "&quot;unknown&quot;"]);
    let (_, more) = page.text.split_once("<textarea class=\"code\" id=\"more\"").unwrap();
    let more = more.split_once('>').unwrap().1.split_once("</textarea>").unwrap().0.replace("&quot;", "\"");
    let mut fields =
        form("regex", &[("regex", "(a)(c)"), ("key", "x"), ("key", "y"), ("group", "two"), ("do", "save")]);
    fields.retain(|(name, _)| *name != "name");
    fields.push(("more", more.trim()));
    visitor.done("/projects/demo/configs/nginx-access/edit", &fields).await;
    let now = config(&visitor).await;
    let detail = Value::Object(now.input_detail);
    assert_eq!((&detail["regex"], &detail["unknown"]), (&json!("(a)(c)"), &json!([1])));
    assert_eq!((&detail["tailExisted"], &detail["advanced"]), (&json!(true), &json!({"tail_size_kb": 5})));
    assert_eq!(now.output_detail.compress_type.as_deref(), Some("zstd"));
    assert_eq!(groups(&visitor).await, ["two"]);
    let again = [&form("simple", &[])[..], &[("group", "one"), ("do", "save")]].concat();
    visitor.done("/projects/demo/configs/nginx-access/edit", &again).await;
    assert_eq!(groups(&visitor).await, ["one"]);
    visitor.done("/projects/demo/configs/nginx-access/delete", &[]).await;
    visitor.page("/projects/demo/configs").await.has(&["No collection config here"]);
}

#[tokio::test]
async fn a_config_that_no_mode_shows_is_changed_by_hand() {
    let visitor = with_groups().await;
    let detail = r#"{"plugin": {"inputs": [{"type": "metric_mock"}]}}"#;
    let fields = [
        ("mode", "advanced"),
        ("name", "nginx-access"),
        ("logstore", "nginx-access"),
        ("input-type", "plugin"),
        ("more", detail),
    ];
    save(&visitor, &fields).await;
    let saved = config(&visitor).await;
    assert_eq!(saved.input_type, "plugin");
    let path = InConfig { config: "nginx-access".parse().unwrap() };
    visitor.ask::<UpdateConfig>(path, NoQuery {}, Json(saved.clone())).await;
    visitor.page("/projects/demo/configs/nginx-access/edit").await.has(&["metric_mock", "value=\"plugin\""]);
    assert_eq!(Value::Object(saved.input_detail), serde_json::from_str::<Value>(detail).unwrap());
    // A config of files that would collect nothing is not saved either.
    let broken = [&form("regex", &[("regex", "(a"), ("key", "x")])[..], &[("do", "save")]].concat();
    let refused = visitor.post("/projects/demo/new-config", &broken).await;
    assert_eq!(refused.status, 400);
    refused.has(&["regex: "]);
    for bad in [("name", "!"), ("logstore", ""), ("more", "{")] {
        let fields: Vec<_> = fields.iter().filter(|(name, _)| *name != bad.0).copied().chain([bad]).collect();
        let refused =
            visitor.post("/projects/demo/new-config", &[&fields[..], &[("do", "save")]].concat()).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
    }
}

#[tokio::test]
async fn configs_in_pipeline_form_are_listed_changed_and_deleted() {
    let visitor = with_groups().await;
    let config: PipelineConfig = serde_json::from_value(json!({
        "configName": "pipe", "inputs": [{"Type": "input_file", "FilePaths": ["/a/<b>.log"]}], "processors": [],
        "flushers": [{"Type": "flusher_sls", "Logstore": "nginx-access"}],
    }))
    .unwrap();
    visitor.ask::<CreateLogtailPipelineConfig>(NoPath {}, NoQuery {}, Json(config)).await;
    visitor.page("/projects/demo/machine-groups/one").await.has(&["<option value=\"pipe\">"]);
    visitor.done("/projects/demo/machine-groups/one/apply", &[("config", "pipe")]).await;
    let there = "/projects/demo/pipeline-configs/pipe";
    visitor.page("/projects/demo/configs").await.has(&["In pipeline form", there]);
    let other = visitor.get("/projects/demo/configs/pipe").await;
    assert_eq!((other.status, other.location.as_str()), (303, there));
    visitor.page(there).await.has(&["/a/&lt;b&gt;.log", "machine-groups/one"]).lacks(&["createTime", "<b>"]);
    let body = r#"{"inputs": [{"Type": "input_file", "FilePaths": ["/c.log"]}], "flushers": [{"Type": "flusher_sls", "Logstore": "nginx-access"}]}"#;
    visitor.done(there, &[("body", body)]).await;
    let path = InPipelineConfig { name: "pipe".parse().unwrap() };
    let Json(now) = visitor.ask::<GetLogtailPipelineConfig>(path, NoQuery {}, ()).await;
    assert_eq!(now.body["inputs"][0]["FilePaths"], json!(["/c.log"]));
    assert_eq!(visitor.post(there, &[("body", "[]")]).await.status, 400);
    visitor.done(&format!("{there}/delete"), &[]).await;
    visitor.page("/projects/demo/configs").await.lacks(&["In pipeline form"]);
}
