//! Faults and the journal over real sockets: what a client sees of each fault, and what the journal says
//! of it afterwards.

mod answers;
mod bed;
mod cli;
mod connections;
mod http;
mod journal;
mod queries;
