use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::pipeline::FileInput;

#[derive(Default)]
struct Notes(Vec<String>);

impl Visitor for Notes {
    fn directory(&mut self, dir: &Located, holds_files: bool) {
        let what = if holds_files { "files in" } else { "watch" };
        self.0.push(format!("{what} {}", dir.shown.display()));
    }
    fn file(&mut self, file: &Located) {
        self.0.push(format!("file {}", file.shown.display()));
    }
    fn problem(&mut self, at: &Located, error: io::Error) {
        self.0.push(format!("problem {} {:?}", at.shown.display(), error.kind()));
    }
    fn too_many(&mut self) {
        self.0.push("too many".to_owned());
    }
}

fn input(directory: &str, file_pattern: &str, max_depth: u32) -> FileInput {
    FileInput {
        directory: PathBuf::from(directory),
        file_pattern: file_pattern.to_owned(),
        max_depth,
        tail_existing: false,
        tail_bytes: 1 << 20,
        flush_timeout: Duration::from_secs(60),
        encoding: Default::default(),
        position_meta: Default::default(),
        delay_alarm_bytes: 200 << 20,
        excluded: Default::default(),
    }
}

fn tree(paths: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("temporary directory");
    for path in paths {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        fs::write(path, "").expect("write");
    }
    root
}

fn check(root: &Path, input: &FileInput, expected: Expect) {
    let mut notes = Notes::default();
    walk(&Matcher::new(input), Some(root), &mut notes);
    notes.0.sort();
    expected.assert_eq(&(notes.0.join("\n") + "\n"));
}

#[test]
fn only_the_directory_itself_is_searched_by_default() {
    let root = tree(&["var/log/nginx/access.log", "var/log/nginx/error.log", "var/log/nginx/old/access.log"]);
    check(
        root.path(),
        &input("/var/log/nginx", "access.log", 0),
        expect![["
        file /var/log/nginx/access.log
        files in /var/log/nginx
    "]],
    );
}

#[test]
fn depth_and_wildcards_reach_further() {
    let root = tree(&[
        "logs/a/x/1.log",
        "logs/b/x/2.log",
        "logs/b/x/d/3.log",
        "logs/b/x/d/e/4.log",
        "logs/b/y/5.log",
    ]);
    check(
        root.path(),
        &input("/logs/*/x", "*.log", 1),
        expect![["
        file /logs/a/x/1.log
        file /logs/b/x/2.log
        file /logs/b/x/d/3.log
        files in /logs/a/x
        files in /logs/b/x
        files in /logs/b/x/d
        watch /logs
        watch /logs/a
        watch /logs/b
    "]],
    );
}

#[test]
fn a_directory_that_does_not_exist_yet_is_awaited_at_its_nearest_ancestor() {
    let root = tree(&["var/x"]);
    check(
        root.path(),
        &input("/var/log/nginx", "*.log", 0),
        expect![["
        watch /var
    "]],
    );
}

#[test]
fn a_file_in_the_place_of_the_directory_is_a_problem() {
    let root = tree(&["var/log"]);
    check(
        root.path(),
        &input("/var/log", "*.log", 0),
        expect![["
        problem /var/log NotADirectory
    "]],
    );
}

#[test]
fn a_path_is_matched_as_it_would_be_found() {
    let matcher = Matcher::new(&input("/logs/*/x", "*.log", 1));
    let matches = |path: &str| matcher.matches_path(Path::new(path));
    assert!(matches("/logs/a/x/1.log") && matches("/logs/a/x/d/1.log"));
    assert!(!matches("/logs/a/x/d/e/1.log") && !matches("/logs/a/1.log") && !matches("/x/a/x/1.log"));
    assert!(!matches("/logs/a/x/1.txt") && !matches("/"));
}

#[test]
fn what_is_excluded_is_neither_listed_nor_matched() {
    let root = tree(&["logs/a.log", "logs/b.log", "logs/old/c.log", "logs/old/x/d.log", "logs/new/a.log"]);
    let mut input = input("/logs", "*.log", 9);
    input.excluded.names = vec!["b.*".to_owned()];
    input.excluded.paths = vec!["/logs/new/a.log".to_owned()];
    input.excluded.directories = vec!["/logs/o*".to_owned()];
    check(
        root.path(),
        &input,
        expect![["
        file /logs/a.log
        files in /logs
        files in /logs/new
    "]],
    );
    let matcher = Matcher::new(&input);
    for path in ["/logs/b.log", "/logs/old/x/d.log", "/logs/new/a.log"] {
        assert!(!matcher.matches_path(Path::new(path)), "{path}");
    }
    assert!(matcher.matches_path(Path::new("/logs/new/c.log")));
    input.excluded.directories = vec!["/logs".to_owned()];
    assert!(Matcher::new(&input).is_empty() && !matcher.is_empty());
}

#[test]
fn links_are_followed_but_not_in_circles() {
    let root = tree(&["logs/a/1.log"]);
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.path().join(at)).expect("symlink");
    link("..", "logs/a/back");
    link("1.log", "logs/a/2.log");
    check(
        root.path(),
        &input("/logs", "*.log", 9),
        expect![["
        file /logs/a/1.log
        file /logs/a/2.log
        files in /logs
        files in /logs/a
    "]],
    );
}
