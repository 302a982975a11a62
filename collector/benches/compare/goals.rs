//! What the project wants of each figure: what must be, and what is aimed at.

/// A figure, the lower the better, unless it is for orientation only.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    pub figure: &'static str,
    pub must: f64,
    pub aim: f64,
}

const fn goal(figure: &'static str, must: f64, aim: f64) -> Goal {
    Goal { figure, must, aim }
}

/// Units are in the names. Source: the project's goals, made of what others take and of what a program without any
/// of the checks takes on one thread (performance.md).
pub const GOALS: [Goal; 19] = [
    goal("simple, cpu-s/GB", 2.3, 1.7),
    goal("regex, cpu-s/GB", 3.6, 2.6),
    goal("branching regex, cpu-s/GB", 9.0, 4.0),
    goal("looping regex, cpu-s/GB", 9.0, 4.0),
    goal("character regex, cpu-s/GB", 9.0, 4.0),
    goal("json, cpu-s/GB", 4.3, 3.2),
    goal("delimiter, cpu-s/GB", 3.6, 2.6),
    goal("multi-line, cpu-s/GB", 2.8, 2.0),
    goal("10 MB/s simple, % of a core", 3.0, 2.0),
    goal("10 MB/s regex, % of a core", 4.0, 3.0),
    goal("1,000 files, % of a core", 2.0, 1.0),
    goal("1,000 files idle, % of a core", 0.3, 0.05),
    goal("idle, % of a core", 0.3, 0.05),
    goal("simple, peak MiB", 24.0, 12.0),
    goal("regex, peak MiB", 24.0, 12.0),
    goal("json, peak MiB", 24.0, 12.0),
    goal("10 MB/s simple, peak MiB", 16.0, 10.0),
    goal("idle, resident MiB", 8.0, 5.0),
    goal("delay at 1 MB/s, p99 ms", 250.0, 100.0),
];

impl Goal {
    /// In words.
    pub fn verdict(&self, value: f64) -> &'static str {
        if value <= self.aim {
            "aim met"
        } else if value <= self.must {
            "must met"
        } else {
            "MISSED"
        }
    }
}

/// The goal of a figure, if it has one.
pub fn of(figure: &str) -> Option<Goal> {
    GOALS.into_iter().find(|goal| goal.figure == figure)
}
