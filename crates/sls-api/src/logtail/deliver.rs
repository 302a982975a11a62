//! A pipeline config as it is kept to one as agents take it. Its parts are in the agents' form already; what an
//! agent cannot know, or must not take from the config, is filled in: where to send.

use serde_json::{Map, Value, json};

use crate::names::ProjectName;

/// Parts of a pipeline; the other fields of a kept config are for people. Source: LoongCollector's document
/// "Collection config".
const PARTS: [&str; 7] = ["task", "global", "inputs", "processors", "aggregators", "flushers", "extensions"];
/// The flusher that sends to the Log Service.
const FLUSHER_SLS: &str = "flusher_sls";

/// Where and for whom a pipeline works.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Project of the config.
    pub project: &'a ProjectName,
    /// Topic of the machine group.
    pub group_topic: &'a str,
    /// Region id, e.g. `cn-hangzhou`.
    pub region: &'a str,
    /// Endpoint, without scheme: `host` or `host:port`.
    pub endpoint: &'a str,
    /// Unix seconds of the config's creation.
    pub create_time: i64,
}

/// The pipeline that agents run. A flusher for the Log Service keeps its Logstore, and its project if it names
/// one; region and endpoint are those of `delivery` whatever it names, since the config came from there.
/// Source of both: guess.
#[must_use]
pub fn deliver_pipeline(kept: &Map<String, Value>, delivery: Delivery<'_>) -> Value {
    let mut pipeline = Map::from_iter([
        ("enable".to_owned(), json!(true)),
        ("createTime".to_owned(), json!(delivery.create_time)),
    ]);
    let parts = PARTS.into_iter().filter_map(|part| Some((part.to_owned(), kept.get(part)?.clone())));
    pipeline.extend(parts.filter(|(_, value)| !value.is_null()));
    if let Some(Value::Array(flushers)) = pipeline.get_mut("flushers") {
        flushers.iter_mut().filter_map(Value::as_object_mut).for_each(|flusher| address(flusher, delivery));
    }
    if let Some(Value::Object(global)) = pipeline.get_mut("global")
        && global.get("TopicType").and_then(Value::as_str) == Some("machine_group_topic")
    {
        // An agent does not know the topic of its machine group.
        global.insert("TopicFormat".to_owned(), json!(delivery.group_topic));
    }
    Value::Object(pipeline)
}

fn address(flusher: &mut Map<String, Value>, delivery: Delivery<'_>) {
    if flusher.get("Type").and_then(Value::as_str) != Some(FLUSHER_SLS) {
        return;
    }
    if flusher.get("Project").and_then(Value::as_str).unwrap_or_default().is_empty() {
        flusher.insert("Project".to_owned(), json!(delivery.project));
    }
    flusher.insert("Region".to_owned(), json!(delivery.region));
    flusher.insert("Endpoint".to_owned(), json!(delivery.endpoint));
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_kept_config_gets_a_destination_and_loses_what_is_for_people() {
        let kept = json!({
            "configName": "pipe", "logSample": "a line", "task": null, "processors": [],
            "global": {"TopicType": "machine_group_topic"},
            "inputs": [{"Type": "input_file", "FilePaths": ["/a"]}],
            "flushers": [
                {"Type": "flusher_sls", "Logstore": "ls", "Endpoint": "cn-beijing.log.aliyuncs.com"},
                {"Type": "flusher_sls", "Logstore": "ls", "Project": "other"},
                {"Type": "flusher_stdout"},
            ],
        });
        let project = "proj-a".parse().unwrap();
        let delivery = Delivery {
            project: &project,
            group_topic: "of the group",
            region: "cn-hangzhou",
            endpoint: "mock.test:80",
            create_time: 7,
        };
        expect![[r#"
            {
              "enable": true,
              "createTime": 7,
              "global": {
                "TopicType": "machine_group_topic",
                "TopicFormat": "of the group"
              },
              "inputs": [
                {
                  "Type": "input_file",
                  "FilePaths": [
                    "/a"
                  ]
                }
              ],
              "processors": [],
              "flushers": [
                {
                  "Type": "flusher_sls",
                  "Logstore": "ls",
                  "Endpoint": "mock.test:80",
                  "Project": "proj-a",
                  "Region": "cn-hangzhou"
                },
                {
                  "Type": "flusher_sls",
                  "Logstore": "ls",
                  "Project": "other",
                  "Region": "cn-hangzhou",
                  "Endpoint": "mock.test:80"
                },
                {
                  "Type": "flusher_stdout"
                }
              ]
            }"#]]
        .assert_eq(&format!("{:#}", deliver_pipeline(kept.as_object().unwrap(), delivery)));
    }
}
