use std::path::Path;

use expect_test::expect;
use serde_json::json;

use super::*;
use crate::env::Env;

/// A container's files and what is followed of them.
struct Bed {
    dir: tempfile::TempDir,
    local: LocalConfigs,
    instance: InstanceConfig,
}

const HOME: &str = "usr/local/ilogtail";

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let env = Env::from_iter([("default_access_key_id", "id"), ("default_access_key", "secret")]);
        let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
        let instance = InstanceConfig::parse(path, None, &env).unwrap();
        let local = LocalConfigs::new(Layout::new(Some(dir.path().to_owned())));
        Self { dir, local, instance }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(HOME).join(path)
    }

    /// By another inode, so that it is another file whatever the clock says.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = path.with_extension("new");
        fs::write(&aside, content).unwrap();
        fs::rename(aside, path).unwrap();
    }

    /// What is said, and what is in force afterwards.
    fn scan(&mut self) -> String {
        let (changed, says) = self.local.scan(&self.instance);
        let mut shown = if changed { "changed\n" } else { "" }.to_owned();
        for say in says {
            shown += &format!("{say:?}\n");
        }
        for (name, (pipeline, file)) in self.local.in_force() {
            let pattern = pipeline.map_or("off", |pipeline| &pipeline.input.file_pattern);
            shown += &format!(
                "{name} of {}: {pattern}\n",
                file.strip_prefix(Path::new("/").join(HOME)).unwrap().display()
            );
        }
        shown
    }
}

fn pipeline(file: &str) -> Value {
    json!({"inputs": [{"Type": "input_file", "FilePaths": [format!("/l/{file}")]}],
        "flushers": [{"Type": "flusher_sls", "Project": "project", "Logstore": "store"}]})
}

fn classic(file: &str) -> Value {
    json!({"enable": true, "project_name": "project", "category": "store", "log_type": "common_reg_log",
        "log_path": "/l", "file_pattern": file})
}

#[test]
fn nothing_is_there_and_nothing_is_said() {
    assert_eq!(Bed::new().scan(), "");
}

#[test]
fn configs_of_all_places_are_read_and_what_changes_is_followed() {
    let mut bed = Bed::new();
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    bed.write("config/local/b.yaml", "inputs:\n  - Type: input_file\n    FilePaths: [/l/b.log]\nflushers:\n  - {Type: flusher_sls, Project: project, Logstore: store}\n");
    bed.write("config/local/readme.txt", "no config");
    bed.write("config/local/.hidden.yaml", "no config");
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"c": classic("c.log"), "d": classic("d.log")}}).to_string(),
    );
    bed.write(
        "user_config.d/team.json",
        json!({"metrics": {"##1.0##p$e": pipeline("e.log")}, "x": 1}).to_string(),
    );
    expect![[r#"
        changed
        Info("config a of /usr/local/ilogtail/config/local/a.json accepted")
        Info("config b of /usr/local/ilogtail/config/local/b.yaml accepted")
        Info("config c of /usr/local/ilogtail/user_local_config.json accepted")
        Info("config d of /usr/local/ilogtail/user_local_config.json accepted")
        Warn("/usr/local/ilogtail/user_config.d/team.json: \"x\" beside `metrics` has no effect")
        Info("config ##1.0##p$e of /usr/local/ilogtail/user_config.d/team.json accepted")
        ##1.0##p$e of user_config.d/team.json: e.log
        a of config/local/a.json: a.log
        b of config/local/b.yaml: b.log
        c of user_local_config.json: c.log
        d of user_local_config.json: d.log
    "#]]
    .assert_eq(&bed.scan());
    assert!(!bed.scan().contains("changed"), "nothing has changed");

    bed.write("user_local_config.json", json!({"metrics": {"c": classic("c2.log")}}).to_string());
    fs::remove_file(bed.path("config/local/b.yaml")).unwrap();
    expect![[r#"
        changed
        Info("config b: removed with /usr/local/ilogtail/config/local/b.yaml")
        Info("config c of /usr/local/ilogtail/user_local_config.json accepted")
        Info("config d: removed from /usr/local/ilogtail/user_local_config.json")
        ##1.0##p$e of user_config.d/team.json: e.log
        a of config/local/a.json: a.log
        c of user_local_config.json: c2.log
    "#]]
    .assert_eq(&bed.scan());
}

#[test]
fn a_version_changes_with_the_text_of_its_config_only() {
    let mut bed = Bed::new();
    let versions = |bed: &mut Bed| {
        bed.scan();
        bed.local.in_force().into_values().map(|(pipeline, _)| pipeline.unwrap().version).collect::<Vec<_>>()
    };
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"a": classic("a.log"), "b": classic("b.log")}}).to_string(),
    );
    let first = versions(&mut bed);
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"a": classic("a.log"), "b": classic("x.log")}}).to_string(),
    );
    let second = versions(&mut bed);
    assert_eq!(first[0], second[0]);
    assert_ne!(first[1], second[1]);
}

