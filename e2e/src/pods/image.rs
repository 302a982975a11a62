//! Images: what a reference in a manifest stands for on the bed.
//!
//! There is no registry. The bed is given a list of [`Image`]s; the first whose pattern matches a
//! container's `image` decides which programs and files the container finds in its root.

use std::path::PathBuf;

/// A stand-in for a container image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Which references it serves: `*` stands for any run of characters, including none, `/` and
    /// `:`; everything else must match literally. A pattern without `*` that ends neither in a tag
    /// nor in a digest also matches the reference with any tag or digest.
    pub pattern: String,
    /// Program and arguments run when the manifest gives no `command`; the manifest's `args` are
    /// appended when it gives some, otherwise [`Image::default_args`].
    pub entrypoint: Vec<String>,
    /// Arguments used when the manifest gives neither `command` nor `args` (an image's `CMD`).
    pub default_args: Vec<String>,
    /// Path inside the container and component name of each program. Every program is the bed's
    /// own executable, which acts by the base name it was started as; the component name is for
    /// people.
    pub programs: Vec<(PathBuf, String)>,
    /// Files of the image: absolute path inside the container and content.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// Environment of the image; the manifest's `env` wins. Values may refer to the pod they run
    /// in by `$(POD_IP)` and `$(POD_NAME)`, as there is no network interface to ask.
    pub env: Vec<(String, String)>,
    /// Working directory when the manifest gives none; `/` when empty.
    pub working_dir: PathBuf,
}

impl Image {
    /// True when this image serves `reference`.
    pub fn matches(&self, reference: &str) -> bool {
        if glob(&self.pattern, reference) {
            return true;
        }
        !self.pattern.contains('*') && self.pattern == without_tag(reference)
    }
}

/// The first image that serves `reference`.
pub fn find<'a>(images: &'a [Image], reference: &str) -> Option<&'a Image> {
    images.iter().find(|image| image.matches(reference))
}

/// The command line of a container: the manifest's `command` and `args` over the image's, by the
/// rules of Kubernetes (a `command` without `args` runs without the image's arguments).
pub fn command_line(image: &Image, command: Option<&[String]>, args: Option<&[String]>) -> Vec<String> {
    let given = |list: Option<&[String]>| list.filter(|list| !list.is_empty()).map(<[_]>::to_vec);
    let (mut line, rest) = match (given(command), given(args)) {
        (Some(command), args) => (command, args.unwrap_or_default()),
        (None, Some(args)) => (image.entrypoint.clone(), args),
        (None, None) => (image.entrypoint.clone(), image.default_args.clone()),
    };
    line.extend(rest);
    line
}

/// The reference without `:tag` and `@digest`.
fn without_tag(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// `*` in `pattern` matches any run of bytes. Linear in practice: after each `*` the earliest
/// match is taken and only the last `*` is retried.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pattern: &str) -> Image {
        Image { pattern: pattern.into(), ..Image::default() }
    }

    #[test]
    fn a_star_stands_for_registry_path_and_tag() {
        let logtail = image("*/log-service/logtail*");
        assert!(logtail.matches("registry.cn-hangzhou.aliyuncs.com/log-service/logtail:latest"));
        assert!(logtail.matches("r:5000/log-service/logtail"));
        assert!(!logtail.matches("registry.cn-hangzhou.aliyuncs.com/log-service/docker-log-test"));
        assert!(image("a*b*c").matches("a-b-b-c"));
        assert!(!image("a*b*c").matches("a-c-b"));
        assert!(image("*").matches(""));
    }

    #[test]
    fn a_plain_pattern_matches_any_tag_and_digest() {
        assert!(image("nginx").matches("nginx"));
        assert!(image("nginx").matches("nginx:1.27"));
        assert!(image("host:5000/nginx").matches("host:5000/nginx@sha256:00"));
        assert!(!image("nginx:1.26").matches("nginx:1.27"));
        assert!(!image("host").matches("host:5000/nginx"));
    }

    #[test]
    fn a_command_replaces_the_entrypoint_and_its_arguments() {
        let image = Image {
            entrypoint: vec!["/entry".into()],
            default_args: vec!["--default".into()],
            ..Image::default()
        };
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (command, args) = (words(&["/bin/app"]), words(&["-x"]));
        assert_eq!(command_line(&image, None, None), ["/entry", "--default"]);
        assert_eq!(command_line(&image, None, Some(&args)), ["/entry", "-x"]);
        assert_eq!(command_line(&image, Some(&command), None), ["/bin/app"]);
        assert_eq!(command_line(&image, Some(&command), Some(&args)), ["/bin/app", "-x"]);
    }
}
