//! Where IP addresses are: a file of blocks of addresses with what `ip_to_city` and the like say of
//! them. The service has a database of its own; here users bring the addresses of their tests.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::query::spl::csv_values;

/// Blocks in a file. Own choice: bounds memory.
const BLOCKS_MAX: usize = 1_000_000;

/// What a file says of blocks of addresses.
#[derive(Debug, Clone, Default)]
pub struct IpPlaces {
    /// By the block's prefix length and first address.
    blocks: HashMap<(bool, u32, u128), Vec<String>>,
    /// Lengths that occur, longest first.
    prefixes: Vec<(bool, u32)>,
    /// Position of each column in the values of a block.
    columns: HashMap<String, usize>,
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// The first line names other columns.
    #[error("the first line must name the columns: cidr, and some of {}", COLUMNS.join(", "))]
    Columns,
    /// A line does not begin with a block of addresses.
    #[error("line {line}: {text} is no block of addresses like 192.0.2.0/24")]
    Block {
        /// Number, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// Too many lines.
    #[error("there are more than {BLOCKS_MAX} blocks of addresses")]
    TooMany,
}

/// Columns of a file behind `cidr`.
const COLUMNS: [&str; 9] = [
    "country",
    "country_code",
    "province",
    "province_code",
    "city",
    "city_code",
    "geo",
    "city_geo",
    "provider",
];

impl IpPlaces {
    /// Reads comma separated values whose first line names the columns.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(text: &str) -> Result<Self, PlacesError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let names = lines.next().map(|(_, line)| csv_values(line, ",", '"')).unwrap_or_default();
        let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
        let Some(("cidr", names)) = names.split_first().map(|(first, rest)| (*first, rest)) else {
            return Err(PlacesError::Columns);
        };
        if names.iter().any(|name| !COLUMNS.contains(name)) {
            return Err(PlacesError::Columns);
        }
        let columns = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at)).collect();
        let mut places = Self { columns, ..Self::default() };
        let mut prefixes = HashSet::new();
        for (index, line) in lines {
            let mut values = csv_values(line, ",", '"').into_iter();
            let text = values.next().unwrap_or_default();
            let block = Block::parse(&text).ok_or(PlacesError::Block { line: index + 1, text })?;
            if places.blocks.len() >= BLOCKS_MAX {
                return Err(PlacesError::TooMany);
            }
            prefixes.insert((block.is_v6(), block.prefix));
            places.blocks.insert(block.key(block.prefix), values.collect());
        }
        places.prefixes = prefixes.into_iter().collect();
        places.prefixes.sort_unstable_by(|a, b| b.cmp(a));
        Ok(places)
    }

    /// What the smallest block with the address says in a column; nothing where no block says it.
    pub fn find(&self, ip: &str, column: &str) -> Option<&str> {
        let at = *self.columns.get(column)?;
        let block = Block::parse(ip)?;
        let known =
            self.prefixes.iter().filter(|(v6, prefix)| *v6 == block.is_v6() && *prefix <= block.prefix);
        let mut values = known.filter_map(|(_, prefix)| self.blocks.get(&block.key(*prefix))?.get(at));
        values.find(|value| !value.is_empty()).map(String::as_str)
    }
}

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    width: u32,
    /// How many bits they share.
    pub prefix: u32,
    value: u128,
}

impl Block {
    /// The block of an address; none if it has fewer bits.
    pub fn new(ip: IpAddr, prefix: u32) -> Option<Self> {
        let (width, value) = match ip {
            IpAddr::V4(ip) => (32, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (128, u128::from(ip)),
        };
        (prefix <= width).then_some(Self { width, prefix, value })
    }

    /// `192.0.2.1/24`, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (ip, prefix) = match text.trim().split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix.parse().ok()?)),
            None => (text.trim(), None),
        };
        let ip: IpAddr = ip.parse().ok()?;
        Self::new(ip, prefix.unwrap_or(if ip.is_ipv4() { 32 } else { 128 }))
    }

    fn is_v6(&self) -> bool {
        self.width == 128
    }

    /// The bits behind the first `prefix`, all set.
    fn rest(&self, prefix: u32) -> u128 {
        1u128.checked_shl(self.width - prefix).map_or(u128::MAX, |end| end - 1)
    }

    fn key(&self, prefix: u32) -> (bool, u32, u128) {
        (self.is_v6(), prefix, self.value & !self.rest(prefix))
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.address(self.value & !self.rest(self.prefix))
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.address(self.value | self.rest(self.prefix))
    }

    fn address(&self, value: u128) -> IpAddr {
        match self.is_v6() {
            false => IpAddr::V4(Ipv4Addr::from(value as u32)),
            true => IpAddr::V6(Ipv6Addr::from(value)),
        }
    }

    /// Whether all addresses of `inner` are in it.
    pub fn contains(&self, inner: &Self) -> bool {
        self.width == inner.width
            && self.prefix <= inner.prefix
            && self.key(self.prefix) == inner.key(self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "cidr,country,geo,city\n192.0.2.0/24,中国,\"30.3,120.2\",\n192.0.2.7,,,杭州市\n2001:db8::/32,US,,\n";

    #[test]
    fn the_smallest_block_that_says_something_wins() {
        let places = IpPlaces::parse(FILE).unwrap();
        let found = |ip, column| places.find(ip, column);
        assert_eq!(
            (found("192.0.2.7", "city"), found("192.0.2.7", "country")),
            (Some("杭州市"), Some("中国"))
        );
        assert_eq!((found("192.0.2.8", "city"), found("192.0.2.8", "geo")), (None, Some("30.3,120.2")));
        assert_eq!(found("2001:db8::1", "country"), Some("US"));
        assert_eq!((found("192.0.3.1", "country"), found("nonsense", "country")), (None, None));
        assert_eq!(found("192.0.2.8", "provider"), None);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let error = |text| IpPlaces::parse(text).unwrap_err().to_string();
        assert!(error("ip,country\n").starts_with("the first line must name the columns: cidr"));
        assert!(error("cidr,weather\n").contains("country_code"));
        assert_eq!(error("cidr\n\nx,1"), "line 3: x is no block of addresses like 192.0.2.0/24");
        assert!(error("cidr\n192.0.2.0/33").starts_with("line 2"));
    }
}
