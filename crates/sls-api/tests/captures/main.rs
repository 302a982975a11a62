//! The captured requests of real SDKs, against everything in this crate that reads requests.

mod captured;
mod garbage;
mod replay;
mod signature_vectors;
