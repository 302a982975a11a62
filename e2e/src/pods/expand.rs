//! References to environment variables in manifests and images: `$(NAME)`. Pure.

/// Replaces `$(NAME)` by the last variable of that name; `$$` stands for one `$`, and everything
/// that names no variable stays. Source: Kubernetes documentation, `env` and `args`.
pub fn expand(text: &str, env: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            match env.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => out.push_str(value),
                None => {
                    out.push_str("$(");
                    out.push_str(name);
                    out.push(')');
                }
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn references_are_replaced_and_dollars_escaped() {
        let env = env(&[("A", "1"), ("B", "two"), ("A", "3")]);
        for (text, expected) in [
            ("$(A)-$(B)", "3-two"),
            ("$$(A) $(C) $A $ $$", "$(A) $(C) $A $ $"),
            ("$(A", "$(A"),
            ("über $(B)", "über two"),
        ] {
            assert_eq!(expand(text, &env), expected);
        }
    }
}
