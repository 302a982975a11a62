//! What a LogGroup says about where its logs come from: tags, topic, pack ids, and the shard that follows.
//!
//! Pure; called by `engine` when a file is first read and for each group. Names and rules:
//! collector.md §2.3.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use sls_api::sign::md5_hex;

use crate::fingerprint::Fingerprint;
use crate::pack::Footer;
use crate::pipeline::{Pipeline, Shards, TopicRule};

/// What `ShardHashKeys` calls the source and the topic, which are no tags (the console's names).
const SOURCE: &str = "__source__";
const TOPIC: &str = "__topic__";

/// Longest `__path__` value. Source: LoongCollector cuts there (collector.md §2.3).
pub const PATH_TAG_BYTES_MAX: usize = 511;

/// Tags of this collector: the same for every file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// `Source` of every group.
    pub source_ip: String,
    /// Tag `__hostname__`.
    pub hostname: String,
    /// Tag `__user_defined_id__`; left out if empty.
    pub user_defined_id: String,
    /// One tag per name in ALIYUN_LOG_ENV_TAGS; a variable that is not set has an empty value.
    pub env_tags: Vec<(String, String)>,
    /// Tags of the file that ALIYUN_LOG_FILE_TAGS names.
    pub file_tags: Vec<(String, String)>,
    pub machine_uuid: String,
}

/// What all groups of a file have in common.
#[derive(Debug, Clone, Default)]
pub struct Common {
    pub footer: Footer,
    /// Decides the shard, if the config says how.
    pub hash_key: Option<Arc<str>>,
    /// The topic is to come from the path, and its regex finds nothing there.
    pub lacks_topic: bool,
}

/// The common part of all groups of a file of `config` that is shown as `path`.
pub fn common(host: &Host, config: &Pipeline, path: &Path, inode: u64) -> Common {
    let inode = config.input.position_meta.inode.then(|| inode.to_string());
    common_of(host, &config.topic, &config.shards, path, inode.as_deref())
}

fn common_of(
    host: &Host,
    topic_rule: &TopicRule,
    shards: &Shards,
    path: &Path,
    inode: Option<&str>,
) -> Common {
    let path_text = String::from_utf8_lossy(path.as_os_str().as_bytes());
    let path_tag = truncated(&path_text, PATH_TAG_BYTES_MAX);
    let topic = topic(topic_rule, &path_text);
    let lacks_topic = match topic_rule {
        TopicRule::Path(regex) => !regex.is_match(without_rotation_suffix(&path_text).as_bytes()),
        TopicRule::None | TopicRule::Fixed(_) => false,
    };
    let mut tags: Vec<(&str, &[u8])> =
        vec![("__hostname__", host.hostname.as_bytes()), ("__path__", path_tag.as_bytes())];
    if let Some(inode) = inode {
        tags.push(("__inode__", inode.as_bytes()));
    }
    if !host.user_defined_id.is_empty() {
        tags.push(("__user_defined_id__", host.user_defined_id.as_bytes()));
    }
    tags.extend(host.env_tags.iter().chain(&host.file_tags).map(|(k, v)| (k.as_str(), v.as_bytes())));
    tags.extend(topic.tags.iter().map(|(k, v)| (k.as_str(), v.as_bytes())));
    let hash_key = match shards {
        Shards::Any | Shards::ExactlyOnce(_) => None,
        Shards::ByTags(names) => {
            let value = |name: &String| match name.as_str() {
                SOURCE => host.source_ip.as_bytes(),
                TOPIC => topic.text.as_bytes(),
                name => tags.iter().find(|(key, _)| *key == name).map_or(&b""[..], |(_, value)| value),
            };
            let values: Vec<&[u8]> = names.iter().map(value).collect();
            Some(md5_hex(&values.join(&b'_')).into())
        }
    };
    let footer = Footer::new(topic.text.as_bytes(), &host.source_ip, &host.machine_uuid, tags);
    Common { footer, hash_key, lacks_topic }
}

/// True if groups of files that are read like this may have a tag `name` (or it names source or topic).
/// `env_tags` are the names of the environment's; those of the file of tags are not known beforehand.
pub fn may_be_tag(name: &str, topic: &TopicRule, has_inode: bool, env_tags: &[String]) -> bool {
    match name {
        SOURCE | TOPIC | "__hostname__" | "__path__" | "__user_defined_id__" => true,
        "__inode__" => has_inode,
        _ => env_tags.iter().any(|tag| tag == name) || topic_tags(topic).iter().any(|tag| tag == name),
    }
}

