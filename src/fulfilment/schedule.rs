//! When a fulfilment is looked at again, and whether what was written may be lost.

use std::time::Duration;

use crate::db::fulfilments::{Fulfilment, Next};
use crate::domain::plan::{Outcome, Plan};

use super::Settings;
use super::attempt::Attempt;
use super::backoff::delay;
use super::decide::Decision;
use super::follow_shipment::ends_here;

/// The longest time between two questions after a parcel.
const LONGEST_FOLLOW: Duration = Duration::from_secs(3600);

fn is_open(attempt: Option<&Attempt>) -> bool {
    attempt.is_some_and(|attempt| matches!(attempt.outcome, Outcome::Unclear | Outcome::NotSent))
}

/// Whether nothing was sent because the peer is left alone for a known time: that says nothing of the
/// order, and must not make it wait any longer than that.
fn is_held_back(attempt: Option<&Attempt>) -> bool {
    attempt
        .is_some_and(|attempt| attempt.outcome == Outcome::NotSent && attempt.retry_after.is_some())
}

/// Attempts at the step that comes next: they count on while nothing moves.
pub(super) fn attempts(
    fulfilment: &Fulfilment,
    decision: &Decision,
    attempt: Option<&Attempt>,
) -> i32 {
    let no_news = fulfilment.plan == Plan::Completed
        && decision.plan == Plan::Completed
        && decision.facts.is_empty();
    if is_held_back(attempt) {
        fulfilment.attempts
    } else if is_open(attempt) || no_news {
        fulfilment.attempts.saturating_add(1)
    } else {
        0
    }
}

pub(super) fn next(
    settings: &Settings,
    fulfilment: &Fulfilment,
    decision: &Decision,
    attempt: Option<&Attempt>,
) -> Next {
    let attempts = attempts(fulfilment, decision, attempt);
    let asked = attempt.and_then(|attempt| attempt.retry_after);
    match decision.plan {
        Plan::Stuck { .. } => Next::Never,
        Plan::Undone if fulfilment.plan != Plan::Undone => Next::After(settings.sweep_after),
        Plan::Undone if !is_open(attempt) => Next::Never,
        // A wish to cancel that came in the meantime is met at once.
        Plan::Completed if fulfilment.cancel.is_some() && !decision.cancel_decided => Next::Now,
        Plan::Completed if ends_here(decision.state.shipping_status) => Next::Never,
        Plan::Completed => {
            let cap = LONGEST_FOLLOW.max(settings.follow_interval);
            // Slowly: a parcel takes days.
            Next::After(delay(settings.follow_interval, cap, attempts / 4, asked))
        }
        _ if is_held_back(attempt) => {
            Next::After(delay(settings.retry_base, settings.retry_cap, 0, asked))
        }
        _ if is_open(attempt) => Next::After(delay(
            settings.retry_base,
            settings.retry_cap,
            attempts - 1,
            asked,
        )),
        _ => Next::Now,
    }
}

/// Steps may be repeated, so their marks may be lost; refusals, decided wishes to cancel, and where
/// the order ends up, may not.
pub(super) fn is_lazy(decision: &Decision, attempt: Option<&Attempt>) -> bool {
    attempt.is_some_and(|attempt| attempt.outcome == Outcome::Done)
        && !decision.plan.is_at_rest()
        && !decision.cancel_decided
}
