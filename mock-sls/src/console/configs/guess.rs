//! A regex from a sample line: a start that a person corrects.

use sls_api::logtail::capture_groups;

/// Words of a line that get a group of their own; the rest of a longer line is one.
const GROUPS_MAX: usize = 40;

/// The regex of a line, and names for its groups. It matches the line.
pub(super) fn of_line(line: &str) -> (String, Vec<String>) {
    let mut made = Made::default();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            let word = rest.trim_start();
            made.regex.push_str(if rest.len() - word.len() == first.len_utf8() { r"\s" } else { r"\s+" });
            rest = word;
            continue;
        }
        if made.names.len() >= GROUPS_MAX {
            made.group("(.*)", "rest", rest);
            break;
        }
        rest = match first {
            '"' => made.between(rest, '"', r#""([^"]*)""#),
            '[' => made.between(rest, ']', r"\[([^\]]*)\]"),
            _ => made.word(rest),
        };
    }
    debug_assert_eq!(capture_groups(&made.regex).ok(), Some(made.names.len()));
    (made.regex, made.names)
}

#[derive(Default)]
struct Made {
    regex: String,
    names: Vec<String>,
}

impl Made {
    /// What stands from an opening sign to a closing one; a word if there is none.
    fn between<'l>(&mut self, rest: &'l str, close: char, regex: &str) -> &'l str {
        let inner = rest.get(1..).unwrap_or_default();
        let Some((value, after)) = inner.split_once(close) else { return self.word(rest) };
        self.group(regex, "", value);
        after
    }

    /// All up to a blank, a quote or a bracket.
    fn word<'l>(&mut self, rest: &'l str) -> &'l str {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let digits = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_digit());
        self.group(if digits { r"(\d+)" } else { r"(\S+)" }, "", word);
        after
    }

    fn group(&mut self, regex: &str, name: &str, value: &str) {
        self.regex.push_str(regex);
        let name = if name.is_empty() { name_of(value) } else { name };
        let taken = |name: &str| self.names.iter().any(|other| other == name);
        let number = self.names.len() + 1;
        let name = match name {
            "" => format!("field{number}"),
            name if taken(name) => format!("{name}{number}"),
            name => name.to_owned(),
        };
        self.names.push(name);
    }
}

/// What a value looks like.
fn name_of(value: &str) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
    const LEVELS: [&str; 9] =
        ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"];
    let upper = value.to_ascii_uppercase();
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit());
    if value.parse::<std::net::IpAddr>().is_ok() {
        "ip"
    } else if METHODS
        .iter()
        .any(|method| value.strip_prefix(method).is_some_and(|rest| rest.starts_with(' ')))
    {
        "request"
    } else if METHODS.contains(&value) {
        "method"
    } else if LEVELS.contains(&upper.as_str()) {
        "level"
    } else if value.contains(':') && value.chars().filter(char::is_ascii_digit).count() >= 6 {
        "time"
    } else if is_digits(value) && value.len() == 3 && matches!(value.as_bytes().first(), Some(b'1'..=b'5')) {
        "status"
    } else if value.starts_with("http://") || value.starts_with("https://") {
        "referrer"
    } else if value.starts_with("Mozilla/") || value.starts_with("curl/") {
        "user_agent"
    } else if value.starts_with('/') {
        "path"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use sls_pipeline::pipeline::full_match;

    use super::*;

    fn check(line: &str, regex: &str, names: &str) {
        let (made, keys) = of_line(line);
        assert_eq!((made.as_str(), keys.join(" ").as_str()), (regex, names));
        let groups = full_match(&made).unwrap().captures(line.as_bytes()).expect("it matches").len();
        assert_eq!(groups, keys.len() + 1);
    }

    #[test]
    fn quotes_brackets_and_words_are_groups_with_names() {
        check(
            r#"10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] "GET /a b HTTP/1.1" 200 612 "-" "curl/8.1""#,
            r#"(\S+)\s(\S+)\s(\S+)\s\[([^\]]*)\]\s"([^"]*)"\s(\d+)\s(\d+)\s"([^"]*)"\s"([^"]*)""#,
            "ip field2 field3 time request status field7 field8 user_agent",
        );
        check("2024-01-02T03:04:05  ERROR /x", r"(\S+)\s+(\S+)\s(\S+)", "time level path");
    }

    #[test]
    fn any_line_matches_its_own_regex() {
        for line in ["", " ", "[open \"quote", "日志 é \"x\"y", "a  b\tc ", &"w ".repeat(100), "[]\"\""] {
            let (regex, _) = of_line(line);
            assert!(full_match(&regex).unwrap().is_match(line.as_bytes()), "{line:?}: {regex}");
        }
    }
}
