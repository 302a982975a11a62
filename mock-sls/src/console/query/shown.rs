//! Texts of logs as HTML: they may hold anything, and are shown so that nothing of it acts. Control characters get
//! pictures, marks that turn the direction of the text get their numbers, and what is long is cut.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

/// A text as HTML, perhaps cut.
#[derive(Debug)]
pub struct Shown {
    /// What is shown.
    pub html: Markup,
    /// Whether more follows.
    pub is_cut: bool,
}

impl Shown {
    /// Bytes of it.
    pub fn bytes(&self) -> usize {
        self.html.0.len()
    }
}

/// The text as HTML of about `bytes_max` bytes. Line ends and tabs stay what they are.
pub fn shown(text: &str, bytes_max: usize) -> Shown {
    let mut html = String::with_capacity(text.len().min(bytes_max) + 16);
    let mut rest = text.chars().peekable();
    while let Some(&c) = rest.peek() {
        if html.len() >= bytes_max {
            return Shown { html: PreEscaped(html), is_cut: true };
        }
        match picture(c) {
            Some(_) => {
                html.push_str("<span class=\"ctl\">");
                // Those that follow share one element: a megabyte of NUL is not rare in broken files.
                while let Some(picture) = rest.peek().copied().and_then(picture)
                    && html.len() < bytes_max
                {
                    html.push_str(&picture);
                    rest.next();
                }
                html.push_str("</span>");
            }
            None => {
                match c {
                    '<' => html.push_str("&lt;"),
                    '>' => html.push_str("&gt;"),
                    '&' => html.push_str("&amp;"),
                    '"' => html.push_str("&quot;"),
                    c => html.push(c),
                }
                rest.next();
            }
        }
    }
    Shown { html: PreEscaped(html), is_cut: false }
}

/// What is shown instead of a character that cannot be seen or that would act on the text around it.
pub fn picture(c: char) -> Option<String> {
    let code = u32::from(c);
    match c {
        '\n' | '\t' => None,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + code).map(String::from),
        '\u{7f}' => Some("\u{2421}".to_owned()),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => {
            let mut picture = String::new();
            // A String takes everything.
            let _ = write!(picture, "\u{27e8}U+{code:04X}\u{27e9}");
            Some(picture)
        }
        _ => None,
    }
}

/// So many bytes, for people.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A text of any length, whole.
pub fn whole(text: &str) -> Markup {
    html! { bdi { (shown(text, usize::MAX).html) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        shown(text, 1_000).html.0
    }

    #[test]
    fn nothing_in_a_log_acts() {
        assert_eq!(html("<script>\"&'"), "&lt;script&gt;&quot;&amp;'");
        assert_eq!(
            html("a\0\u{1b}[31mb\r\n\tc"),
            "a<span class=\"ctl\">␀␛</span>[31mb<span class=\"ctl\">␍</span>\n\tc"
        );
        assert_eq!(html("\u{202e}abc"), "<span class=\"ctl\">⟨U+202E⟩</span>abc");
        assert_eq!(html("שלום 👩‍👧 نص"), "שלום 👩‍👧 نص");
    }

    #[test]
    fn what_is_long_is_cut() {
        let cut = shown(&"x<".repeat(600_000), 100);
        assert!(cut.is_cut && cut.bytes() < 110);
        let controls = shown(&"\0".repeat(1_000_000), 100);
        assert!(controls.is_cut && controls.bytes() < 130, "{}", controls.bytes());
        assert!(!shown("abc", 3).is_cut && shown("abcd", 3).is_cut);
    }

    #[test]
    fn sizes_are_for_people() {
        assert_eq!([size(5), size(1_025), size(1_572_864)], ["5 B", "2 KiB", "1.5 MiB"]);
    }
}
