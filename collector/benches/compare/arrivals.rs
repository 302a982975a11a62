//! Which lines have arrived, by the numbers in them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use memchr::memmem;

/// What stands before the number of a line, and the digits of it (see `lines`).
const MARK: &[u8] = b"seq=";
const DIGITS: usize = 10;

/// Counts of one sink.
pub struct Arrivals {
    begun: Instant,
    /// For each line the microseconds from `begun` to the answer, plus one; 0 if it has not come.
    seen: Vec<AtomicU64>,
    distinct: AtomicU64,
    repeated: AtomicU64,
    /// Lines that stand after a later one of their body.
    disordered: AtomicU64,
    /// The first and the last number of each body, by the number of its request.
    bodies: Mutex<BTreeMap<u64, (u64, u64)>>,
    requests: AtomicU64,
    wire_bytes: AtomicU64,
    unpacked_bytes: AtomicU64,
    /// Microseconds of the last line that had not come before.
    last: AtomicU64,
    problems: Mutex<BTreeMap<String, u64>>,
}

impl Arrivals {
    /// For lines with numbers below `lines_max`.
    pub fn new(lines_max: u64) -> Self {
        Self {
            begun: Instant::now(),
            seen: (0..lines_max).map(|_| AtomicU64::new(0)).collect(),
            distinct: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            disordered: AtomicU64::new(0),
            bodies: Mutex::default(),
            requests: AtomicU64::new(0),
            wire_bytes: AtomicU64::new(0),
            unpacked_bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            problems: Mutex::default(),
        }
    }

    /// Takes in a request before it is answered; the value is its number.
    pub fn note_request(&self, bytes: usize) -> u64 {
        self.wire_bytes.fetch_add(bytes as u64, Relaxed);
        self.requests.fetch_add(1, Relaxed)
    }

    pub fn note_problem(&self, problem: String) {
        if let Ok(mut problems) = self.problems.lock() {
            *problems.entry(problem).or_default() += 1;
        }
    }

    /// Takes in the lines of the unpacked body of a request that was answered then; `logs` is what the body says
    /// to hold.
    pub fn note_lines(&self, request: u64, unpacked: &[u8], logs: Option<usize>, answered: Instant) {
        let at = answered.duration_since(self.begun).as_micros() as u64 + 1;
        let (mut found, mut distinct, mut disordered) = (0, 0, 0);
        let mut body: Option<(u64, u64)> = None;
        for start in memmem::find_iter(unpacked, MARK) {
            let digits = unpacked.get(start + MARK.len()..start + MARK.len() + DIGITS).unwrap_or_default();
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u64>().ok());
            let Some(number) = number else { continue };
            found += 1;
            let Some(seen) = self.seen.get(number as usize) else {
                self.note_problem(format!("a line with a number that none has: {number}"));
                continue;
            };
            if seen.swap(at, Relaxed) == 0 {
                distinct += 1;
            }
            let (first, highest) = body.unwrap_or((number, number));
            disordered += u64::from(number < highest);
            body = Some((first, highest.max(number)));
        }
        if logs.is_some_and(|logs| logs != found) {
            self.note_problem("logs that are not one line each".to_owned());
        }
        if let (Some(body), Ok(mut bodies)) = (body, self.bodies.lock()) {
            bodies.insert(request, body);
        }
        self.disordered.fetch_add(disordered, Relaxed);
        self.repeated.fetch_add(found as u64 - distinct, Relaxed);
        self.unpacked_bytes.fetch_add(unpacked.len() as u64, Relaxed);
        if distinct > 0 {
            self.last.fetch_max(at, Relaxed);
        }
        self.distinct.fetch_add(distinct, Relaxed);
    }

    pub fn distinct(&self) -> u64 {
        self.distinct.load(Relaxed)
    }

    pub fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Lines and bodies that came after a later one. Of one file there must be none: its next request is not sent
    /// before the one before is answered.
    pub fn disordered(&self) -> u64 {
        let bodies = self.bodies.lock().map(|bodies| bodies.clone()).unwrap_or_default();
        let pairs = bodies.values().zip(bodies.values().skip(1));
        self.disordered.load(Relaxed) + pairs.filter(|((_, last), (first, _))| first < last).count() as u64
    }

    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub fn wire_bytes(&self) -> u64 {
        self.wire_bytes.load(Relaxed)
    }

    /// When the last line came that had not come before.
    pub fn last(&self) -> Instant {
        self.begun + Duration::from_micros(self.last.load(Relaxed).saturating_sub(1))
    }

    /// When this line was answered.
    pub fn answered(&self, number: usize) -> Option<Instant> {
        let at = self.seen.get(number)?.load(Relaxed);
        (at > 0).then(|| self.begun + Duration::from_micros(at - 1))
    }

    /// What was wrong with requests, and how often.
    pub fn problems(&self) -> Vec<String> {
        let problems = self.problems.lock().map(|problems| problems.clone()).unwrap_or_default();
        problems.into_iter().map(|(problem, times)| format!("{problem} ({times} times)")).collect()
    }
}
