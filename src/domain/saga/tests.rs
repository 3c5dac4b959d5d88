//! The rules of the saga, each against the value it must give.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::domain::event::OrderEvent;
use crate::domain::samples::order;
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus};
use crate::domain::step::Step;

const POLICY: RetryPolicy = RetryPolicy {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(10),
    follow_interval: Duration::from_secs(60),
    sweep_after: Duration::from_secs(30),
};

fn saga() -> Saga {
    Saga::placed(order(), Uuid::from_u128(7))
}

fn at(plan: Plan) -> Saga {
    Saga { plan, ..saga() }
}

fn doing(step: Step, doubt: Doubt) -> Saga {
    at(Plan::Doing { step, doubt })
}

fn charged() -> StepResult {
    let event = OrderEvent::PaymentCharged {
        payment_id: "p1".to_owned(),
        reference: None,
    };
    StepResult {
        payment_id: Some("p1".to_owned()),
        ..StepResult::done([event])
    }
}

fn confirmed() -> Saga {
    let results = [
        StepResult::done([]),
        charged(),
        StepResult::done([]),
        StepResult::done([OrderEvent::OrderConfirmed]),
    ];
    saga().apply_all(&results, &POLICY).saga
}

mod progress {
    use super::*;

    #[test]
    fn a_done_step_runs_on_at_once_and_may_commit_asynchronously() {
        let transition = saga().apply(&StepResult::done([]), &POLICY);
        let step = Step::ChargePayment;
        let doubt = Doubt::None;
        assert_eq!(transition.saga.plan, Plan::Doing { step, doubt });
        assert_eq!(transition.next_run, NextRun::Now);
        assert_eq!(transition.durability, Durability::Asynchronous);
        assert!(transition.is_deferrable());
    }

    #[test]
    fn a_confirmation_commits_synchronously() {
        let saga = doing(Step::CommitStock, Doubt::None);
        let transition = saga.apply(&StepResult::done([OrderEvent::OrderConfirmed]), &POLICY);
        assert_eq!(transition.durability, Durability::Synchronous);
        assert!(!transition.is_deferrable());
        assert_eq!(transition.saga.plan, Plan::Completed);
        let interval =
            Backoff::exponential(POLICY.follow_interval, POLICY.cap.max(LONGEST), 0, None);
        assert_eq!(transition.next_run, NextRun::Retry(interval));
    }

    const LONGEST: Duration = Duration::from_secs(3600);

    #[test]
    fn several_results_are_one_commit_of_all_their_events() {
        let saga = saga();
        let transition = saga.apply_all(
            &[StepResult::done([OrderEvent::StockReleased]), charged()],
            &POLICY,
        );
        assert_eq!(transition.events.len(), 2);
        assert_eq!(transition.saga.turns, saga.turns + 2);
        assert_eq!(transition.saga.payment_id.as_deref(), Some("p1"));
        assert_eq!(
            transition.saga.order.state.payment_status,
            PaymentStatus::Paid
        );
        assert_eq!(transition.operation, ("do", "charge_payment"));
    }

    #[test]
    fn no_results_change_nothing() {
        let transition = saga().apply_all(&[], &POLICY);
        assert_eq!(transition.saga, saga());
        assert_eq!(transition.events, []);
    }

    #[test]
    fn a_commit_is_as_durable_as_its_strictest_result() {
        let refused = StepResult::refused("no".to_owned(), None);
        let transition = saga().apply_all(&[StepResult::done([]), refused], &POLICY);
        assert_eq!(transition.durability, Durability::Synchronous);
    }

    #[test]
    fn a_compensation_is_never_deferred() {
        let undoing = at(Plan::Undoing(Step::CreateShipment));
        let transition = undoing.apply(&StepResult::done([]), &POLICY);
        assert_eq!(transition.durability, Durability::Asynchronous);
        assert!(!transition.is_deferrable());
    }
}

mod retries {
    use super::*;

    fn retry(attempts: i32, retry_after: Option<Duration>) -> NextRun {
        NextRun::Retry(Backoff::exponential(
            POLICY.base,
            POLICY.cap,
            attempts,
            retry_after,
        ))
    }

