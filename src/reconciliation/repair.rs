//! Mending: each order is claimed as fulfilment claims it, only while it is as it was compared, and
//! only for what is provably ours. What cannot be mended so is left to a person.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db;
use crate::db::run;
use crate::db::sagas::{self, OrderSnapshot};
use crate::domain::event::OrderEvent;
use crate::domain::saga::{Claim, Phase};
use crate::domain::step::Step;
use crate::saga::Surplus;

use super::finding::{Finding, Kind, Outcome, Remedy};
use super::run::Run;

/// What is done about an order.
enum Work {
    /// Its findings go before a person.
    HandOver(Step),
    /// It is swept once more.
    Sweep,
    /// Its surplus is taken back.
    TakeBack(Surplus),
    /// Nothing may be.
    Leave,
}

impl Run {
    /// Mends what was found of an order, and looks at it again.
    pub async fn mend(
        &self,
        order: OrderSnapshot,
        mut findings: Vec<Finding>,
    ) -> Result<Vec<Finding>, db::Error> {
        let found = OrderEvent::DiscrepancyFound {
            findings: findings
                .iter()
                .map(|finding| finding.kind.as_str())
                .collect(),
            reason: in_words(&findings),
        };
        let problem = match work(&findings) {
            Work::Leave => Some("not provably ours".to_owned()),
            Work::HandOver(step) => {
                let reason = in_words(&findings);
                let done = self.hand_over(&order, found, step, &reason).await?;
                let outcome = if done { Outcome::HandedOver } else { changed() };
                set(&mut findings, |_| outcome.clone());
                return Ok(findings);
            }
            Work::Sweep => match self.claim(&order, found).await? {
                Some(claim) => {
                    let fulfilments = &self.reconciliation.fulfilments;
                    let stop = CancellationToken::new();
                    let cause = tracing::Span::current();
                    fulfilments
                        .execute_claim(claim, Instant::now(), cause, &stop)
                        .await;
                    None
                }
                None => Some(CHANGED.to_owned()),
            },
            Work::TakeBack(surplus) => match self.claim(&order, found).await? {
                Some(claim) => {
                    let fulfilments = &self.reconciliation.fulfilments;
                    fulfilments.take_back(claim, surplus).await?
                }
                None => Some(CHANGED.to_owned()),
            },
        };
        self.judge_again(order, findings, problem).await
    }

    /// What is not found any more is mended.
    async fn judge_again(
        &self,
        order: OrderSnapshot,
        mut findings: Vec<Finding>,
        problem: Option<String>,
    ) -> Result<Vec<Finding>, db::Error> {
        let Some(now) = self.again(order.order_id).await? else {
            return Ok(findings);
        };
        let saga = now.saga.as_ref();
        if saga.is_some_and(|saga| saga.phase == Phase::Stuck) {
            set(&mut findings, |_| Outcome::HandedOver);
            return Ok(findings);
        }
        // As it was compared, but for what has just been written down.
        let still = self.look_at(&order).await;
        // Reservations cannot be looked up: a sweep that has come to its end has released them.
        let is_swept = problem.is_none() && saga.is_some_and(|saga| !saga.has_open_work);
        let is_still = |finding: &Finding| match finding.kind {
            Kind::UnreleasedReservation => !is_swept,
            kind => still
                .iter()
                .any(|one| (one.kind, &one.record_id) == (kind, &finding.record_id)),
        };
        set(&mut findings, |finding| {
            match (is_still(finding), &problem) {
                (false, _) if self.summary().is_complete() => Outcome::Repaired,
                (_, Some(problem)) => Outcome::Left(problem.clone()),
                _ => Outcome::Left("it is still so; fulfilment goes on with it".to_owned()),
            }
        });
        Ok(findings)
    }

    async fn claim(
        &self,
        order: &OrderSnapshot,
        found: OrderEvent,
    ) -> Result<Option<Claim>, db::Error> {
        let lease = self.reconciliation.settings.lease;
        run!(self.reconciliation.db, |conn| sagas::claim_settled(
            conn,
            order,
            found.clone(),
            lease
        ))
        .await
    }

    async fn hand_over(
        &self,
        order: &OrderSnapshot,
        found: OrderEvent,
        step: Step,
        reason: &str,
    ) -> Result<bool, db::Error> {
        let written = run!(self.reconciliation.db, |conn| sagas::leave_to_person(
            conn,
            order,
            found.clone(),
            step,
            reason
        ))
        .await?;
        if written {
            let order_id = order.order_id.0;
            tracing::error!(order_id, %step, reason, "the order is stuck until a person decides");
        }
        Ok(written)
    }
}

const CHANGED: &str = "the order has moved on meanwhile";

fn changed() -> Outcome {
    Outcome::Left(CHANGED.to_owned())
}

/// One thing is done about an order: what needs a person goes first, and nothing is swept while one of
/// its records may be somebody else's.
fn work(findings: &[Finding]) -> Work {
    let person = findings.iter().find_map(|finding| match finding.remedy {
        Remedy::Person(step) => Some(step),
        _ => None,
    });
    if let Some(step) = person {
        return Work::HandOver(step);
    }
    let has = |remedy| findings.iter().any(|finding| finding.remedy == remedy);
    let is_doubtful = findings.iter().any(|finding| {
        finding.remedy == Remedy::None
            && !matches!(finding.kind, Kind::OrphanCharge | Kind::OrphanShipment)
    });
    if has(Remedy::Sweep) && !is_doubtful {
        return Work::Sweep;
    }
    if !has(Remedy::TakeBack) {
        return Work::Leave;
    }
    let ids = |kind| {
        let these = findings
            .iter()
            .filter(move |finding| finding.remedy == Remedy::TakeBack && finding.kind == kind);
        these
            .filter_map(|finding| finding.record_id.clone())
            .collect()
    };
    Work::TakeBack(Surplus {
        payment_ids: ids(Kind::DuplicateCharge),
        shipment_ids: ids(Kind::DuplicateShipment),
    })
}

/// Sets what became of each finding about which something could be done.
fn set(findings: &mut [Finding], outcome: impl Fn(&Finding) -> Outcome) {
    for finding in findings {
        finding.outcome = Some(match finding.remedy {
            Remedy::None => Outcome::Left("not provably ours".to_owned()),
            _ => outcome(finding),
        });
    }
}

fn in_words(findings: &[Finding]) -> String {
    let words = findings.iter().map(|finding| {
        let kind = finding.kind.as_str();
        match &finding.record_id {
            Some(id) => format!("{kind} {id}: {}", finding.detail),
            None => format!("{kind}: {}", finding.detail),
        }
    });
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OrderId;

    fn finding(kind: Kind, remedy: Remedy) -> Finding {
        Finding::new(kind, OrderId(1), Some("7"), "", remedy)
    }

    #[test]
    fn an_order_with_an_unidentified_record_is_left_alone() {
        let ours = finding(Kind::UncancelledShipment, Remedy::Sweep);
        let doubtful = finding(Kind::UnrefundedCharge, Remedy::None);
        let foreign = finding(Kind::OrphanCharge, Remedy::None);
        assert!(matches!(work(&[ours.clone(), foreign]), Work::Sweep));
        assert!(matches!(work(&[ours, doubtful]), Work::Leave));
    }

    #[test]
    fn findings_for_staff_take_precedence() {
        let surplus = finding(Kind::DuplicateShipment, Remedy::TakeBack);
        let missing = finding(Kind::MissingCharge, Remedy::Person(Step::ChargePayment));
        let work = work(&[surplus, missing]);
        assert!(matches!(work, Work::HandOver(Step::ChargePayment)));
    }
}
