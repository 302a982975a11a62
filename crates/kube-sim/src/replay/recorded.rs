//! The file of a recording, `answers.json`: what a real server said to each
//! request of a script.

use serde::{Deserialize, Serialize};

use super::{Answer, Step};

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Method and path, to see that the file belongs to a script.
    pub to: String,
    /// The answer.
    pub answer: Answer,
}

impl Recorded {
    /// Text of the file: one line per answer, so that a new recording shows
    /// what has changed.
    ///
    /// # Errors
    /// None for what [`replay`](super::replay) returned.
    pub fn text(steps: &[Step], answers: &[Answer]) -> serde_json::Result<String> {
        let line = |(step, answer): (&Step, &Answer)| {
            serde_json::to_string(&Self { to: step.r#do.clone(), answer: answer.clone() })
        };
        let lines = steps.iter().zip(answers).map(line).collect::<serde_json::Result<Vec<_>>>()?;
        Ok(format!("[\n{}\n]\n", lines.join(",\n")))
    }
}
