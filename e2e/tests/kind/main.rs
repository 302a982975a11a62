//! The kind bed without Docker, kind and kubectl: what it says where something is missing or in the
//! way, and that it removes what it has made. `just e2e-kind-checks` does the same with the real ones.

mod cleanup;
mod fakes;
mod input;
