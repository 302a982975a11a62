//! Functions of bits. Source: document "Bitwise functions".

use super::{PURE, Registrar, failed, scalar};

pub fn register(db: &Registrar<'_>) -> rusqlite::Result<()> {
    for (name, f) in [
        ("sls_bitwise_and", (|a, b| a & b) as fn(i64, i64) -> i64),
        ("sls_bitwise_or", |a, b| a | b),
        ("sls_bitwise_xor", |a, b| a ^ b),
        ("sls_shift_left", |a, b| u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or_default()),
        ("sls_shift_right", |a, b| {
            u32::try_from(b).ok().and_then(|b| (a as u64).checked_shr(b)).unwrap_or_default() as i64
        }),
        ("sls_arithmetic_shift_right", |a, b| {
            u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).unwrap_or(if a < 0 { -1 } else { 0 })
        }),
    ] {
        scalar(db, name, 2, PURE, move |call| {
            let (a, b) = (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?);
            Ok(a.zip(b).map(|(a, b)| f(a, b)))
        })?;
    }
    scalar(db, "sls_bit_count", 2, PURE, |call| {
        // In two's complement of so many bits.
        let (Some(number), Some(bits)) = (call.get::<Option<i64>>(0)?, call.get::<Option<i64>>(1)?) else {
            return Ok(None);
        };
        let bits = u32::try_from(bits).ok().filter(|bits| (2..=64).contains(bits));
        let bits = bits.ok_or_else(|| failed("Bits specified in bit_count must be between 2 and 64"))?;
        let reach = i128::from(number) >= -(1i128 << (bits - 1)) && i128::from(number) < 1i128 << (bits - 1);
        if !reach {
            return Err(failed(format!(
                "Number must be representable with the bits specified. {number} can not be represented with {bits} bits"
            )));
        }
        let mask = if bits == 64 { u64::MAX } else { (1u64 << bits) - 1 };
        Ok(Some(i64::from((number as u64 & mask).count_ones())))
    })
}
