//! Functions whose arguments do not fit in a line of the catalog; the translator writes their calls.

/// One of these functions; several names may mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    Coalesce,
    Greatest,
    Least,
    If,
    Concat,
    Now,
    CurrentDate,
    CurrentTime,
    LocalTime,
    LocalTimestamp,
    CurrentTimezone,
    MapConcat,
    Row,
    Zip,
    FromUnixtime,
    MapFromEntries,
    MultimapFromEntries,
}

/// The function of a name (lower case), if it is one of these.
pub fn special(name: &str) -> Option<Special> {
    Some(match name {
        "coalesce" => Special::Coalesce,
        "greatest" => Special::Greatest,
        "least" => Special::Least,
        "if" => Special::If,
        "concat" => Special::Concat,
        "now" | "current_timestamp" => Special::Now,
        "current_date" => Special::CurrentDate,
        "current_time" => Special::CurrentTime,
        "localtime" => Special::LocalTime,
        "localtimestamp" => Special::LocalTimestamp,
        "current_timezone" => Special::CurrentTimezone,
        "map_concat" => Special::MapConcat,
        "row" => Special::Row,
        "zip" => Special::Zip,
        "from_unixtime" => Special::FromUnixtime,
        "map_from_entries" => Special::MapFromEntries,
        "multimap_from_entries" => Special::MultimapFromEntries,
        _ => return None,
    })
}