/// Names of the tags that a topic brings along.
fn topic_tags(rule: &TopicRule) -> Vec<String> {
    let TopicRule::Path(regex) = rule else { return Vec::new() };
    let names: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
    if matches!(names.as_slice(), [None]) {
        return Vec::new();
    }
    let name = |(i, name): (usize, &Option<&str>)| {
        name.map_or_else(|| format!("__topic_{}__", i + 1), str::to_owned)
    };
    names.iter().enumerate().map(name).collect()
}

fn truncated(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Topic {
    text: String,
    tags: Vec<(String, String)>,
}

fn topic(rule: &TopicRule, path: &str) -> Topic {
    match rule {
        TopicRule::None => Topic::default(),
        TopicRule::Fixed(text) => Topic { text: text.clone(), tags: Vec::new() },
        TopicRule::Path(regex) => path_topic(rule, regex, without_rotation_suffix(path)),
    }
}

/// One unnamed group: its text. Otherwise all texts joined by `_`, each one also a tag.
fn path_topic(rule: &TopicRule, regex: &regex::bytes::Regex, path: &str) -> Topic {
    let Some(captures) = regex.captures(path.as_bytes()) else { return Topic::default() };
    let text = |i: usize| {
        captures.get(i).map_or(String::new(), |m| String::from_utf8_lossy(m.as_bytes()).into_owned())
    };
    let names = topic_tags(rule);
    if names.is_empty() {
        return Topic { text: text(1), tags: Vec::new() };
    }
    let tags: Vec<(String, String)> =
        names.into_iter().enumerate().map(|(i, name)| (name, text(i + 1))).collect();
    let joined: Vec<&str> = tags.iter().map(|(_, v)| v.as_str()).collect();
    Topic { text: joined.join("_"), tags }
}

/// `/a/b.log.3` → `/a/b.log`: rotated files keep the topic of the live one (collector.md §2.3).
fn without_rotation_suffix(path: &str) -> &str {
    match path.as_bytes() {
        [.., b'.', b'1'..=b'8'] => &path[..path.len() - 2],
        _ => path,
    }
}

/// Numbers the groups of one file, for the context view and to notice gaps:
/// `<hash of the source>-<sequence number>`, both upper-case hexadecimal.
#[derive(Debug, Clone, Copy)]
pub struct PackIds {
    prefix: u64,
    next: u64,
}

impl PackIds {
    /// `source` must tell this file's generation from every other of this and other collectors.
    pub fn new(source: &[&[u8]]) -> Self {
        let hash = source.iter().fold(Fingerprint::EMPTY, |hash, part| hash.extend(part).extend(b"\0"));
        Self { prefix: hash.0, next: 0 }
    }

    /// The id of the next group.
    pub fn take(&mut self) -> String {
        let id = format!("{:X}-{:X}", self.prefix, self.next);
        self.next += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use sls_api::log_group::LogGroup;

    use super::*;
    use crate::pack::Group;
    use crate::pipeline::full_match;

    fn group(host: &Host, rule: &TopicRule, path: &str) -> LogGroup {
        let bytes = Group::default()
            .finish(&common_of(host, rule, &Shards::Any, Path::new(path), None).footer, "AB-0");
        LogGroup::decode(&bytes[..]).expect("a LogGroup")
    }

    fn host() -> Host {
        Host {
            source_ip: "10.0.0.9".to_owned(),
            hostname: "pod-1".to_owned(),
            user_defined_id: String::new(),
            env_tags: vec![
                ("_pod_name_".to_owned(), "pod-1".to_owned()),
                ("_unset_".to_owned(), String::new()),
            ],
            file_tags: vec![("team".to_owned(), "web".to_owned())],
            machine_uuid: "u".to_owned(),
        }
    }

    #[test]
    fn a_group_carries_host_path_and_env_tags() {
        let group = group(&host(), &TopicRule::None, "/var/log/nginx/access.log");
        let tags: Vec<String> = group.log_tags.iter().map(|t| format!("{}={}", t.key, t.value)).collect();
        assert_eq!(
            tags,
            [
                "__hostname__=pod-1",
                "__path__=/var/log/nginx/access.log",
                "_pod_name_=pod-1",
                "_unset_=",
                "team=web",
                "__pack_id__=AB-0",
            ]
        );
        assert_eq!(group.topic.as_deref(), Some(""));
        assert_eq!(group.source.as_deref(), Some("10.0.0.9"));
        assert_eq!(group.machine_uuid.as_deref(), Some("u"));
    }

    #[test]
    fn a_path_is_cut_at_511_bytes_but_not_inside_a_character() {
        let path = format!("/{}日", "a".repeat(509));
        let group = group(&Host::default(), &TopicRule::None, &path);
        assert_eq!(group.log_tags[1].value, format!("/{}", "a".repeat(509)));
    }

    #[track_caller]
    fn check_topic(rule: &TopicRule, path: &str, expected: &str) {
        let topic = topic(rule, path);
        let tags: Vec<String> = topic.tags.iter().map(|(k, v)| format!(" {k}={v}")).collect();
        assert_eq!(format!("{}{}", topic.text, tags.concat()), expected);
    }

    #[test]
    fn a_topic_comes_from_the_path() {
        let rule = |r: &str| TopicRule::Path(full_match(r).expect("regex"));
        check_topic(&TopicRule::Fixed("t".to_owned()), "/x", "t");
        check_topic(&rule(r"/logs/(\w+)/a\.log"), "/logs/web/a.log", "web");
        check_topic(&rule(r"/logs/(\w+)/a\.log"), "/logs/web/a.log.3", "web");
        check_topic(&rule(r"/(\w+)/(\w+)/a"), "/x/y/a", "x_y __topic_1__=x __topic_2__=y");
        check_topic(&rule(r"/(?P<user>\w+)/a"), "/bob/a", "bob user=bob");
        check_topic(&rule(r"/(?<user>\w+)/(?<app>\w+)/a"), "/bob/web/a", "bob_web user=bob app=web");
        check_topic(&rule(r"/(?<user>\w+)/(\w+)/a"), "/bob/web/a.8", "bob_web user=bob __topic_2__=web");
        check_topic(&rule(r"/(\w+)/a[.]\d"), "/x/a.9", "x");
        check_topic(&rule(r"/(\w+)/(x)?a"), "/bob/a", "bob_ __topic_1__=bob __topic_2__=");
        check_topic(&rule(r"/(\w+)"), "/x/y", "");
    }

    #[test]
    fn the_shard_follows_from_the_values_of_tags_joined() {
        let rule = TopicRule::Path(full_match(r"/(?<user>\w+)/(\w+)").expect("regex"));
        let key = |names: &[&str], inode| {
            let shards = Shards::ByTags(names.iter().map(|n| (*n).to_owned()).collect());
            common_of(&host(), &rule, &shards, Path::new("/bob/x"), inode).hash_key.expect("a key")
        };
        let md5 = |text: &str| Arc::from(md5_hex(text.as_bytes()));
        assert_eq!(key(&["__source__"], None), md5("10.0.0.9"));
        assert_eq!(key(&["_pod_name_", "__topic__", "user"], None), md5("pod-1_bob_x_bob"));
        assert_eq!(key(&["__path__", "__inode__"], Some("7")), md5("/bob/x_7"));
        assert_eq!(key(&["_unset_", "__user_defined_id__"], None), md5("_"), "tags without a value");
        assert_eq!(common_of(&host(), &rule, &Shards::Any, Path::new("/x"), None).hash_key, None);
    }

    #[test]
    fn only_tags_that_a_group_may_have_are_known() {
        let env = ["_pod_name_".to_owned()];
        let topic = |regex: &str| TopicRule::Path(full_match(regex).expect("regex"));
        let may = |name: &str, topic: &TopicRule| may_be_tag(name, topic, false, &env);
        for name in ["__source__", "__topic__", "__hostname__", "__path__", "_pod_name_"] {
            assert!(may(name, &TopicRule::None), "{name}");
        }
        for name in ["", "content", "__inode__", "_pod_ip_", "user", "__topic_1__", "__pack_id__"] {
            assert!(!may(name, &topic("/(a)")), "{name}");
        }
        assert!(may_be_tag("__inode__", &TopicRule::None, true, &env));
        assert!(may("user", &topic("/(?<user>a)")) && may("__topic_2__", &topic("/(?<user>a)(b)")));
    }

    #[test]
    fn pack_ids_count_up_from_zero() {
        let mut ids = PackIds::new(&[b"/a", b"1"]);
        let (first, second) = (ids.take(), ids.take());
        let (prefix, number) = first.split_once('-').expect("prefix-number");
        assert_eq!((number, second), ("0", format!("{prefix}-1")));
        assert_ne!(PackIds::new(&[b"/a1"]).take(), PackIds::new(&[b"/a", b"1"]).take());
    }
}