    #[test]
    fn unclear_answers_back_off_and_keep_the_step_in_doubt() {
        let first = saga().apply(&StepResult::unclear("timeout"), &POLICY);
        assert_eq!(first.next_run, retry(0, None));
        assert_eq!(first.saga.attempts, 1);
        let step = Step::ReserveStock;
        let doubt = Doubt::Step;
        assert_eq!(first.saga.plan, Plan::Doing { step, doubt });
        let second = first.saga.apply(&StepResult::unclear("timeout"), &POLICY);
        assert_eq!(second.next_run, retry(1, None));
        assert_eq!(second.last_answer.as_deref(), Some("timeout"));
    }

    #[test]
    fn progress_resets_the_attempts() {
        let tried = saga().apply(&StepResult::unclear("timeout"), &POLICY).saga;
        let done = tried.apply(&StepResult::done([]), &POLICY);
        assert_eq!(done.saga.attempts, 0);
    }

    #[test]
    fn a_held_back_request_does_not_count_as_an_attempt() {
        let pause = Some(Duration::from_secs(3));
        let held_back = StepResult {
            retry_after: pause,
            ..StepResult::ended(StepOutcome::NotSent)
        };
        let tried = Saga {
            attempts: 4,
            ..saga()
        };
        let transition = tried.apply(&held_back, &POLICY);
        assert_eq!(transition.saga.attempts, 4);
        assert_eq!(transition.next_run, retry(0, pause));
    }

    #[test]
    fn tracking_slows_down_while_the_parcel_rests() {
        let rested = Saga {
            attempts: 7,
            ..confirmed()
        };
        let transition = rested.apply(&StepResult::done([]), &POLICY);
        let longest = Duration::from_secs(3600);
        let interval = Backoff::exponential(POLICY.follow_interval, longest, 2, None);
        assert_eq!(transition.saga.attempts, 8);
        assert_eq!(transition.next_run, NextRun::Retry(interval));
    }

    #[test]
    fn tracking_ends_with_the_delivery() {
        let delivered = OrderEvent::ShippingStatusChanged {
            shipping_status: ShippingStatus::Delivered,
            carrier_status: "DELIVERED".to_owned(),
        };
        let transition = confirmed().apply(&StepResult::done([delivered]), &POLICY);
        assert_eq!(transition.next_run, NextRun::Never);
        assert_eq!(
            transition.saga.order.state.order_status,
            OrderStatus::Delivered
        );
    }

    #[test]
    fn a_cancelled_order_is_checked_once_for_late_arrivals() {
        let undoing = at(Plan::Undoing(Step::ReserveStock));
        let undone = undoing.apply(&StepResult::done([]), &POLICY);
        assert_eq!(undone.saga.plan, Plan::Undone);
        assert_eq!(undone.next_run, NextRun::After(POLICY.sweep_after));
        let checked = undone.saga.apply(&StepResult::done([]), &POLICY);
        assert_eq!(checked.next_run, NextRun::Never);
    }
}

mod refusals {
    use super::*;
    use crate::domain::cancel_reason::CancelReason;

    #[test]
    fn each_step_has_its_own_cancel_reason() {
        for (step, reason) in [
            (Step::ReserveStock, CancelReason::OutOfStock),
            (Step::ChargePayment, CancelReason::PaymentDeclined),
            (Step::CreateShipment, CancelReason::PeerRefused),
            (Step::CommitStock, CancelReason::PeerRefused),
        ] {
            let refused = StepResult::refused("no".to_owned(), None);
            let transition = doing(step, Doubt::None).apply(&refused, &POLICY);
            assert_eq!(
                transition.saga.order.state.cancel_reason,
                Some(reason),
                "{step}"
            );
            assert!(transition.cancel_decided, "{step}");
        }
    }

    #[test]
    fn an_answer_to_something_else_waits_for_a_person() {
        let wrong = StepResult::wrong("charged 1.00 for 10.00".to_owned());
        let transition = doing(Step::ChargePayment, Doubt::None).apply(&wrong, &POLICY);
        let step = Step::ChargePayment;
        let undoing = false;
        assert_eq!(transition.saga.plan, Plan::Stuck { step, undoing });
        assert_eq!(transition.next_run, NextRun::Never);
        assert_eq!(
            transition.last_answer.as_deref(),
            Some("charged 1.00 for 10.00")
        );
    }

