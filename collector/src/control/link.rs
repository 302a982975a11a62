//! What is said about the connection to the config server: every change at once, a lasting trouble
//! once a minute. Pure; `control` logs what comes out.

use std::time::{Duration, Instant};

/// Time between two messages about the same trouble. Source: own choice.
pub const REMIND_EVERY: Duration = Duration::from_secs(60);

/// How one heartbeat went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beat {
    /// The server answered and accepted.
    Accepted,
    /// No server could be asked; the text names servers and reasons.
    Unreachable(String),
    /// The server answered with an error; its text.
    Refused(String),
}

/// What to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    Info(String),
    Error(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unreachable,
    Refused,
}

#[derive(Debug)]
enum State {
    /// Nothing is known yet.
    New,
    Up,
    Down {
        kind: Kind,
        since: Instant,
        beats: u32,
        said: Instant,
    },
}

/// Remembers what was said.
#[derive(Debug)]
pub struct Link {
    state: State,
}

impl Link {
    pub fn new() -> Self {
        Self { state: State::New }
    }

    /// Takes note of a heartbeat. `servers` and `holding` (what goes on meanwhile) are for the text.
    pub fn note(&mut self, beat: &Beat, servers: &str, holding: &str, now: Instant) -> Option<Say> {
        match beat {
            Beat::Accepted => self.accepted(servers, now),
            Beat::Unreachable(reason) => self.down(Kind::Unreachable, now, |since| {
                format!(
                    "config server cannot be reached{since}: {reason}; {holding}; retrying. \
                     Check config_server_list (or ilogtail_configserver_address) and that the server runs"
                )
            }),
            Beat::Refused(reason) => self.down(Kind::Refused, now, |since| {
                format!(
                    "config server {servers} refuses this collector{since}: {reason}; {holding}; retrying"
                )
            }),
        }
    }

    fn accepted(&mut self, servers: &str, now: Instant) -> Option<Say> {
        let before = std::mem::replace(&mut self.state, State::Up);
        match before {
            State::Up => None,
            State::New => Some(Say::Info(format!("connected to config server {servers}"))),
            State::Down { since, beats, .. } => Some(Say::Info(format!(
                "config server {servers} accepts heartbeats again after {} s (failed attempts: {beats})",
                now.duration_since(since).as_secs()
            ))),
        }
    }

    fn down(&mut self, kind: Kind, now: Instant, text: impl Fn(&str) -> String) -> Option<Say> {
        if let State::Down { kind: known, since, beats, said } = &mut self.state
            && *known == kind
        {
            *beats += 1;
            if now.duration_since(*said) < REMIND_EVERY {
                return None;
            }
            *said = now;
            let lasting = format!(" for {} s", now.duration_since(*since).as_secs());
            return Some(Say::Error(text(&lasting)));
        }
        let (since, beats) = match self.state {
            State::Down { since, beats, .. } => (since, beats + 1),
            State::New | State::Up => (now, 1),
        };
        self.state = State::Down { kind, since, beats, said: now };
        Some(Say::Error(text("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn changes_are_said_at_once_and_lasting_trouble_once_a_minute() {
        let start = Instant::now();
        let mut link = Link::new();
        let unreachable = Beat::Unreachable("127.0.0.1:1: cannot connect (refused)".into());
        let refused = Beat::Refused("status 401: account id 1 is not known".into());
        let mut said = String::new();
        for (second, beat) in [
            (0, &unreachable),
            (10, &unreachable),
            (59, &unreachable),
            (60, &unreachable),
            (70, &unreachable),
            (80, &refused),
            (90, &refused),
            (100, &Beat::Accepted),
            (110, &Beat::Accepted),
            (120, &unreachable),
            (130, &Beat::Accepted),
        ] {
            let now = start + Duration::from_secs(second);
            if let Some(say) = link.note(beat, "127.0.0.1:1", "2 stored configs go on", now) {
                said += &format!("{second}: {say:?}\n");
            }
        }
        expect![[r#"
            0: Error("config server cannot be reached: 127.0.0.1:1: cannot connect (refused); 2 stored configs go on; retrying. Check config_server_list (or ilogtail_configserver_address) and that the server runs")
            60: Error("config server cannot be reached for 60 s: 127.0.0.1:1: cannot connect (refused); 2 stored configs go on; retrying. Check config_server_list (or ilogtail_configserver_address) and that the server runs")
            80: Error("config server 127.0.0.1:1 refuses this collector: status 401: account id 1 is not known; 2 stored configs go on; retrying")
            100: Info("config server 127.0.0.1:1 accepts heartbeats again after 100 s (failed attempts: 7)")
            120: Error("config server cannot be reached: 127.0.0.1:1: cannot connect (refused); 2 stored configs go on; retrying. Check config_server_list (or ilogtail_configserver_address) and that the server runs")
            130: Info("config server 127.0.0.1:1 accepts heartbeats again after 10 s (failed attempts: 1)")
        "#]].assert_eq(&said);
    }

    #[test]
    fn a_server_that_works_from_the_start_is_said_once() {
        let mut link = Link::new();
        let now = Instant::now();
        assert_eq!(
            link.note(&Beat::Accepted, "h:1", "", now),
            Some(Say::Info("connected to config server h:1".into()))
        );
        assert_eq!(link.note(&Beat::Accepted, "h:1", "", now), None);
    }
}
