//! The two languages of the console.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A language of the console. Every text stands where it is used, in both: [`Lang::t`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Lang {
    /// The text in this language.
    pub fn t<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::En => english,
            Self::Zh => chinese,
        }
    }

    /// Name in `lang` attributes and in the cookie.
    pub fn tag(self) -> &'static str {
        self.t("en", "zh")
    }

    /// The language of this name.
    pub fn named(tag: &str) -> Option<Self> {
        match tag {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The first language of `Accept-Language` that the console has; its order is taken for the preference, as
    /// all browsers write it.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let wanted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let primary = |range: &str| Self::named(range.trim().split(['-', ';']).next().unwrap_or_default());
        wanted.to_ascii_lowercase().split(',').find_map(primary).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(value: &str) -> Lang {
        Lang::preferred(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, value.parse().unwrap())]))
    }

    #[test]
    fn the_browser_says_which_language() {
        assert_eq!(preferred("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(preferred("de, en-GB;q=0.9, zh;q=0.1"), Lang::En);
        assert_eq!(preferred("fr"), Lang::En);
        assert_eq!(preferred("ZH-Hans"), Lang::Zh);
    }
}
