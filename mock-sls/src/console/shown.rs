//! Text from outside on a page: nobody knows what it holds, and whoever reads the page must see all of it as text.

use maud::{Markup, html};

use super::query::picture;
use super::visit::Visit;

/// Characters that are shown before a value is folded (own choice: a few lines).
const FOLD_CHARS: usize = 600;
/// Characters of a folded value that the page holds at most (own choice: 100 such values are some MB).
const CHARS_MAX: usize = 32_768;

/// A value: isolated from the direction of its text, with control characters made visible, folded if it is long.
pub(super) fn value(visit: &Visit, text: &str) -> Markup {
    let (begin, rest) = cut(text, FOLD_CHARS);
    if rest.is_empty() {
        return html! { bdi.value { (visible(begin)) } };
    }
    let (folded, left_out) = cut(rest, CHARS_MAX);
    let more = rest.chars().count();
    html! {
        bdi.value { (visible(begin)) "…" }
        details {
            summary { (more) " " (visit.t("more characters", "个字符未显示")) }
            bdi.value { (visible(folded)) }
            @if !left_out.is_empty() {
                p.hint { (visit.t("The rest is left out here.", "其余内容在此省略。")) }
            }
        }
    }
}

/// The text with a picture for each character that would not be seen, or would act on others. Line breaks and tabs
/// stay.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match picture(c) {
            Some(picture) => out += &picture,
            None => out.push(c),
        }
    }
    out
}

/// The first characters, and the rest.
fn cut(text: &str, chars: usize) -> (&str, &str) {
    let at = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_be_seen_gets_a_picture() {
        assert_eq!(visible("a\u{1b}[31mred\0\r\n\tb\u{7f}"), "a␛[31mred␀␍\n\tb␡");
        assert_eq!(visible("abc\u{202e}def\u{9b}"), "abc⟨U+202E⟩def⟨U+009B⟩");
        assert_eq!(visible("שלום 日志 🚀"), "שלום 日志 🚀");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("日志库", 2), ("日志", "库"));
        assert_eq!(cut("日志", 2), ("日志", ""));
    }
}
