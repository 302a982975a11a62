//! Which faults act on a request: rules, counters and the time in, a plan out. Pure but for the lock;
//! [`crate::front`] carries the plan out, `/_mock/v1/faults` and [`crate::Running`] change the rules.
//!
//! Without rules a request costs one look at an atomic. With them every rule sees every request, in the
//! order in which they were added; of several that do the same thing to a request the first one acts.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use sls_expect::fault::{
    Checked, Delay, ErrorAnswer, Hang, Invalid, Quota, RULES_MAX, Reset, Rule, Standing, What, WrongRequestId,
};
use sls_expect::operations::is_query;
use tokio_util::sync::CancellationToken;

/// Names of the faults that acted on a request.
pub type Names = Vec<Arc<str>>;

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Name of the operation.
    pub operation: &'static str,
    /// The project.
    pub project: Option<&'a str>,
    /// Names in the path.
    pub path: &'a [(&'static str, String)],
    /// Headers.
    pub headers: &'a HeaderMap,
    /// Who sends.
    pub client: SocketAddr,
}

impl Facts<'_> {
    fn named(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// Shard in the path.
    pub fn shard(&self) -> Option<u32> {
        self.named("shard")?.parse().ok()
    }
}

/// What happens to a request.
#[derive(Debug, Default)]
pub struct Plan {
    /// Who does it.
    pub names: Names,
    /// How long it waits first.
    pub delay: Option<Wait>,
    /// How it ends, other than by its handler.
    pub ending: Option<Ending>,
    /// What happens to the body of its answer.
    pub body: Option<BodyFault>,
    /// What is wrong with the id of its answer.
    pub request_id: Option<WrongRequestId>,
    /// How far the clock is ahead for it.
    pub clock_offset: Option<SignedDuration>,
    /// Whether the answer of a query says that it is incomplete.
    pub incomplete: bool,
    /// How old logs must be for a query to find them.
    pub visibility_delay: Option<SignedDuration>,
}

/// A time that ends early when the rule that wants it is removed.
#[derive(Debug, Clone)]
pub struct Wait {
    /// How long.
    pub time: Duration,
    /// Cancelled with the rule.
    pub removed: CancellationToken,
}

/// How a request ends, other than by its handler.
#[derive(Debug)]
pub enum Ending {
    /// With an error; the text stands in for a message.
    Error(ErrorAnswer, String),
    /// With the error of a quota.
    Quota(Quota),
    /// Without answer.
    Reset(Reset),
    /// Without answer, later.
    Hang(Wait),
}

/// What happens to the body of an answer.
#[derive(Debug, Clone)]
pub enum BodyFault {
    /// It comes so fast, bytes per second, until the rule is removed.
    Slow(u64, CancellationToken),
    /// It ends after so many bytes.
    Truncated(u64),
}

/// The faults of a server.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether any rule may still act.
    any: AtomicBool,
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    active: Vec<Active>,
    /// How many got a name or number from here.
    numbered: u64,
}

/// A rule with what is counted of it.
#[derive(Debug)]
struct Active {
    /// Tells it from a later one of the same name.
    number: u64,
    name: Arc<str>,
    rule: Rule,
    checked: Checked,
    until: Option<Timestamp>,
    matched: u64,
    acted: u64,
    over: bool,
    removed: CancellationToken,
}

/// A fault that was added: its name, and a number that only it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its name.
    pub name: Arc<str>,
    /// Its number.
    pub number: u64,
}

impl Faults {
    /// Adds rules, all or none.
    ///
    /// # Errors
    /// [`Invalid`] with the place in the list, from 0, of the rule that cannot be.
    pub fn add(&self, rules: Vec<Rule>, now: Timestamp) -> Result<Vec<Added>, (usize, Invalid)> {
        let mut checked = Vec::with_capacity(rules.len());
        for (place, rule) in rules.iter().enumerate() {
            checked.push(rule.check().map_err(|invalid| (place, invalid))?);
            let earlier = rules.iter().take(place).filter_map(|earlier| earlier.name.as_ref());
            if let Some(name) = &rule.name
                && earlier.into_iter().any(|earlier| earlier == name)
            {
                return Err((place, Invalid::NameTwice(name.clone())));
            }
        }
        let mut all = self.lock();
        let replaced = |active: &Active| rules.iter().any(|rule| rule.name.as_deref() == Some(&active.name));
        let others = all.active.iter().filter(|active| !active.over && !replaced(active)).count();
        if others + rules.len() > RULES_MAX {
            return Err((RULES_MAX.saturating_sub(others), Invalid::TooMany));
        }
        all.retain(|active| !replaced(active));
        let added =
            rules.into_iter().zip(checked).map(|(rule, checked)| all.add(rule, checked, now)).collect();
        all.make_room();
        self.any.store(true, Ordering::Release);
        Ok(added)
    }

