//! Functions of places. Source: document "Geo functions".

use super::{PURE, Registrar, scalar, texts::text_arg};

/// Characters of a geohash. Source: the document's example.
const GEOHASH_CHARS: usize = 10;
const GEOHASH_ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    scalar(db, "sls_geohash", 1, PURE, |call| {
        Ok(text_arg(call, 0)?.and_then(|place| {
            let (latitude, longitude) = place.split_once(',')?;
            geohash(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
        }))
    })?;
    scalar(db, "sls_geohash_of", 2, PURE, |call| {
        let (latitude, longitude) = (call.get::<Option<f64>>(0)?, call.get::<Option<f64>>(1)?);
        Ok(latitude.zip(longitude).and_then(|(latitude, longitude)| geohash(latitude, longitude)))
    })
}

/// Halves the earth again and again, by longitude and latitude in turn; five halves a character.
fn geohash(latitude: f64, longitude: f64) -> Option<String> {
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return None;
    }
    let mut spans = [(-180.0, 180.0, longitude), (-90.0, 90.0, latitude)];
    let mut bits = 0usize;
    let mut hash = String::with_capacity(GEOHASH_CHARS);
    for step in 1..=GEOHASH_CHARS * 5 {
        let [(low, high, value), _] = &mut spans;
        let middle = (*low + *high) / 2.0;
        let upper = *value >= middle;
        *(if upper { low } else { high }) = middle;
        bits = bits << 1 | usize::from(upper);
        spans.swap(0, 1);
        if step % 5 == 0 {
            hash.extend(GEOHASH_ALPHABET.get(bits).map(|&byte| char::from(byte)));
            bits = 0;
        }
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_documents_example_is_met() {
        assert_eq!(super::geohash(34.1, 120.6).as_deref(), Some("wwjcbrdnzs"));
    }
}
