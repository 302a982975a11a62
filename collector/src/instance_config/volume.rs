//! The volume of log files: how much may lie on it, and whether the collector makes room. Ours: the vendor's agent
//! does not look.

use super::Parameters;

/// Bounds of `log_volume_size_limit`, in bytes. Source: own choice; below, a few blocks decide.
const SIZE: std::ops::RangeInclusive<u64> = 64 * 1024..=1 << 60;

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogVolume {
    /// Bytes; `None`: nobody watches.
    pub size_limit: Option<u64>,
    /// Rotated files that are delivered are unlinked near the limit.
    pub unlinks_collected: bool,
}

impl LogVolume {
    pub(super) fn read(parameters: &mut Parameters<'_>) -> Self {
        let this = Self {
            size_limit: parameters.quantity("log_volume_size_limit", SIZE),
            unlinks_collected: parameters.switch("unlink_collected_logs"),
        };
        if this.unlinks_collected && this.size_limit.is_none() {
            parameters.notice(
                "unlink_collected_logs unlinks nothing without log_volume_size_limit: set it to the sizeLimit of the \
                 emptyDir"
                    .to_owned(),
            );
        }
        this
    }
}

/// Bytes of a Kubernetes quantity: `500M`, `1.5Gi`, `1073741824`. Source: Kubernetes documentation, "Quantity"; its
/// exponents and thousandths are not read.
pub(super) fn bytes_of(quantity: &str) -> Option<u64> {
    let quantity = quantity.trim();
    let unit_at = quantity.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(unit_at);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * factor as f64;
    (bytes >= 0.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::env::Env;
    use crate::instance_config::InstanceConfig;

    #[test]
    fn quantities_are_those_of_kubernetes() {
        let read = |text: &str| bytes_of(text);
        assert_eq!(read("1073741824"), Some(1 << 30));
        assert_eq!(
            (read("1Gi"), read("1.5Ki"), read("500M")),
            (Some(1 << 30), Some(1536), Some(500_000_000))
        );
        assert_eq!((read("2k"), read(" 1T "), read("0.5")), (Some(2_000), Some(1_000_000_000_000), Some(0)));
        for wrong in ["", "Gi", "1GB", "1 Gi", "-1", "1e3", "5m", "inf", "NaN", "99999999Ti"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_is_bytes_or_a_quantity_and_unlinking_needs_one() {
        let read = |file: &str, variables: &[(&str, &str)]| {
            let path = Path::new("/etc/ilogtail/conf/cn-hangzhou/ilogtail_config.json");
            let env = Env::from_iter(variables.iter().copied());
            let config = InstanceConfig::parse(path, Some(file.as_bytes()), &env).unwrap();
            let notices = config.notices.into_iter().filter(|notice| notice.contains("log_volume"));
            (config.log_volume, notices.collect::<Vec<_>>())
        };
        let limit = |bytes| LogVolume { size_limit: Some(bytes), unlinks_collected: false };
        assert_eq!(read("{}", &[]), (LogVolume::default(), vec![]));
        assert_eq!(read(r#"{"log_volume_size_limit": 1048576}"#, &[]), (limit(1 << 20), vec![]));
        let variable = [("ALIYUN_LOGTAIL_LOG_VOLUME_SIZE_LIMIT", "2Gi")];
        assert_eq!(read("{}", &variable), (limit(2 << 30), vec![]));
        let (none, notices) = read(r#"{"log_volume_size_limit": "1 GB"}"#, &[]);
        assert_eq!(none, LogVolume::default());
        assert_eq!(
            notices,
            [
                "log_volume_size_limit must be bytes or a quantity such as 1Gi, from 65536 to 1152921504606846976, not \
              \"1 GB\"; it is not used"
            ]
        );
        let (_, notices) = read(r#"{"unlink_collected_logs": true}"#, &[]);
        assert_eq!(notices.len(), 1, "{notices:?}");
    }
}