    /// Removes the faults of this name, or all. Returns how many.
    pub fn remove(&self, name: Option<&str>) -> usize {
        self.retain(|active| name.is_some_and(|name| *active.name != *name))
    }

    /// Removes this fault, but none that has taken its name since.
    pub fn remove_added(&self, added: &Added) {
        self.retain(|active| active.number != added.number);
    }

    /// All faults, also those that are over, in the order in which they are asked.
    pub fn list(&self, now: Timestamp) -> Vec<Standing> {
        self.lock().active.iter_mut().map(|active| active.standing(now)).collect()
    }

    /// What happens to a request; nothing if no fault acts on it.
    pub fn plan(&self, facts: &Facts<'_>, now: Timestamp) -> Option<Box<Plan>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut plan = Plan::default();
        let mut all = self.lock();
        for active in &mut all.active {
            active.act(facts, now, &mut plan);
        }
        if all.active.iter().all(|active| active.over) {
            self.any.store(false, Ordering::Release);
        }
        (!plan.names.is_empty()).then(|| Box::new(plan))
    }

    fn retain(&self, keep: impl Fn(&Active) -> bool) -> usize {
        let mut all = self.lock();
        let removed = all.retain(keep);
        self.any.store(all.active.iter().any(|active| !active.over), Ordering::Release);
        removed
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    fn add(&mut self, rule: Rule, checked: Checked, now: Timestamp) -> Added {
        self.numbered += 1;
        let number = self.numbered;
        let name: Arc<str> = match &rule.name {
            Some(name) => name.as_str().into(),
            None => self.free_name().into(),
        };
        let life = rule.for_ms.map(|ms| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        self.active.push(Active {
            number,
            name: Arc::clone(&name),
            until: life.map(|life| now.checked_add(life).unwrap_or(Timestamp::MAX)),
            rule,
            checked,
            matched: 0,
            acted: 0,
            over: false,
            removed: CancellationToken::new(),
        });
        Added { name, number }
    }

    fn free_name(&self) -> String {
        let free = |name: &String| self.active.iter().all(|active| *active.name != **name);
        (self.numbered..).map(|number| format!("fault-{number}")).find(free).unwrap_or_default()
    }

    /// Forgets those that are over, the earliest first, while there are too many.
    fn make_room(&mut self) {
        while self.active.len() > RULES_MAX {
            let Some(place) = self.active.iter().position(|active| active.over) else { return };
            // What still waits for it could not be ended any more.
            self.active.remove(place).removed.cancel();
        }
    }

    fn retain(&mut self, keep: impl Fn(&Active) -> bool) -> usize {
        let before = self.active.len();
        self.active.retain(|active| {
            let kept = keep(active);
            if !kept {
                active.removed.cancel();
            }
            kept
        });
        before - self.active.len()
    }
}

impl Active {
    /// Counts the request if it matches, and adds to its plan if it is one that is chosen.
    fn act(&mut self, facts: &Facts<'_>, now: Timestamp, plan: &mut Plan) {
        if self.is_over(now) || !self.fits(facts) {
            return;
        }
        self.matched += 1;
        if self.chosen() && self.add_to(plan, facts.operation) {
            self.acted += 1;
            plan.names.push(Arc::clone(&self.name));
            self.over = self.is_over(now);
        }
    }

    fn is_over(&mut self, now: Timestamp) -> bool {
        let done = self.rule.times_max().is_some_and(|max| self.acted >= max);
        self.over |= done || self.until.is_some_and(|until| until <= now);
        self.over
    }

    fn fits(&self, facts: &Facts<'_>) -> bool {
        let when = &self.rule.when;
        let same =
            |wanted: &Option<String>, have: Option<&str>| wanted.is_none() || wanted.as_deref() == have;
        let header = || match &self.checked.header {
            None => true,
            Some(test) => facts.headers.get_all(&test.name).iter().any(|it| test.holds(it.as_bytes())),
        };
        self.checked.operations.has(facts.operation)
            && same(&when.project, facts.project)
            && same(&when.logstore, facts.named("logstore"))
            && (when.shard.is_none() || when.shard == facts.shard())
            && when.client.is_none_or(|client| client.is(facts.client))
            && header()
    }

    /// Whether it acts on the request that was counted last.
    fn chosen(&self) -> bool {
        let (when, count) = (&self.rule.when, self.matched);
        let by_count = when.nth.is_none_or(|nth| count == nth)
            && when.after.is_none_or(|after| count > after)
            && when.every.is_none_or(|every| count.is_multiple_of(every));
        by_count && when.probability.is_none_or(|share| fraction(self.draw()) < share)
    }

    /// A number that depends on seed and count alone.
    fn draw(&self) -> u64 {
        mixed(self.rule.when.seed.unwrap_or_default(), self.matched)
    }

    /// Whether there was still room for it in the plan.
    fn add_to(&self, plan: &mut Plan, operation: &str) -> bool {
        let wait = |time| Wait { time, removed: self.removed.clone() };
        match &self.rule.what {
            What::DelayMs(Delay { min, max }) => {
                // Another draw than that of the choice, which says little about numbers below its share.
                let ms = min + mixed(!self.draw(), self.matched) % (max - min + 1);
                fill(&mut plan.delay, wait(Duration::from_millis(ms)))
            }
            What::Error(answer) => {
                let message = format!("Fault {} of the emulator.", self.name);
                fill(&mut plan.ending, Ending::Error(answer.clone(), message))
            }
            What::Quota(quota) => fill(&mut plan.ending, Ending::Quota(*quota)),
            What::Reset(reset) => fill(&mut plan.ending, Ending::Reset(*reset)),
            What::Hang(Hang { max_ms }) => {
                fill(&mut plan.ending, Ending::Hang(wait(Duration::from_millis(*max_ms))))
            }
            What::SlowBody { bytes_per_s } => {
                fill(&mut plan.body, BodyFault::Slow(*bytes_per_s, self.removed.clone()))
            }
            What::Truncated { bytes } => fill(&mut plan.body, BodyFault::Truncated(*bytes)),
            What::WrongRequestId(wrong) => fill(&mut plan.request_id, *wrong),
            What::ClockOffsetS(offset) => fill(&mut plan.clock_offset, SignedDuration::from_secs(*offset)),
            What::Incomplete(_) => is_query(operation) && !std::mem::replace(&mut plan.incomplete, true),
            What::VisibilityDelayMs(ms) => {
                let delay = SignedDuration::from_millis(i64::try_from(*ms).unwrap_or(i64::MAX));
                is_query(operation) && fill(&mut plan.visibility_delay, delay)
            }
        }
    }

    fn standing(&mut self, now: Timestamp) -> Standing {
        let over = self.is_over(now);
        let left =
            |until: Timestamp| u64::try_from(until.as_millisecond() - now.as_millisecond()).unwrap_or(0);
        Standing {
            name: self.name.to_string(),
            rule: self.rule.clone(),
            matched: self.matched,
            acted: self.acted,
            times_left: self.rule.times_max().map(|max| max.saturating_sub(self.acted)),
            ms_left: self.until.map(left),
            over,
        }
    }
}

/// Puts a value where none is yet.
fn fill<T>(place: &mut Option<T>, value: T) -> bool {
    let free = place.is_none();
    if free {
        *place = Some(value);
    }
    free
}

/// SplitMix64, whose numbers for neighbouring counts have nothing in common. Source: Steele, Lea and
/// Flood, "Fast splittable pseudorandom number generators".
fn mixed(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number from 0 up to 1, not included, of the upper 53 bits.
fn fraction(random: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let upper = (random >> 11) as f64;
    upper / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
