//! Sagas end to end: real HTTP peers, judged by their ledgers.

mod cancel;
mod chaos;
mod concurrency;
mod crash;
mod faults;
mod leases;
mod progress;
mod refusals;
mod staff_decisions;
mod tracking;
