//! A process that dies at any of the failpoints, with any fault of a peer, and the one that comes
//! after it: judged by the peers' ledgers.
//!
//! [`matrix`] walks all of them within this process, where time passes when it is told to; [`sigkill`]
//! walks the failpoints with real processes.

mod matrix;
mod process;
mod sigkill;

mod environment;
mod scenario;
