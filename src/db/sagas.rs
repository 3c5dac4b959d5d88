//! The table `fulfilments`: the position of each order's saga, and the lease under which a worker
//! executes it.
//!
//! A claim raises the row's epoch (the fencing token). Every later write names its epoch and has no
//! effect on a row with another one. A lease that expires means that its worker died and may have sent
//! the current step. The database's clock decides.

mod claim;
mod commit;
mod load;
mod manual_resolution;
mod queries;
mod reconciliation;

pub use claim::{claim_due, claim_one, make_due_now, release_lease, renew};
pub use commit::{CommitResult, commit, request_cancel};
pub use load::{find_by_identity, load, plan_of};
pub use manual_resolution::{ManualResolution, resolve_stuck};
pub use queries::{OpenCounts, SagaStatus, count_open, due_lag, needing_attention, status_of};
pub use reconciliation::{
    OrderSnapshot, SagaSnapshot, claim_settled, clock, mark_stuck, order_snapshots,
    order_snapshots_after,
};
