//! The plan, walked through its turns.

use super::*;

fn run(mut plan: Plan, outcomes: &[StepOutcome]) -> Plan {
    for &outcome in outcomes {
        plan = plan.after(outcome);
    }
    plan
}

#[test]
fn four_successful_steps_complete_an_order() {
    assert_eq!(run(Plan::START, &[StepOutcome::Done; 4]), Plan::Completed);
}

#[test]
fn a_refused_step_compensates_earlier_steps_in_reverse() {
    let refused = run(
        Plan::START,
        &[StepOutcome::Done, StepOutcome::Done, StepOutcome::Refused],
    );
    assert_eq!(refused, Plan::Undoing(Step::ChargePayment));
    assert_eq!(
        run(refused, &[StepOutcome::Done]),
        Plan::Undoing(Step::ReserveStock)
    );
    assert_eq!(run(refused, &[StepOutcome::Done; 2]), Plan::Undone);
}

#[test]
fn a_refused_reservation_is_released() {
    assert_eq!(
        run(Plan::START, &[StepOutcome::Refused]),
        Plan::Undoing(Step::ReserveStock)
    );
}

#[test]
fn a_new_lease_holder_undoes_every_step_that_may_be_done() {
    let in_doubt = Plan::START.in_doubt();
    assert_eq!(
        in_doubt.after(StepOutcome::Refused),
        Plan::Undoing(Step::CommitStock)
    );
    let further = run(in_doubt, &[StepOutcome::Done]);
    assert_eq!(
        further.after_cancel_request(),
        None,
        "a charge may have been taken"
    );
    assert_eq!(run(in_doubt, &[StepOutcome::Done; 4]), Plan::Completed);
}

#[test]
fn a_parcel_abandoned_by_its_carrier_cancels_the_order() {
    assert_eq!(
        Plan::Completed.after(StepOutcome::Refused),
        Plan::Undoing(Step::ChargePayment)
    );
}

#[test]
fn a_step_refused_after_an_unclear_attempt_is_undone_too() {
    let plan = run(
        Plan::START,
        &[
            StepOutcome::Done,
            StepOutcome::Unclear,
            StepOutcome::Refused,
        ],
    );
    assert_eq!(plan, Plan::Undoing(Step::ChargePayment));
}

#[test]
fn a_step_in_doubt_blocks_compensation() {
    let open = run(Plan::START, &[StepOutcome::Done, StepOutcome::Unclear]);
    assert_eq!(open.after_cancel_request(), None);
    assert_eq!(
        open.after(StepOutcome::Done).after_cancel_request(),
        Some(Plan::Undoing(Step::ChargePayment))
    );
}

#[test]
fn an_unsent_step_can_be_cancelled_unless_it_was_sent_before() {
    let waiting = run(Plan::START, &[StepOutcome::Done, StepOutcome::NotSent]);
    assert_eq!(
        waiting.after_cancel_request(),
        Some(Plan::Undoing(Step::ReserveStock))
    );
    let open = run(
        Plan::START,
        &[
            StepOutcome::Done,
            StepOutcome::Unclear,
            StepOutcome::NotSent,
        ],
    );
    assert_eq!(open.after_cancel_request(), None);
}

#[test]
fn an_undo_without_an_answer_is_retried_forever() {
    let undoing = Plan::Undoing(Step::ChargePayment);
    assert_eq!(run(undoing, &[StepOutcome::Unclear; 1000]), undoing);
}

#[test]
fn a_cancel_before_anything_was_sent_still_releases() {
    assert_eq!(
        Plan::START.after_cancel_request(),
        Some(Plan::Undoing(Step::ReserveStock))
    );
}

#[test]
fn a_parcel_that_cannot_be_recalled_keeps_the_order() {
    let recalling = Plan::Completed.after_cancel_request().unwrap();
    assert_eq!(recalling.after(StepOutcome::Refused), Plan::Completed);
    let early = run(Plan::START, &[StepOutcome::Done; 3])
        .after_cancel_request()
        .unwrap();
    assert_eq!(
        early.after(StepOutcome::Refused),
        Plan::Doing {
            step: Step::CommitStock,
            doubt: Doubt::None
        }
    );
    assert_eq!(
        early.after(StepOutcome::Done),
        Plan::Undoing(Step::ChargePayment)
    );
}

#[test]
fn a_new_lease_holder_puts_every_step_in_doubt() {
    assert_eq!(
        Plan::START.in_doubt(),
        Plan::Doing {
            step: Step::ReserveStock,
            doubt: Doubt::StepAndLater
        }
    );
}

#[test]
fn a_lapsed_reservation_is_renewed_without_compensation() {
    let lapsed = run(
        Plan::START,
        &[
            StepOutcome::Done,
            StepOutcome::Done,
            StepOutcome::Done,
            StepOutcome::Lapsed,
        ],
    );
    assert_eq!(
        lapsed,
        Plan::Doing {
            step: Step::ReserveStock,
            doubt: Doubt::StepAndLater
        }
    );
    assert_eq!(run(lapsed, &[StepOutcome::Done; 4]), Plan::Completed);
    // Nothing is left to be had: all that was done meanwhile is undone.
    assert_eq!(
        lapsed.after(StepOutcome::Refused),
        Plan::Undoing(Step::CommitStock)
    );
}
