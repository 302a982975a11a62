//! What no well-behaved client sends: the right error, in bounded memory and time, and other
//! clients unaffected.

mod bodies;
mod connections;
mod requests;
mod wire;
