//! Drives one order: an attempt, a decision, a write, until it rests, waits, or is somebody else's.

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use crate::db::fulfilments::{self, Claim, Fulfilment, Mark, Next, Written};
use crate::db::{self, run};
use crate::domain::event::Fact;
use crate::domain::plan::{Doubt, Outcome, Plan, Step};
use crate::failpoints;
use crate::telemetry;

use super::attempt::Attempt;
use super::backoff::delay;
use super::decide::{Decision, on_attempt, on_cancel};
use super::follow_shipment::ends_here;
use super::schedule::{attempts, is_lazy, next};
use super::{Fulfilments, Settings};

/// How many times a write is tried again while the database is away, before the lease decides.
const WRITE_ATTEMPTS: i32 = 6;

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

/// A fulfilment in the hands of this process.
struct Held {
    fulfilment: Fulfilment,
    /// When its lease began, or somewhat earlier.
    leased_at: Instant,
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
        let held = Held {
            fulfilment,
            leased_at,
        };
        self.drive_on(held, stop).instrument(span).await;
    }

    async fn drive_on(&self, mut held: Held, stop: &CancellationToken) {
        loop {
            if stop.is_cancelled() {
                self.give_back(&held.fulfilment).await;
                return;
            }
            match self.turn(&mut held).await {
                Ok(Turn::Again) => {}
                Ok(Turn::Ended) => {
                    if held.fulfilment.plan.is_at_rest() {
                        self.signals.settled(held.fulfilment.order.order_id);
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
        let now = &held.fulfilment;
        if on_cancel(now).is_some() {
            return self.write(held, None).await;
        }
        let followed_to_its_end =
            now.plan == Plan::Completed && ends_here(now.order.state.shipping_status);
        let attempt = if followed_to_its_end {
            Attempt::done([])
        } else {
            // Each call has its own deadline; all of a turn's together have to fit into the lease.
            let deadline = held.leased_at + self.settings.lease.mul_f64(SHARE_FOR_CALLS);
            timeout_at(deadline, self.attempt(now))
                .await
                .unwrap_or_else(|_| Attempt::unclear_because("the lease was nearly over"))
        };
        self.count(now.plan, &attempt);
        self.write(held, Some(&attempt)).await
    }

    /// Renews the lease once a good part of it has gone, so that no peer is called by somebody who
    /// has been superseded without knowing.
    async fn keep_lease(&self, held: &mut Held) -> Result<bool, db::Error> {
        if held.leased_at.elapsed() < self.settings.lease / 3 {
            return Ok(true);
        }
        let renewed_at = Instant::now();
        let claim = held.fulfilment.claim;
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

    /// Decides what an attempt, or a wish to cancel (`None`), leads to, and writes it. What has
    /// changed in the meantime is read, and decided upon, again.
    async fn write(&self, held: &mut Held, attempt: Option<&Attempt>) -> Result<Turn, db::Error> {
        let mut failures = 0;
        loop {
            let Some(decision) = decide(&held.fulfilment, attempt) else {
                return Ok(Turn::Again);
            };
            let next = next(&self.settings, &held.fulfilment, &decision, attempt);
            match self
                .record(&held.fulfilment, &decision, attempt, next)
                .await
            {
                Ok(Written::Yes(version)) => {
                    return Ok(self.written(held, decision, attempt, next, version));
                }
                Ok(Written::Superseded) => return Ok(Turn::Lost),
                Ok(Written::Changed) => {}
                Err(error) if error.passes() => {
                    failures += 1;
                    if failures > WRITE_ATTEMPTS {
                        return Err(error);
                    }
                    let Settings {
                        retry_base,
                        retry_cap,
                        ..
                    } = *self.settings;
                    tokio::time::sleep(delay(retry_base, retry_cap, failures, None)).await;
                }
                Err(error) => return Err(error),
            }
            // An unknown commit is resolved by reading, never by guessing.
            let fresh = match self.load(held.fulfilment.claim).await {
                Ok(Some(fresh)) => fresh,
                Ok(None) => return Ok(Turn::Lost),
                Err(error) if error.passes() => continue,
                Err(error) => return Err(error),
            };
            let before = &held.fulfilment;
            let same_turn = fresh.plan == before.plan && fresh.attempts == before.attempts;
            held.fulfilment = fresh;
            if !same_turn {
                held.fulfilment.plan = held.fulfilment.plan.taken_over();
                return Ok(Turn::Again);
            }
        }
    }

    async fn record(
        &self,
        fulfilment: &Fulfilment,
        decision: &Decision,
        attempt: Option<&Attempt>,
        next: Next,
    ) -> Result<Written, db::Error> {
        let mark = Mark {
            plan: decision.plan,
            lapsed: lapsed(fulfilment, attempt),
            attempts: attempts(fulfilment, decision, attempt),
            next,
            payment_id: attempt.and_then(|attempt| attempt.payment_id.as_deref()),
            shipment_id: attempt.and_then(|attempt| attempt.shipment_id.as_deref()),
            last_answer: decision
                .stuck_because()
                .or(attempt.and_then(|attempt| attempt.reason.as_deref())),
            cancel_decided: decision.cancel_decided,
            state: &decision.state,
            facts: &decision.facts,
            lazy: is_lazy(decision, attempt),
        };
        let (step, direction) = match attempt {
            Some(_) => named(fulfilment.plan),
            None => ("cancel", "decide"),
        };
        failpoints::pass(&["fulfilment", direction, step, "before_write"]);
        let written = run!(self.db, |conn| fulfilments::record(conn, fulfilment, &mark)).await?;
        failpoints::pass(&["fulfilment", direction, step, "after_write"]);
        Ok(written)
    }

    /// Takes over into memory what now stands in the database.
    fn written(
        &self,
        held: &mut Held,
        decision: Decision,
        attempt: Option<&Attempt>,
        next: Next,
        version: i32,
    ) -> Turn {
        for fact in &decision.facts {
            self.count_fact(fact);
        }
        if !decision.facts.is_empty() {
            self.signals.changed(held.fulfilment.order.order_id);
        }
        let fulfilment = &mut held.fulfilment;
        fulfilment.lapsed = lapsed(fulfilment, attempt);
        fulfilment.attempts = attempts(fulfilment, &decision, attempt);
        fulfilment.plan = decision.plan;
        fulfilment.order.state = decision.state;
        fulfilment.order.version = version;
        if let Some(payment_id) = attempt.and_then(|attempt| attempt.payment_id.as_ref()) {
            fulfilment.payment_id = Some(payment_id.clone());
        }
        if let Some(shipment_id) = attempt.and_then(|attempt| attempt.shipment_id.as_ref()) {
            fulfilment.shipment_id = Some(shipment_id.clone());
        }
        if decision.cancel_decided {
            fulfilment.cancel = None;
        }
        match next {
            Next::Now => Turn::Again,
            Next::After(_) | Next::Never => Turn::Ended,
        }
    }

    pub(super) async fn load(&self, claim: Claim) -> Result<Option<Fulfilment>, db::Error> {
        run!(self.db, |conn| fulfilments::load(conn, claim)).await
    }

    async fn give_back(&self, fulfilment: &Fulfilment) {
        let doubtful = matches!(
            fulfilment.plan,
            Plan::Doing {
                doubt: Doubt::Rest,
                ..
            }
        );
        let claim = fulfilment.claim;
        failpoints::pass(&["fulfilment", "give_back", "before_write"]);
        let given = run!(self.db, |conn| fulfilments::give_back(
            conn, claim, doubtful
        ))
        .await;
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
        let (step, direction) = named(plan);
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

    fn count_fact(&self, fact: &Fact) {
        match fact {
            Fact::PaymentDeclined { .. } => self.metrics.payments_failed.inc(),
            Fact::StockRefused { .. } => self.metrics.stockouts.inc(),
            Fact::PersonNeeded { step, reason } => {
                tracing::error!(%step, reason, "the order is stuck until a person decides");
            }
            Fact::CallingOff { reason } => {
                self.metrics
                    .orders_cancelled
                    .with_label_values(&[reason.as_str()])
                    .inc();
            }
            _ => {}
        }
    }
}

/// What is done in a turn, and in which direction, as metrics name it.
fn named(plan: Plan) -> (&'static str, &'static str) {
    match plan {
        Plan::Doing { step, .. } => (step.as_str(), "do"),
        Plan::Undoing(step) => (step.as_str(), "undo"),
        Plan::Recalling { .. } => (Step::CreateShipment.as_str(), "undo"),
        Plan::Undone => ("sweep", "undo"),
        Plan::Completed | Plan::Stuck { .. } => ("follow_shipment", "do"),
    }
}

/// How many reservations have lapsed after this attempt.
fn lapsed(fulfilment: &Fulfilment, attempt: Option<&Attempt>) -> i16 {
    let one_more = attempt.is_some_and(|attempt| attempt.outcome == Outcome::Lapsed);
    fulfilment.lapsed.saturating_add(one_more.into())
}

fn decide(fulfilment: &Fulfilment, attempt: Option<&Attempt>) -> Option<Decision> {
    match attempt {
        Some(attempt) => Some(on_attempt(fulfilment, attempt)),
        None => on_cancel(fulfilment),
    }
}
