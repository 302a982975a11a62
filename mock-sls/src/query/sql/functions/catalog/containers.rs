//! Functions of arrays and maps. Those with lambdas are not here, see
//! [`lambda`](crate::query::sql::translate).
//! Source: documents "Array functions and operators", "Map functions and operators".

use super::{
    super::overload::{Kind::Scalar, Overload, Takes as T},
    Type, f, gives,
};

fn map_of_arrays(types: &[Type]) -> Type {
    Type::map(gives::element(types), gives::element(types.get(1..).unwrap_or_default()))
}

fn entries(types: &[Type]) -> Type {
    Type::Row(vec![(None, gives::key(types)), (None, gives::value(types))]).array()
}

/// Arrays in an array, and arrays of arrays turned inside out, keep their type but for a level.
fn inner(types: &[Type]) -> Type {
    match gives::element(types) {
        inner @ Type::Array(_) => inner,
        _ => gives::first(types),
    }
}

#[rustfmt::skip]
pub const FUNCTIONS: &[Overload] = &[
    f(Scalar, "cardinality", &[T::Array], gives::bigint, "sls_cardinality($1)"),
    f(Scalar, "cardinality", &[T::Map], gives::bigint, "sls_cardinality($1)"),
    f(Scalar, "element_at", &[T::Array, T::Bigint], gives::element, "sls_element_or_null($1, $2, $i1)"),
    f(Scalar, "element_at", &[T::Map, T::Key], gives::value, "sls_map_get_or_null($1, $2, $k1, $i1)"),
    f(Scalar, "contains", &[T::Array, T::Element], gives::boolean, "sls_array_contains($1, $2, $i1)"),
    f(Scalar, "array_distinct", &[T::Array], gives::first, "sls_array_distinct($1)"),
    f(Scalar, "array_sort", &[T::Array], gives::first, "sls_array_sort($1)"),
    f(Scalar, "array_sort_desc", &[T::Array], gives::first, "sls_array_sort_desc($1)"),
    f(Scalar, "array_max", &[T::Array], gives::element, "sls_array_max($1, $i1)"),
    f(Scalar, "array_min", &[T::Array], gives::element, "sls_array_min($1, $i1)"),
    f(Scalar, "array_sum", &[T::Array], gives::element, "sls_array_sum($1, $i1)"),
    f(Scalar, "array_average", &[T::Array], gives::double, "sls_array_average($1)"),
    f(Scalar, "array_join", &[T::Array, T::Varchar], gives::varchar, "sls_array_join($1, $2, NULL)"),
    f(Scalar, "array_join", &[T::Array, T::Varchar, T::Varchar], gives::varchar, "sls_array_join($1, $2, $3)"),
    f(Scalar, "array_position", &[T::Array, T::Element], gives::bigint, "sls_array_position($1, $2, $i1)"),
    f(Scalar, "array_remove", &[T::Array, T::Element], gives::first, "sls_array_remove($1, $2, $i1)"),
    f(Scalar, "array_union", &[T::Array, T::Same], gives::first, "sls_array_union($1, $2)"),
    f(Scalar, "array_intersect", &[T::Array, T::Same], gives::first, "sls_array_intersect($1, $2)"),
    f(Scalar, "array_except", &[T::Array, T::Same], gives::first, "sls_array_except($1, $2)"),
    f(Scalar, "arrays_overlap", &[T::Array, T::Same], gives::boolean, "sls_arrays_overlap($1, $2)"),
    f(Scalar, "array_transpose", &[T::Array], gives::first, "sls_array_transpose($1)"),
    f(Scalar, "flatten", &[T::Array], inner, "sls_flatten($1)"),
    f(Scalar, "shuffle", &[T::Array], gives::first, "sls_array_shuffle($1)"),
    f(Scalar, "slice", &[T::Array, T::Bigint, T::Bigint], gives::first, "sls_slice($1, $2, $3)"),
    f(Scalar, "sequence", &[T::Bigint, T::Bigint], gives::firsts, "sls_sequence($1, $2, NULL)"),
    f(Scalar, "sequence", &[T::Bigint, T::Bigint, T::Bigint], gives::firsts, "sls_sequence($1, $2, $3)"),
    f(Scalar, "repeat", &[T::Any, T::Bigint], gives::firsts, "sls_repeat($1, $2, $e1)"),

    f(Scalar, "map", &[], |_| Type::map(Type::Null, Type::Null), "'{}'"),
    f(Scalar, "map", &[T::Array, T::Array], map_of_arrays, "sls_map($1, $2)"),
    f(Scalar, "map_keys", &[T::Map], |types| gives::key(types).array(), "sls_map_keys($1, $k1)"),
    f(Scalar, "map_values", &[T::Map], |types| gives::value(types).array(), "sls_map_values($1)"),
    f(Scalar, "map_entries", &[T::Map], entries, "sls_map_entries($1, $k1)"),
    f(Scalar, "split_to_map", &[T::Varchar, T::Varchar, T::Varchar], |_| Type::map(Type::Varchar, Type::Varchar), "sls_split_to_map($1, $2, $3, 0)"),
    f(Scalar, "split_to_multimap", &[T::Varchar, T::Varchar, T::Varchar], |_| Type::map(Type::Varchar, Type::Varchar.array()), "sls_split_to_map($1, $2, $3, 1)"),
];
