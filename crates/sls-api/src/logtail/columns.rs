//! Names of the columns of a delimited line that its config does not name.

/// The column that a name of the form `__column<N>__` stands for, counted from 0. A collector writes N in the
/// usual way, without a sign or zeros in front. Source: LoongCollector's delimiter parser.
#[must_use]
pub fn extra_column(key: &str) -> Option<usize> {
    let digits = key.strip_prefix("__column")?.strip_suffix("__")?;
    let column: usize = digits.parse().ok()?;
    (digits == column.to_string()).then_some(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_collector_would_write_is_a_column() {
        assert_eq!(extra_column("__column0__"), Some(0));
        assert_eq!(extra_column("__column12__"), Some(12));
        for key in
            ["__column__", "__column+3__", "__column03__", "__column-1__", "__column3", "column3__", "3"]
        {
            assert_eq!(extra_column(key), None, "{key}");
        }
    }
}
