//! Drives one order: an attempt, a decision, a write, until it rests, waits, or is somebody else's.

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::db::fulfilments::{self, Claim, Fulfilment};
use crate::db::{self, run};
use crate::domain::plan::{Doubt, Outcome, Plan, Step};
use crate::failpoints;
use crate::telemetry;

use super::Fulfilments;
use super::attempt::Attempt;
use super::decide::on_cancel;
use super::draft::named;
use super::follow_shipment::ends_here;
use super::held::{Held, Why};

/// The part of a lease within which the calls of a turn must have ended; the rest is for writing down
/// what came of them.
const SHARE_FOR_CALLS: f64 = 0.8;

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is more to do now.
    Again,
    /// It rests, or waits for its time.
    Ended,
    /// Somebody else has taken over, or the database is away.
    Lost,
}

impl Fulfilments {
    /// Drives a claimed fulfilment as far as it goes now. At a graceful stop the lease is given back
    /// between two turns. A trace links it with the span that gave cause to it.
    pub async fn drive(
        &self,
        fulfilment: Fulfilment,
        leased_at: Instant,
        cause: Span,
        stop: &CancellationToken,
    ) {
        let identity = fulfilment.identity;
        let span = tracing::info_span!(
            "fulfilment.drive",
            order_id = fulfilment.order.order_id.0,
            trace_id = %identity.simple()
        );
        telemetry::fulfil(&span, identity, fulfilment.is_begun_here(), &cause);
        drop(cause);
        let held = Held::new(fulfilment, leased_at);
        self.drive_on(held, stop).instrument(span).await;
    }

