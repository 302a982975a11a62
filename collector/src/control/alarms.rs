//! The alarms of control: what they are about, and those of heartbeats.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::link::Beat;
use crate::alarm::{Alarm, Alarms, Subject};

/// What a config that cannot be used is about, as far as its text says it.
pub fn subject_of(name: &str, config: &Map<String, Value>) -> Arc<Subject> {
    let flusher = config.get("flushers").and_then(|flushers| flushers.get(0));
    let text = |key: &str| {
        let value = flusher.and_then(|flusher| flusher.get(key)).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    Arc::new(Subject { project: text("Project"), logstore: text("Logstore"), config: name.to_owned() })
}

/// Each heartbeat that fails counts, though the log tells only of changes.
pub fn raise_for_beat(alarms: &Alarms, beat: &Beat) {
    let (cause, text) = match beat {
        Beat::Accepted => return,
        Beat::Unreachable(reason) => {
            ("unreachable", format!("the config server cannot be reached: {reason}"))
        }
        Beat::Refused(reason) => ("refused", format!("the config server refuses this collector: {reason}")),
    };
    alarms.raise(Alarm::ConfigUpdate, cause, &Arc::default(), 1, || text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_that_cannot_be_used_is_still_about_its_logstore() {
        let subject = |text: &str| {
            let subject = subject_of("c", &serde_json::from_str(text).unwrap());
            format!("{}/{}/{}", subject.project, subject.logstore, subject.config)
        };
        assert_eq!(subject(r#"{"flushers": [{"Project": "p", "Logstore": "l"}], "inputs": 7}"#), "p/l/c");
        assert_eq!(subject(r#"{"flushers": {"Project": "p"}}"#), "//c");
        assert_eq!(subject("{}"), "//c");
    }

    #[test]
    fn every_heartbeat_that_fails_counts() {
        let alarms = Alarms::default();
        for beat in [Beat::Unreachable("a".into()), Beat::Accepted, Beat::Unreachable("b".into())] {
            raise_for_beat(&alarms, &beat);
        }
        raise_for_beat(&alarms, &Beat::Refused("c".into()));
        let taken = alarms.take();
        let shown: Vec<_> = taken.iter().map(|raised| (raised.count, raised.message.as_str())).collect();
        assert_eq!(
            shown,
            [
                (1, "the config server refuses this collector: c"),
                (2, "the config server cannot be reached: a"),
            ]
        );
    }
}
