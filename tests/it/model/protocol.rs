//! The checked protocol, and its variants with one change each, which make it faulty.

use order_service::domain::saga::plan::{Doubt, Plan};

/// The parts of the protocol that a variant can change. The rest of the policy is `domain::saga::plan`
/// itself.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// The effect of a cancel request, at a safe point.
    pub cancelled: fn(Plan) -> Option<Plan>,
    /// A step in doubt whose record is not found is repeated, instead of counted as refused.
    pub doubts_what_is_not_found: bool,
    /// A retry reuses the key of the first attempt.
    pub keeps_keys: bool,
    /// A write is fenced by the epoch of the claim.
    pub fences: bool,
    /// A write names the number of earlier turns; a worker without an acknowledgement detects by it
    /// that its write committed.
    pub counts_turns: bool,
    /// A worker that finds progress lost puts it in doubt, until that is written.
    pub remembers_doubt: bool,
    /// A claim increments the epoch.
    pub raises_epochs: bool,
    /// A surplus parcel is recalled.
    pub recalls_surplus: bool,
    /// Records that arrive after a compensation are undone.
    pub checks_late_arrivals: bool,
}

/// The protocol of Order Service.
pub const OURS: Protocol = Protocol {
    cancelled: Plan::after_cancel_request,
    doubts_what_is_not_found: true,
    keeps_keys: true,
    fences: true,
    counts_turns: true,
    remembers_doubt: true,
    raises_epochs: true,
    recalls_surplus: true,
    checks_late_arrivals: true,
};

/// Compensates during an open step, as if nothing were in flight.
pub fn cancelled_at_once(plan: Plan) -> Option<Plan> {
    match plan {
        Plan::Doing { step, .. } => Plan::Doing {
            step,
            doubt: Doubt::None,
        }
        .after_cancel_request(),
        other => other.after_cancel_request(),
    }
}
