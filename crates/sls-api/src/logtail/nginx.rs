//! A `log_format` of Nginx → regex, keys and time of its lines: the mode "Nginx" of the service's console.
//!
//! The console has a form for it and makes an ordinary config of regex mode; here the line of `nginx.conf` stands in
//! the config itself, as `inputDetail.logFormat`, and [`derive`] does the same. That key is ours: where the console
//! keeps the line is not known. Source of the syntax: Nginx's documentation, `ngx_http_log_module`.

use serde_json::{Map, Value, json};

/// Longest line, in bytes. Source: guess; Nginx's own has a few hundred.
const FORMAT_BYTES_MAX: usize = 4096;
/// The key of the line in `inputDetail`.
pub(super) const LOG_FORMAT: &str = "logFormat";
/// Keys that are made of the line.
const MADE: [&str; 2] = ["regex", "key"];

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parsed {
    regex: String,
    keys: Vec<String>,
    /// Key of the time and its format.
    time: Option<(&'static str, &'static str)>,
}

/// Variables that are a time, with the format; the first that a line has counts.
const TIMES: [(&str, &str); 2] =
    [("time_local", "%d/%b/%Y:%H:%M:%S %z"), ("time_iso8601", "%Y-%m-%dT%H:%M:%S%z")];

/// Puts regex, keys and time in the place of the line, if there is one. Nothing is changed if it cannot be used.
///
/// # Errors
/// What is wrong with the line, and what to write.
pub fn derive(detail: &mut Map<String, Value>) -> Result<(), String> {
    let Some(format) = detail.get(LOG_FORMAT).filter(|value| !value.is_null()) else { return Ok(()) };
    let format = format.as_str().ok_or("must be the text of a log_format")?;
    if format.is_empty() {
        return Ok(());
    }
    let is_set = |key: &str| detail.get(key).is_some_and(|value| !value.is_null());
    if let Some(key) = MADE.into_iter().find(|key| is_set(key)) {
        return Err(format!("{key} is made of it: remove one of the two"));
    }
    let is_regex = detail.get("logType").is_none_or(|kind| kind.is_null() || kind == "common_reg_log");
    if !is_regex {
        return Err("it is for logType common_reg_log".to_owned());
    }
    let parsed = parse(format)?;
    detail.shift_remove(LOG_FORMAT);
    detail.insert("logType".to_owned(), json!("common_reg_log"));
    detail.insert("regex".to_owned(), json!(parsed.regex));
    detail.insert("key".to_owned(), json!(parsed.keys));
    let has_time = ["timeKey", "timeFormat"]
        .iter()
        .any(|key| detail.get(*key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
    if let Some((key, format)) = parsed.time.filter(|_| !has_time) {
        detail.insert("timeKey".to_owned(), json!(key));
        detail.insert("timeFormat".to_owned(), json!(format));
    }
    Ok(())
}

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn parse(format: &str) -> Result<Parsed, String> {
    if format.len() > FORMAT_BYTES_MAX {
        return Err(format!("is longer than {FORMAT_BYTES_MAX} bytes"));
    }
    let body = body(format)?;
    let pieces = pieces(&body)?;
    let mut parsed = Parsed { regex: String::new(), keys: Vec::new(), time: None };
    for (at, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Text(text) => parsed.regex.push_str(&escaped(text)),
            Piece::Variable(name) => {
                let next = match pieces.get(at + 1) {
                    None => None,
                    Some(Piece::Text(text)) => text.chars().next(),
                    Some(Piece::Variable(other)) => {
                        return Err(format!(
                            "${name} and ${other} stand beside each other: nobody can tell where one ends; put a \
                             character in between"
                        ));
                    }
                };
                let before = at.checked_sub(1).and_then(|at| pieces.get(at));
                let before = matches!(before, Some(Piece::Text(text)) if text.ends_with('"'));
                add(&mut parsed, name, next, before)?;
            }
        }
    }
    if parsed.keys.is_empty() {
        return Err("has no variable: write the line log_format of nginx.conf, such as '$remote_addr [$time_local] …'"
            .to_owned());
    }
    parsed.time = TIMES.into_iter().find(|(name, _)| parsed.keys.iter().any(|key| key == name));
    Ok(parsed)
}

/// The group, or groups, of a variable before a character; `quoted` if a quote stands before it.
fn add(parsed: &mut Parsed, name: &str, next: Option<char>, quoted: bool) -> Result<(), String> {
    let class = |more: &str| match next {
        // The end of the line.
        None => ".*".to_owned(),
        Some(next) => format!("[^{}{more}]*", in_class(next)),
    };
    if name == "request" && quoted && next == Some('"') {
        // Method, URI and protocol. What is no request line is there all the same, as the method.
        let (word, rest) = (class(" "), class(""));
        parsed.regex.push_str(&format!("({word}) ?({word})(?: {rest})?"));
        for key in ["request_method", "request_uri"] {
            insert(parsed, key)?;
        }
        return Ok(());
    }
    parsed.regex.push_str(&format!("({})", class("")));
    insert(parsed, name)
}

fn insert(parsed: &mut Parsed, key: &str) -> Result<(), String> {
    if parsed.keys.iter().any(|known| known == key) {
        return Err(format!("${key} is in it twice: a log has a key once; remove one"));
    }
    parsed.keys.push(key.to_owned());
    Ok(())
}

/// The format itself: the texts of a directive `log_format name [escape=…] 'text' …;` put together, or the line as
/// it is.
fn body(format: &str) -> Result<String, String> {
    let trimmed = format.trim();
    let Some(rest) = trimmed.strip_prefix("log_format").filter(|rest| rest.starts_with(char::is_whitespace))
    else {
        return Ok(format.to_owned());
    };
    let unfinished = || "is no whole directive: write log_format NAME '…';".to_owned();
    let rest = rest.trim_start();
    let (_, mut rest) = rest.split_once(char::is_whitespace).ok_or_else(unfinished)?;
    let mut body = String::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() || rest == ";" {
            return if body.is_empty() { Err(unfinished()) } else { Ok(body) };
        }
        let quote = rest.chars().next().filter(|first| matches!(first, '\'' | '"'));
        match quote {
            Some(quote) => {
                let inner = rest.get(1..).unwrap_or_default();
                let end = end_of_text(inner, quote).ok_or_else(unfinished)?;
                body.push_str(&unescaped(inner.get(..end).unwrap_or_default(), quote));
                rest = inner.get(end + 1..).unwrap_or_default();
            }
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                if !(body.is_empty() && word.starts_with("escape=")) {
                    body.push_str(word);
                }
                rest = if after == ";" || after.starts_with(char::is_whitespace) || after.is_empty() {
                    after
                } else {
                    return Err(unfinished());
                };
            }
        }
    }
}