    #[test]
    fn a_recalled_parcel_of_a_shipped_order_waits_for_a_person() {
        let shipped = OrderEvent::ShippingStatusChanged {
            shipping_status: ShippingStatus::Shipped,
            carrier_status: "SHIPPED".to_owned(),
        };
        let on_the_road = confirmed()
            .apply(&StepResult::done([shipped]), &POLICY)
            .saga;
        let recalling = Saga {
            plan: Plan::Recalling { committed: true },
            ..on_the_road
        };
        let transition = recalling.apply(&StepResult::done([]), &POLICY);
        assert!(matches!(transition.saga.plan, Plan::Stuck { .. }));
        assert_eq!(
            transition.saga.order.state.order_status,
            OrderStatus::Shipped
        );
    }
}

mod cancel_requests {
    use super::*;
    use crate::domain::cancel_reason::CancelReason;

    fn requested(saga: Saga) -> Saga {
        Saga {
            cancel_request: Some(CancelReason::CustomerRequest),
            ..saga
        }
    }

    #[test]
    fn without_a_request_nothing_is_cancelled() {
        assert_eq!(saga().apply_cancel_request(&POLICY), None);
    }

    #[test]
    fn a_step_in_doubt_gets_its_answer_first() {
        let in_doubt = requested(doing(Step::ChargePayment, Doubt::Step));
        assert_eq!(in_doubt.apply_cancel_request(&POLICY), None);
    }

    #[test]
    fn a_request_between_two_steps_starts_the_compensation() {
        let between = requested(doing(Step::ChargePayment, Doubt::None));
        let transition = between.apply_cancel_request(&POLICY).unwrap();
        assert_eq!(transition.saga.plan, Plan::Undoing(Step::ReserveStock));
        assert_eq!(transition.saga.cancel_request, None);
        assert_eq!(transition.durability, Durability::Synchronous);
        assert_eq!(transition.next_run, NextRun::Now);
    }

    #[test]
    fn a_request_for_a_confirmed_order_recalls_the_parcel_first() {
        let transition = requested(confirmed())
            .apply_cancel_request(&POLICY)
            .unwrap();
        assert_eq!(transition.saga.plan, Plan::Recalling { committed: true });
        assert!(!transition.cancel_decided);
        assert!(transition.saga.cancel_request.is_some());
    }

    #[test]
    fn a_refused_recall_decides_the_request() {
        let recalling = requested(Saga {
            plan: Plan::Recalling { committed: true },
            ..confirmed()
        });
        let refused = StepResult::refused("on its way".to_owned(), None);
        let transition = recalling.apply(&refused, &POLICY);
        assert!(transition.cancel_decided);
        assert_eq!(transition.saga.plan, Plan::Completed);
        let reason = "on its way".to_owned();
        assert!(
            transition
                .events
                .contains(&OrderEvent::CancelRefused { reason })
        );
    }

    #[test]
    fn a_request_that_arrives_during_the_last_step_runs_at_once() {
        let last = requested(doing(Step::CommitStock, Doubt::None));
        let transition = last.apply(&StepResult::done([OrderEvent::OrderConfirmed]), &POLICY);
        assert_eq!(transition.next_run, NextRun::Now);
    }
}

mod acknowledgements {
    use super::*;

    fn with_turns(turns: i32) -> Saga {
        Saga { turns, ..saga() }
    }

    #[test]
    fn the_row_tells_what_became_of_an_unacknowledged_commit() {
        let persisted = with_turns(3);
        for (turns, fate) in [
            (3, Acknowledgement::Pending),
            (5, Acknowledgement::Committed(2)),
            (2, Acknowledgement::Lost),
        ] {
            let row = with_turns(turns);
            assert_eq!(Acknowledgement::of(&persisted, &row), fate, "{turns}");
        }
    }

    #[test]
    fn lost_progress_puts_the_saga_in_doubt() {
        let doubt = Doubt::StepAndLater;
        let step = Step::ReserveStock;
        assert_eq!(saga().in_doubt().plan, Plan::Doing { step, doubt });
    }
}

mod repairs {
    use super::*;

    #[test]
    fn a_repair_leaves_the_order_confirmed_and_tracked() {
        let payment_id = "p2".to_owned();
        let refunded = OrderEvent::SurplusPaymentRefunded { payment_id };
        let transition = confirmed().apply_repair(&[refunded], None, &POLICY);
        assert_eq!(transition.saga.plan, Plan::Completed);
        assert_eq!(transition.saga.order.state, confirmed().order.state);
        assert_eq!(transition.next_run, NextRun::After(POLICY.follow_interval));
        assert_eq!(transition.durability, Durability::Synchronous);
    }
}
