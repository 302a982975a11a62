//! What the run is waiting for: a spinner on a terminal, plain lines on standard error otherwise.

use std::fmt;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows the current step; cheap to clone and to share between scenarios.
#[derive(Clone)]
pub struct Progress {
    bar: Option<ProgressBar>,
    start: Instant,
    quiet: bool,
    /// Stands before every text.
    label: String,
}

impl Progress {
    /// On standard error, so that standard output holds the result alone.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, start: Instant::now(), quiet: false, label: String::new() }
    }

    /// Says nothing; for tests.
    pub fn silent() -> Self {
        Self { bar: None, start: Instant::now(), quiet: true, label: String::new() }
    }

    /// The same with a name before every text: of one scenario among several.
    pub fn named(&self, name: &str) -> Self {
        Self { label: format!("{name}: "), ..self.clone() }
    }

    /// What is waited for now.
    pub fn step(&self, text: impl AsRef<str>) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}{}", self.label, text.as_ref())),
            None if self.quiet => {}
            None => self.line(text.as_ref()),
        }
    }

    /// A thing that is done and worth keeping on the screen.
    pub fn done(&self, text: impl AsRef<str>) {
        match &self.bar {
            Some(bar) => bar.println(format!("{:6.2} s  {}{}", self.seconds(), self.label, text.as_ref())),
            None if self.quiet => {}
            None => self.line(text.as_ref()),
        }
    }

    fn line(&self, text: &str) {
        write_line(format_args!("[{:6.2} s] {}{text}", self.seconds(), self.label));
    }

    /// Seconds since the start of the run.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Takes the spinner off the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Tells the user something beside the progress, on standard error too.
pub fn say(text: impl AsRef<str>) {
    write_line(format_args!("e2e: {}", text.as_ref()));
}

/// Writes a line to standard error, if that is still open: `eprintln!` would panic on a closed one, and a
/// terminal that has gone must end neither a run nor its clean-up.
fn write_line(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