    async fn drive_on(&self, mut held: Held, stop: &CancellationToken) {
        loop {
            if stop.is_cancelled() {
                self.give_back(held).await;
                return;
            }
            match self.turn(&mut held).await {
                Ok(Turn::Again) => {}
                Ok(Turn::Ended) => {
                    if held.now.plan.is_at_rest() {
                        self.notifications.notify_settled(held.now.order.order_id);
                    }
                    return;
                }
                Ok(Turn::Lost) => return,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "fulfilment stopped"
                    );
                    return;
                }
            }
        }
    }

    /// Loads what a claim, made no earlier than `leased_at`, is about, and drives it.
    pub async fn drive_claim(
        &self,
        claim: Claim,
        leased_at: Instant,
        cause: Span,
        stop: &CancellationToken,
    ) {
        failpoints::pass(&["fulfilment", "claim", "after_write"]);
        match self.load(claim).await {
            Ok(Some(fulfilment)) => self.drive(fulfilment, leased_at, cause, stop).await,
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    order_id = claim.order_id.0,
                    "fulfilment not loaded"
                );
            }
        }
    }

    async fn turn(&self, held: &mut Held) -> Result<Turn, db::Error> {
        if !self.keep_lease(held).await? {
            return Ok(Turn::Lost);
        }
        if on_cancel(&held.now).is_some() {
            return self.write(held, Why::Wish).await;
        }
        let attempt = self.attempt_within_lease(held).await;
        self.count(held.now.plan, &attempt);
        held.ended.push(attempt);
        if held.knows_the_row(self.settings.progress_delay) {
            let draft = held.draft(&self.settings);
            if draft.can_wait() {
                held.now = draft.after;
                return Ok(Turn::Again);
            }
        }
        self.write(held, Why::Progress).await
    }

    /// Each call has its own deadline; all of a turn's together have to fit into the lease.
    async fn attempt_within_lease(&self, held: &mut Held) -> Attempt {
        let now = &held.now;
        if now.plan == Plan::Completed && ends_here(now.order.state.shipping_status) {
            return Attempt::done([]);
        }
        let deadline = held.leased_at + self.settings.lease.mul_f64(SHARE_FOR_CALLS);
        let took_long = held.looked_at + self.settings.progress_delay;
        let (attempt, written) = {
            // On the heap: the futures of all steps together are too large for a small stack.
            let mut attempt = Box::pin(timeout_at(deadline, self.attempt(now)));
            let first = tokio::select! {
                biased;
                attempt = &mut attempt => Some(attempt),
                () = sleep_until(took_long), if !held.ended.is_empty() => None,
            };
            match first {
                Some(attempt) => (attempt, None),
                None => tokio::join!(attempt, self.write_meanwhile(held)),
            }
        };
        if let Some(noted) = written {
            held.take(&self.settings, noted);
        }
        attempt.unwrap_or_else(|_| Attempt::unclear_because("the lease was nearly over"))
    }

    /// Renews the lease once a good part of it has gone, so that no peer is called by somebody who
    /// has been superseded without knowing.
    async fn keep_lease(&self, held: &mut Held) -> Result<bool, db::Error> {
        if held.leased_at.elapsed() < self.settings.lease / 3 {
            return Ok(true);
        }
        let renewed_at = Instant::now();
        let claim = held.now.claim;
        let lease = self.settings.lease;
        let renewed = run!(self.db, |conn| fulfilments::renew(conn, claim, lease)).await?;
        failpoints::pass(&["fulfilment", "renew", "after_write"]);
        held.leased_at = renewed_at;
        Ok(renewed)
    }

    async fn attempt(&self, fulfilment: &Fulfilment) -> Attempt {
        match fulfilment.plan {
            Plan::Doing {
                step: Step::ReserveStock,
                ..
            } => self.reserve_stock(fulfilment).await,
            // Known to be done, before a reservation lapsed.
            Plan::Doing {
                step: Step::ChargePayment,
                ..
            } if fulfilment.payment_id.is_some() => Attempt::done([]),
            Plan::Doing {
                step: Step::CreateShipment,
                ..
            } if fulfilment.shipment_id.is_some() => Attempt::done([]),
            Plan::Doing {
                step: Step::ChargePayment,
                ..
            } => self.charge_payment(fulfilment).await,
            Plan::Doing {
                step: Step::CreateShipment,
                doubt,
            } => self.create_shipment(fulfilment, doubt != Doubt::None).await,
            Plan::Doing {
                step: Step::CommitStock,
                doubt,
            } => self.commit_stock(fulfilment, doubt != Doubt::None).await,
            Plan::Undoing(Step::ReserveStock | Step::CommitStock) => {
                self.release_stock(fulfilment).await
            }
            Plan::Undoing(Step::ChargePayment) => self.refund_payment(fulfilment).await,
            Plan::Undoing(Step::CreateShipment) | Plan::Recalling { .. } => {
                self.cancel_shipment(fulfilment).await
            }
            Plan::Completed => self.follow_shipment(fulfilment).await,
            Plan::Undone => self.sweep(fulfilment).await,
            Plan::Stuck { .. } => Attempt::done([]),
        }
    }

    pub(super) async fn load(&self, claim: Claim) -> Result<Option<Fulfilment>, db::Error> {
        run!(self.db, |conn| fulfilments::load(conn, claim)).await
    }

    /// Gives the lease back, once everything is written that was kept in memory; whoever comes next
    /// would else have to doubt all of it, as after a death.
    async fn give_back(&self, mut held: Held) {
        if !held.ended.is_empty() {
            match self.write(&mut held, Why::Progress).await {
                Ok(Turn::Again) => {}
                Ok(Turn::Ended | Turn::Lost) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "progress not written"
                    );
                    return;
                }
            }
        }
        failpoints::pass(&["fulfilment", "give_back", "before_write"]);
        let now = &held.now;
        let given = run!(self.db, |conn| fulfilments::give_back(conn, now)).await;
        failpoints::pass(&["fulfilment", "give_back", "after_write"]);
        if let Err(error) = given {
            // The lease ends by itself.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "lease not given back"
            );
        }
    }

    fn count(&self, plan: Plan, attempt: &Attempt) {
        let (direction, step) = named(plan);
        let outcome = match attempt.outcome {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Lapsed => "lapsed",
            Outcome::Unclear => "unclear",
            Outcome::NotSent => "not_sent",
            Outcome::Wrong => "wrong",
        };
        self.metrics
            .saga_steps
            .with_label_values(&[step, direction, outcome])
            .inc();
    }
}