/// Where the quote that is not escaped stands.
fn end_of_text(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            other if other == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// As Nginx reads a quoted text: a backslash goes before the quote and before itself; `\t`, `\r` and `\n`.
fn unescaped(text: &str, quote: char) -> String {
    let mut read = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied().filter(|_| character == '\\');
        let special = match next {
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('n') => Some('\n'),
            Some(next) if next == quote || next == '\\' => Some(next),
            _ => None,
        };
        if special.is_some() {
            characters.next();
        }
        read.push(special.unwrap_or(character));
    }
    read
}

fn pieces(body: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let Some(at) = rest.find('$') else {
            pieces.push(Piece::Text(rest));
            break;
        };
        let (text, variable) = rest.split_at(at);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let after = variable.get(1..).unwrap_or_default();
        let (name, left) = match after.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or("has a ${ without its }")?,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                after.split_at(end)
            }
        };
        if name.is_empty() {
            return Err("has a $ without the name of a variable".to_owned());
        }
        pieces.push(Piece::Variable(name));
        rest = left;
    }
    Ok(pieces)
}

/// A text as a regex that matches it and nothing else.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// A character inside of a class.
fn in_class(character: char) -> String {
    if matches!(character, '\\' | ']' | '[' | '^' | '-') {
        format!("\\{character}")
    } else {
        character.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';"#;

    fn derived(format: &str) -> Result<Map<String, Value>, String> {
        let mut detail = Map::from_iter([(LOG_FORMAT.to_owned(), json!(format))]);
        derive(&mut detail).map(|()| detail)
    }

    fn parsed_line(format: &str, line: &str) -> Vec<(String, String)> {
        let detail = derived(format).unwrap();
        let regex = regex::Regex::new(&format!(r"\A(?:{})\z", detail["regex"].as_str().unwrap())).unwrap();
        let groups = regex.captures(line).unwrap_or_else(|| panic!("{regex} does not match {line}"));
        let keys = detail["key"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned());
        keys.zip(groups.iter().skip(1).map(|group| group.map_or(String::new(), |g| g.as_str().to_owned())))
            .collect()
    }

    #[test]
    fn the_format_that_nginx_comes_with_gives_its_variables() {
        let line = r#"10.0.0.1 - - [13/Nov/2018:17:05:09 +0800] "GET /a?b=c d HTTP/1.1" 200 612 "-" "curl/7 (x)" "-""#;
        let fields = parsed_line(COMBINED, line);
        let wanted = [
            ("remote_addr", "10.0.0.1"),
            ("remote_user", "-"),
            ("time_local", "13/Nov/2018:17:05:09 +0800"),
            ("request_method", "GET"),
            ("request_uri", "/a?b=c"),
            ("status", "200"),
            ("body_bytes_sent", "612"),
            ("http_referer", "-"),
            ("http_user_agent", "curl/7 (x)"),
            ("http_x_forwarded_for", "-"),
        ];
        assert_eq!(fields, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let detail = derived(COMBINED).unwrap();
        assert_eq!(
            (&detail["timeKey"], &detail["timeFormat"]),
            (&json!("time_local"), &json!("%d/%b/%Y:%H:%M:%S %z"))
        );
        assert!(!detail.contains_key(LOG_FORMAT));
    }

    #[test]
    fn what_is_no_request_line_is_not_lost() {
        for (request, method) in [("", ""), (r"\x16\x03\x01", r"\x16\x03\x01"), ("GET", "GET")] {
            let fields = parsed_line(r#""$request" $status"#, &format!("\"{request}\" 400"));
            assert_eq!(fields[0], ("request_method".to_owned(), method.to_owned()));
            assert_eq!(fields[2], ("status".to_owned(), "400".to_owned()));
        }
    }

    #[test]
    fn a_line_alone_and_names_in_braces_are_formats_too() {
        let fields = parsed_line(
            "${host}|$upstream_response_time|$time_iso8601",
            "a.b|0.1, 0.2|2018-11-13T17:05:09+08:00",
        );
        assert_eq!(fields[1].1, "0.1, 0.2");
        let json = r#"log_format json escape=json '{"t":"$time_iso8601","u":"$uri"}';"#;
        let fields = parsed_line(json, r#"{"t":"2018-11-13T17:05:09+08:00","u":"/a"}"#);
        assert_eq!(fields[1], ("uri".to_owned(), "/a".to_owned()));
        assert_eq!(parsed_line(r"log_format x 'it\'s $uri' ;", "it's /a")[0].1, "/a");
    }

    #[test]
    fn a_format_that_cannot_be_read_back_is_refused() {
        for (format, wanted) in [
            ("$a$b", "$a and $b stand beside each other"),
            ("no variable", "has no variable"),
            ("$status - $status", "$status is in it twice"),
            ("log_format main 'x", "no whole directive"),
            ("log_format main", "no whole directive"),
            ("${a", "without its }"),
            ("100 $", "without the name"),
        ] {
            let error = derived(format).unwrap_err();
            assert!(error.contains(wanted), "{format}: {error}");
        }
        let mut detail =
            Map::from_iter([(LOG_FORMAT.to_owned(), json!("$a")), ("regex".to_owned(), json!("(.*)"))]);
        assert!(derive(&mut detail).unwrap_err().contains("remove one of the two"));
        let mut detail =
            Map::from_iter([(LOG_FORMAT.to_owned(), json!("$a")), ("logType".to_owned(), json!("json_log"))]);
        assert!(derive(&mut detail).unwrap_err().contains("common_reg_log"));
    }

    #[test]
    fn a_time_that_the_config_names_itself_stays() {
        let mut detail = Map::from_iter([
            (LOG_FORMAT.to_owned(), json!("$msec [$time_local]")),
            ("timeKey".to_owned(), json!("msec")),
            ("timeFormat".to_owned(), json!("%s")),
        ]);
        derive(&mut detail).unwrap();
        assert_eq!(detail["timeKey"], json!("msec"));
    }
}
