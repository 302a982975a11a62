//! Regions and networks: what the directory of `ilogtail_config.json` says.
//!
//! The document selects both by a path, `/etc/ilogtail/conf/<region>[-internet]/ilogtail_config.json`;
//! the data endpoint follows from them when no file and no config names one. Pure. Called by
//! `instance_config`, by `pipeline_json` (endpoint of a destination), and by `cli`, whose list of
//! directories the image is built from.

use std::fmt;
use std::path::Path;

/// Regions with a Log Service endpoint. Source: public region table, from memory ("guess"); a
/// region missing here still works as soon as the config names its endpoints.
const KNOWN: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "cn-beijing",
    "cn-beijing-finance-1",
    "cn-chengdu",
    "cn-fuzhou",
    "cn-guangzhou",
    "cn-hangzhou",
    "cn-hangzhou-finance",
    "cn-heyuan",
    "cn-hongkong",
    "cn-huhehaote",
    "cn-nanjing",
    "cn-north-2-gov-1",
    "cn-qingdao",
    "cn-shanghai",
    "cn-shanghai-finance-1",
    "cn-shenzhen",
    "cn-shenzhen-finance",
    "cn-shenzhen-finance-1",
    "cn-wuhan-lr",
    "cn-wulanchabu",
    "cn-zhangjiakou",
    "cn-zhengzhou-jva",
    "eu-central-1",
    "eu-west-1",
    "me-central-1",
    "me-east-1",
    "us-east-1",
    "us-west-1",
];

/// Which of the service's networks the collector uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// `<region>-internet` (the document): public endpoints.
    Internet,
    /// `<region>` alone (the document) or `<region>-intranet`: endpoints inside the cloud.
    Intranet,
    /// `<region>-acceleration`: the global acceleration endpoint. Source: guess.
    Acceleration,
}

/// Suffixes of the directory name, longest meaning first; no suffix means the intranet.
const SUFFIXES: &[(&str, Network)] = &[
    ("-internet", Network::Internet),
    ("-intranet", Network::Intranet),
    ("-vpc", Network::Intranet),
    ("-acceleration", Network::Acceleration),
];

/// Region and network that the config file's path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub region: String,
    pub network: Network,
}

/// A region this program has no endpoint for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "region `{region}` is not known{}; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG \
     must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file",
    .nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default()
)]
pub struct UnknownRegion {
    pub region: String,
    pub nearest: Option<&'static str>,
}

impl Place {
    /// Reads `…/<region>[-network]/ilogtail_config.json`. `None` when the path has no such directory.
    pub fn of_config_path(path: &Path) -> Option<Self> {
        let directory = path.parent()?.file_name()?.to_str()?;
        let looks_like_region =
            directory.contains('-') && directory.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        looks_like_region.then(|| Self::of_directory(directory))
    }

    fn of_directory(directory: &str) -> Self {
        for (suffix, network) in SUFFIXES {
            if let Some(region) = directory.strip_suffix(suffix) {
                return Self { region: region.to_owned(), network: *network };
            }
        }
        Self { region: directory.to_owned(), network: Network::Intranet }
    }

    /// The data endpoint's host, e.g. `cn-hangzhou.log.aliyuncs.com`.
    ///
    /// # Errors
    /// For a region that is not in the known list: a guessed host name would only fail later, in DNS.
    pub fn endpoint(&self) -> Result<String, UnknownRegion> {
        derived_endpoint(&self.region, self.network)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = match self.network {
            Network::Internet => "Internet",
            Network::Intranet => "intranet",
            Network::Acceleration => "global acceleration",
        };
        write!(f, "region {}, {network}", self.region)
    }
}

/// The service's own endpoint of a region on a network.
///
/// # Errors
/// For a region that is not in the known list, naming the nearest known one.
pub fn derived_endpoint(region: &str, network: Network) -> Result<String, UnknownRegion> {
    check(region)?;
    Ok(match network {
        Network::Internet => format!("{region}.log.aliyuncs.com"),
        Network::Intranet => format!("{region}-intranet.log.aliyuncs.com"),
        Network::Acceleration => "log-global.aliyuncs.com".to_owned(),
    })
}

/// Names of all directories that a path may have: each known region alone, then with each suffix.
pub fn directories() -> impl Iterator<Item = String> {
    KNOWN.iter().flat_map(|region| {
        let suffixes = std::iter::once("").chain(SUFFIXES.iter().map(|(suffix, _)| *suffix));
        suffixes.map(move |suffix| format!("{region}{suffix}"))
    })
}

/// Is this a region of the service?
///
/// # Errors
/// [`UnknownRegion`] with the nearest known name.
pub fn check(region: &str) -> Result<(), UnknownRegion> {
    if KNOWN.contains(&region) {
        return Ok(());
    }
    Err(UnknownRegion {
        region: region.to_owned(),
        nearest: sls_api::nearest::nearest(region, KNOWN.iter().copied()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check_path(path: &str, expected: Expect) {
        let shown = match Place::of_config_path(Path::new(path)) {
            None => "no region in this path".to_owned(),
            Some(place) => match place.endpoint() {
                Ok(endpoint) => format!("{place}: {endpoint}"),
                Err(unknown) => unknown.to_string(),
            },
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn the_documents_internet_path_gives_the_public_endpoint() {
        check_path(
            "/etc/ilogtail/conf/cn-hangzhou-internet/ilogtail_config.json",
            expect!["region cn-hangzhou, Internet: cn-hangzhou.log.aliyuncs.com"],
        );
    }

    #[test]
    fn a_bare_region_means_the_intranet() {
        check_path(
            "/etc/ilogtail/conf/cn-shanghai-finance-1/ilogtail_config.json",
            expect![
                "region cn-shanghai-finance-1, intranet: cn-shanghai-finance-1-intranet.log.aliyuncs.com"
            ],
        );
    }

    #[test]
    fn acceleration_has_one_endpoint_for_all_regions() {
        check_path(
            "/etc/ilogtail/conf/us-west-1-acceleration/ilogtail_config.json",
            expect!["region us-west-1, global acceleration: log-global.aliyuncs.com"],
        );
    }

    #[test]
    fn every_listed_directory_names_a_known_region() {
        let listed: Vec<String> = directories().collect();
        assert_eq!(listed.len(), KNOWN.len() * (1 + SUFFIXES.len()));
        for directory in listed {
            assert_eq!(check(&Place::of_directory(&directory).region), Ok(()), "{directory}");
        }
    }

    #[test]
    fn a_misspelt_region_is_named_with_the_nearest_one() {
        check_path(
            "/etc/ilogtail/conf/cn-hangzou-internet/ilogtail_config.json",
            expect![
                "region `cn-hangzou` is not known, did you mean `cn-hangzhou`?; correct the region (the directory in ALIYUN_LOGTAIL_CONFIG must be `<region>` or `<region>-internet`), or name its endpoint in `data_servers` of the config file"
            ],
        );
    }

    #[test]
    fn the_documents_placeholder_names_no_region() {
        check_path(
            "/etc/ilogtail/conf/${your_region_config}/ilogtail_config.json",
            expect!["no region in this path"],
        );
    }

    #[test]
    fn a_path_elsewhere_names_no_region() {
        check_path("/usr/local/ilogtail/ilogtail_config.json", expect!["no region in this path"]);
    }
}
