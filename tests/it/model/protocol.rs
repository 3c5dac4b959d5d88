//! What is checked: the protocol as it is; with one thing done otherwise it has a fault.

use order_service::domain::saga::plan::{Doubt, Plan};

/// Whatever could be done otherwise. The rest of the policy is `domain::saga::plan` itself.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Where a wish to cancel leads, if this is a safe point.
    pub cancelled: fn(Plan) -> Option<Plan>,
    /// What was in doubt and is not found is asked for again, and not taken for refused.
    pub doubts_what_is_not_found: bool,
    /// A repeat has the key of the first attempt.
    pub keeps_keys: bool,
    /// A write names the epoch of the claim.
    pub fences: bool,
    /// A write names the turns before it, and whoever did not hear of one knows by them that it is there.
    pub counts_turns: bool,
    /// Whoever finds that its marks are lost doubts what was done, until that is written.
    pub remembers_doubt: bool,
    /// A claim raises the epoch.
    pub raises_epochs: bool,
    /// A parcel that is one too many is called back.
    pub recalls_surplus: bool,
    /// What is found after an order was called off is undone.
    pub sweeps: bool,
}

/// The one that Order Service follows.
pub const OURS: Protocol = Protocol {
    cancelled: Plan::cancelled,
    doubts_what_is_not_found: true,
    keeps_keys: true,
    fences: true,
    counts_turns: true,
    remembers_doubt: true,
    raises_epochs: true,
    recalls_surplus: true,
    sweeps: true,
};

/// Undoes while a step is open, as if nothing were under way.
pub fn cancelled_at_once(plan: Plan) -> Option<Plan> {
    match plan {
        Plan::Doing { step, .. } => Plan::Doing {
            step,
            doubt: Doubt::None,
        }
        .cancelled(),
        other => other.cancelled(),
    }
}