#[test]
fn a_broken_file_keeps_what_was_good_and_is_reported_once() {
    let mut bed = Bed::new();
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    bed.write("config/local/b.yml", "inputs: [\n");
    bed.scan();
    bed.write("config/local/a.json", "{\n  \"inputs\": [,\n");
    expect![[r#"
        Error("local config /usr/local/ilogtail/config/local/a.json: it is not JSON: expected value at line 2, column 14; what was good before goes on. Correct the file: it is looked at again every 10 s")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
    expect![[r#"
        a of config/local/a.json: a.log
    "#]]
    .assert_eq(&bed.scan());
    bed.write("config/local/a.json", "[]");
    bed.write("config/local/b.yml", "a: 1\n  b: 2\n");
    expect![[r#"
        Error("local config /usr/local/ilogtail/config/local/a.json: it must hold an object, not a list; what was good before goes on. Correct the file: it is looked at again every 10 s")
        Error("local config /usr/local/ilogtail/config/local/b.yml: it is not YAML: mapping values are not allowed in this context at line 2, column 4; nothing of it is collected. Correct the file: it is looked at again every 10 s")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
    bed.write("config/local/a.json", json!({"metrics": {}}).to_string());
    fs::remove_file(bed.path("config/local/b.yml")).unwrap();
    expect![[r#"
        Error("local config /usr/local/ilogtail/config/local/a.json: it holds `metrics`, the form of user_local_config.json: move it to user_config.d; what was good before goes on. Correct the file: it is looked at again every 10 s")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    expect![[r#"
        a of config/local/a.json: a.log
    "#]]
    .assert_eq(&bed.scan());
}

#[test]
fn an_entry_that_cannot_be_used_harms_neither_its_old_version_nor_others() {
    let mut bed = Bed::new();
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"a": classic("a.log"), "b": classic("b.log")}}).to_string(),
    );
    bed.scan();
    let mut bad = classic("a2.log");
    bad["regex"] = json!(["(a"]);
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"a": bad, "b": classic("b2.log"), "c": 7}}).to_string(),
    );
    expect![[r#"
        changed
        Error("config a of /usr/local/ilogtail/user_local_config.json cannot be used: regex: the regex does not compile: unclosed group; what was good before goes on. Correct the file: it is looked at again every 10 s")
        Info("config b of /usr/local/ilogtail/user_local_config.json accepted")
        Error("config c of /usr/local/ilogtail/user_local_config.json cannot be used: it must be an object, not a number; it is not collected. Correct the file: it is looked at again every 10 s")
        a of user_local_config.json: a.log
        b of user_local_config.json: b2.log
    "#]].assert_eq(&bed.scan());
}

#[test]
fn the_first_of_a_name_wins_and_the_other_is_named() {
    let mut bed = Bed::new();
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    bed.write("user_config.d/x.json", json!({"metrics": {"a": classic("other.log")}}).to_string());
    expect![[r#"
        changed
        Info("config a of /usr/local/ilogtail/config/local/a.json accepted")
        Info("config a of /usr/local/ilogtail/user_config.d/x.json accepted")
        Error("config a of /usr/local/ilogtail/user_config.d/x.json is not collected: /usr/local/ilogtail/config/local/a.json has one of this name; rename one of them")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
    fs::remove_file(bed.path("config/local/a.json")).unwrap();
    expect![[r#"
        changed
        Info("config a: removed with /usr/local/ilogtail/config/local/a.json")
        a of user_config.d/x.json: other.log
    "#]]
    .assert_eq(&bed.scan());
}

#[test]
fn a_config_that_is_off_is_in_force_and_a_deleted_one_is_not() {
    let mut bed = Bed::new();
    let deleted = json!({"enable": true, "version": -1});
    bed.write(
        "user_local_config.json",
        json!({"metrics": {"a": {"enable": false}, "b": deleted}}).to_string(),
    );
    expect![[r#"
        changed
        Info("config a of /usr/local/ilogtail/user_local_config.json is switched off (enable: false)")
        Info("config b of /usr/local/ilogtail/user_local_config.json is marked as deleted (version: -1)")
        a of user_local_config.json: off
    "#]]
    .assert_eq(&bed.scan());
}

#[test]
fn without_an_access_key_it_is_said_what_is_missing() {
    let mut bed = Bed::new();
    bed.instance.access_key = None;
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    expect![[r#"
        changed
        Error("config a of /usr/local/ilogtail/config/local/a.json is read, but nothing can be sent: set default_access_key_id and default_access_key in /etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json or in the environment, and restart the collector")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
}

#[test]
fn a_mounted_config_map_is_followed_through_its_links() {
    let mut bed = Bed::new();
    bed.write("config/local/..1/a.json", pipeline("a.log").to_string());
    bed.write("config/local/..2/a.json", pipeline("b.log").to_string());
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, bed.path(at)).unwrap();
    link("..1", "config/local/..data");
    link("..data/a.json", "config/local/a.json");
    assert!(bed.scan().contains("a of config/local/a.json: a.log"));
    std::os::unix::fs::symlink("..2", bed.path("config/local/..data_tmp")).unwrap();
    fs::rename(bed.path("config/local/..data_tmp"), bed.path("config/local/..data")).unwrap();
    assert!(bed.scan().contains("a of config/local/a.json: b.log"));
}

#[test]
fn a_directory_that_cannot_be_listed_keeps_its_configs() {
    let mut bed = Bed::new();
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    bed.scan();
    fs::rename(bed.path("config/local"), bed.path("config/aside")).unwrap();
    fs::write(bed.path("config/local"), "in the way").unwrap();
    expect![[r#"
        Error("local config /usr/local/ilogtail/config/local/a.json: it cannot be read (Not a directory (os error 20)); what was good before goes on. Correct the file: it is looked at again every 10 s")
        Error("/usr/local/ilogtail/config/local cannot be read (Not a directory (os error 20)); its configs go on as they were: make it readable for this user")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
}

#[test]
fn a_pipe_in_the_place_of_the_file_is_not_waited_for() {
    let mut bed = Bed::new();
    bed.write("config/local/a.json", pipeline("a.log").to_string());
    let pipe = bed.path("user_local_config.json");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    expect![[r#"
        changed
        Info("config a of /usr/local/ilogtail/config/local/a.json accepted")
        Error("local config /usr/local/ilogtail/user_local_config.json: it cannot be read (it is no file); nothing of it is collected. Correct the file: it is looked at again every 10 s")
        a of config/local/a.json: a.log
    "#]].assert_eq(&bed.scan());
}

#[test]
fn references_to_variables_are_replaced_once_in_both_forms() {
    let mut bed = Bed::new();
    let refers = ("enable_env_ref_in_config", "true");
    let key = [("default_access_key_id", "id"), ("default_access_key", "secret")];
    let variables = [("LOG_DIR", "/l"), ("STORE", "store"), refers];
    let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
    let env = key.into_iter().chain(variables).collect();
    bed.instance = InstanceConfig::parse(path, None, &env).unwrap();
    let mut of_agent = classic("$${a}.log");
    of_agent["log_path"] = "${LOG_DIR}".into();
    of_agent["category"] = "${STORE}".into();
    bed.write("user_local_config.json", json!({"metrics": {"classic": of_agent}}).to_string());
    let text = pipeline("x.log").to_string().replace("/l/x.log", "${LOG_DIR}/$${b}.log");
    bed.write("config/local/pipe.json", text);
    let scanned = bed.scan();
    for wanted in
        ["\nclassic of user_local_config.json: ${a}.log\n", "\npipe of config/local/pipe.json: ${b}.log\n"]
    {
        assert!(scanned.contains(wanted), "{scanned}");
    }
    assert!(!scanned.contains("Error("), "{scanned}");
}
