//! Fulfilment from end to end: real HTTP peers, judged by their ledgers.

mod attention;
mod cancel;
mod chaos;
mod crash;
mod faults;
mod follow;
mod leases;
mod mixed;
mod progress;
mod refusals;
