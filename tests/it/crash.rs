//! Crash tests: a process dies at a failpoint, with any fault of a peer, and another process
//! continues its work. The peers' ledgers decide about the result.
//!
//! [`matrix`] runs all combinations within this process, under simulated time; [`sigkill`] kills
//! real processes at the failpoints.

mod matrix;
mod process;
mod sigkill;

mod environment;
mod scenario;
