//! Log groups: prost's decoder, and our walk over the encoded bytes, which must see the same.

#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use mock_sls::fuzzing::inspect;
use mock_sls::fuzzing::log_view::{DamagedGroup, GroupView};
use prost::Message;
use sls_api::log_group::{Content, Log, LogGroup, LogGroupList, LogTag, SlsLogPackageList, count_parts};

fuzz_target!(|data: &[u8]| {
    let _ = SlsLogPackageList::decode(data);
    let _ = LogGroupList::decode(data);
    let decoded = LogGroup::decode(data);
    let walked = walk(data);
    match &decoded {
        Ok(group) => {
            assert_eq!(LogGroup::decode(&*group.encode_to_vec()).as_ref(), Ok(group));
            assert_eq!(count_parts(data), parts(group));
            match walked {
                Ok(seen) => assert_eq!(seen, visible(group)),
                // Fields in the form of groups are the one thing that only prost reads.
                Err(error) => assert!(data.iter().any(|byte| matches!(byte & 7, 3 | 4)), "{error}"),
            }
        }
        Err(error) => {
            let expected = error.to_string().contains("UTF-8");
            assert!(walked.is_err() || expected, "the walk accepts what prost refuses: {error}");
        }
    }
    // Nothing is taken in that cannot be read back.
    if let Ok(logs) = inspect(data) {
        assert_eq!(logs, decoded.expect("what is taken in decodes").logs.len());
    }
});

fn parts(group: &LogGroup) -> usize {
    group.log_tags.len() + group.logs.iter().map(|log| 1 + log.contents.len()).sum::<usize>()
}

/// What the walk shows of a group, with keys as they come out of it: perhaps not UTF-8.
#[derive(Debug, PartialEq)]
struct Visible {
    topic: Vec<u8>,
    source: Vec<u8>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    logs: Vec<(u32, u32, Vec<(Vec<u8>, Vec<u8>)>)>,
}

fn walk(data: &[u8]) -> Result<Visible, DamagedGroup> {
    let owned = |fields: &[(&[u8], &[u8])]| fields.iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
    let group = GroupView::parse(data)?;
    let mut logs = Vec::new();
    let _ = group.for_each(
        |_| true,
        |_, log| {
            logs.push((log.time, log.time_ns, owned(log.contents)));
            ControlFlow::<()>::Continue(())
        },
    )?;
    assert_eq!(logs.len(), group.logs().len());
    Ok(Visible { topic: group.topic.to_vec(), source: group.source.to_vec(), tags: owned(&group.tags), logs })
}

fn visible(group: &LogGroup) -> Visible {
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().as_bytes().to_vec();
    let tag = |tag: &LogTag| (tag.key.clone().into_bytes(), tag.value.clone().into_bytes());
    let content = |content: &Content| (content.key.clone().into_bytes(), content.value.to_vec());
    let log = |log: &Log| {
        (log.time, log.time_ns.unwrap_or_default(), log.contents.iter().map(content).collect::<Vec<_>>())
    };
    Visible {
        topic: text(&group.topic),
        source: text(&group.source),
        tags: group.log_tags.iter().map(tag).collect(),
        logs: group.logs.iter().map(log).collect(),
    }
}
