//! What the fuzz targets share or would be too long with.

pub mod print;
pub mod stored;
pub mod wire;
