//! Functions of bytes, IP addresses and places, and what is left. Source: documents "Binary
//! functions", "IP functions", "Geo functions", "Security check functions", "Conditional expressions".

use super::{
    super::overload::{Kind::Scalar, Overload, Takes as T},
    f, gives,
};

#[rustfmt::skip]
pub const FUNCTIONS: &[Overload] = &[
    f(Scalar, "nullif", &[T::Any, T::Comparable], gives::first, "nullif($1, $2)"),
    f(Scalar, "try", &[T::Any], gives::first, "$1"),
    f(Scalar, "typeof", &[T::Any], gives::varchar, "$y1"),

    f(Scalar, "to_utf8", &[T::Varchar], gives::varbinary, "sls_to_utf8($1)"),
    f(Scalar, "from_utf8", &[T::Bytes], gives::varchar, "sls_from_utf8($1)"),
    f(Scalar, "to_hex", &[T::Bytes], gives::varchar, "sls_to_hex($1)"),
    f(Scalar, "from_hex", &[T::Varchar], gives::varbinary, "sls_from_hex($1)"),
    f(Scalar, "to_base64", &[T::Bytes], gives::varchar, "sls_to_base64($1)"),
    f(Scalar, "from_base64", &[T::Varchar], gives::varbinary, "sls_from_base64($1)"),
    f(Scalar, "to_base64url", &[T::Bytes], gives::varchar, "sls_to_base64url($1)"),
    f(Scalar, "from_base64url", &[T::Varchar], gives::varbinary, "sls_from_base64url($1)"),
    f(Scalar, "md5", &[T::Bytes], gives::varbinary, "sls_md5($1)"),
    f(Scalar, "sha1", &[T::Bytes], gives::varbinary, "sls_sha1($1)"),
    f(Scalar, "sha256", &[T::Bytes], gives::varbinary, "sls_sha256($1)"),
    f(Scalar, "sha512", &[T::Bytes], gives::varbinary, "sls_sha512($1)"),
    f(Scalar, "crc32", &[T::Bytes], gives::bigint, "sls_crc32($1)"),
    f(Scalar, "hmac_md5", &[T::Bytes, T::Bytes], gives::varbinary, "sls_hmac_md5($1, $2)"),
    f(Scalar, "hmac_sha1", &[T::Bytes, T::Bytes], gives::varbinary, "sls_hmac_sha1($1, $2)"),
    f(Scalar, "hmac_sha256", &[T::Bytes, T::Bytes], gives::varbinary, "sls_hmac_sha256($1, $2)"),
    f(Scalar, "hmac_sha512", &[T::Bytes, T::Bytes], gives::varbinary, "sls_hmac_sha512($1, $2)"),

    f(Scalar, "ip_to_domain", &[T::Varchar], gives::varchar, "sls_ip_domain($1)"),
    f(Scalar, "ip_to_country", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'country')"),
    f(Scalar, "ip_to_country", &[T::Varchar, T::Varchar], gives::varchar, "sls_ip_place($1, iif($2 = 'en', 'country_code', 'country'))"),
    f(Scalar, "ip_to_country_code", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'country_code')"),
    f(Scalar, "ip_to_province", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'province')"),
    f(Scalar, "ip_to_province", &[T::Varchar, T::Varchar], gives::varchar, "sls_ip_place($1, iif($2 = 'en', 'province_code', 'province'))"),
    f(Scalar, "ip_to_city", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'city')"),
    f(Scalar, "ip_to_city", &[T::Varchar, T::Varchar], gives::varchar, "sls_ip_place($1, iif($2 = 'en', 'city_code', 'city'))"),
    f(Scalar, "ip_to_geo", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'geo')"),
    f(Scalar, "ip_to_city_geo", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'city_geo')"),
    f(Scalar, "ip_to_province_geo", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'geo')"),
    f(Scalar, "ip_to_country_geo", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'geo')"),
    f(Scalar, "ip_to_provider", &[T::Varchar], gives::varchar, "sls_ip_place($1, 'provider')"),
    f(Scalar, "ip_prefix", &[T::Varchar, T::Bigint], gives::varchar, "sls_ip_prefix($1, $2)"),
    f(Scalar, "ip_subnet_min", &[T::Varchar], gives::varchar, "sls_ip_subnet_min($1)"),
    f(Scalar, "ip_subnet_max", &[T::Varchar], gives::varchar, "sls_ip_subnet_max($1)"),
    f(Scalar, "ip_subnet_range", &[T::Varchar], gives::varchars, "sls_ip_subnet_range($1)"),
    f(Scalar, "is_subnet_of", &[T::Varchar, T::Varchar], gives::boolean, "sls_is_subnet_of($1, $2)"),
    f(Scalar, "is_prefix_subnet_of", &[T::Varchar, T::Varchar], gives::boolean, "sls_is_subnet_of($1, $2)"),

    // Numbers of telephones are not known here.
    f(Scalar, "mobile_carrier", &[T::Any], gives::varchar, "iif($1 IS NULL, NULL, '')"),
    f(Scalar, "mobile_city", &[T::Any], gives::varchar, "iif($1 IS NULL, NULL, '')"),
    f(Scalar, "mobile_province", &[T::Any], gives::varchar, "iif($1 IS NULL, NULL, '')"),

    f(Scalar, "geohash", &[T::Varchar], gives::varchar, "sls_geohash($1)"),
    f(Scalar, "geohash", &[T::Double, T::Double], gives::varchar, "sls_geohash_of($1, $2)"),

    // No list of suspicious addresses is known here: none is.
    f(Scalar, "security_check_ip", &[T::Varchar], gives::bigint, "iif($1 IS NULL, NULL, 0)"),
    f(Scalar, "security_check_domain", &[T::Varchar], gives::bigint, "iif($1 IS NULL, NULL, 0)"),
    f(Scalar, "security_check_url", &[T::Varchar], gives::bigint, "iif($1 IS NULL, NULL, 0)"),
];
