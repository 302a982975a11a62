//! `Multiline` of an input: which lines make a record.

use regex::bytes::Regex;

use super::Findings;
use super::regex_check::compile;
use super::section::Section;
use crate::pipeline::{Multiline, Records, Strays};

/// `None` after a problem.
pub fn read(mut section: Section, findings: &mut Findings) -> Option<Multiline> {
    let known = findings.problems.len();
    if let Some(mode) = section.text("Mode", findings).filter(|mode| !mode.is_empty() && mode != "custom") {
        findings.problem(
            section.field("Mode"),
            format!("{mode:?} is not supported by this collector; use custom"),
        );
    }
    let start = pattern(&mut section, "StartPattern", findings);
    let continuation = pattern(&mut section, "ContinuePattern", findings);
    let end = pattern(&mut section, "EndPattern", findings);
    let strays = match section.text("UnmatchedContentTreatment", findings).unwrap_or_default().as_str() {
        "" | "single_line" => Strays::SingleLines,
        "discard" => Strays::Discard,
        other => {
            let message = format!("{other:?} is not known; use single_line or discard");
            findings.problem(section.field("UnmatchedContentTreatment"), message);
            Strays::SingleLines
        }
    };
    section.without_effect(&["IgnoringUnmatchWarning"], "lines of no record are only counted", findings);
    let records = match (start, continuation, end) {
        (None, None, None) => None,
        (Some(start), None, None) => Some(Records::Start(start)),
        (Some(start), Some(continuation), None) => Some(Records::StartContinue { start, continuation }),
        (Some(start), continuation, Some(end)) => {
            if continuation.is_some() {
                // As the vendor's agent does it, with a warning too (LoongCollector, MultilineOptions).
                let message =
                    "has no effect beside StartPattern and EndPattern: all lines between belong to a record";
                findings.notice(section.field("ContinuePattern"), message);
            }
            Some(Records::StartEnd { start, end })
        }
        (None, Some(continuation), Some(end)) => Some(Records::ContinueEnd { continuation, end }),
        (None, None, Some(end)) => Some(Records::End(end)),
        (None, Some(_), None) => {
            let message = "says nothing alone; give a StartPattern or an EndPattern beside it";
            findings.problem(section.field("ContinuePattern"), message);
            None
        }
    };
    section.finish(findings);
    let multiline = records.map_or(Multiline::SingleLine, |records| Multiline::Joined { records, strays });
    (findings.problems.len() == known).then_some(multiline)
}

fn pattern(section: &mut Section, key: &str, findings: &mut Findings) -> Option<Regex> {
    // What every line matches is how configs spell "no pattern" (collector.md §2.1, logBeginRegex).
    let text = section.text(key, findings).filter(|text| !matches!(text.as_str(), "" | ".*"))?;
    match compile(&text) {
        Ok(regex) => Some(regex),
        Err(reason) => {
            findings.problem(section.field(key), reason);
            None
        }
    }
}
