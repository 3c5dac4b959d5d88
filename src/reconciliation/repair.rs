//! Repairs findings. A repair claims the saga of the order only if the order has not changed since the
//! comparison, and touches only records that provably belong to it. Staff decide about the rest.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::db;
use crate::db::run;
use crate::db::sagas::{self, OrderSnapshot};
use crate::domain::event::OrderEvent;
use crate::domain::saga::{Claim, Phase};
use crate::domain::step::Step;
use crate::saga::SurplusRecords;

use super::finding::{Finding, FindingKind, Remedy, RepairOutcome};
use super::run::ReconciliationRun;

const CHANGED: &str = "the order has moved on meanwhile";
const NOT_OURS: &str = "not provably ours";

/// The one action that repairs an order.
enum RepairAction {
    /// Mark the saga as stuck, so that staff decide.
    AskStaff(Step),
    /// Run the late-arrival check again.
    LateArrivalCheck,
    /// Refund and cancel the surplus.
    RemoveSurplus(SurplusRecords),
    /// Nothing can be done safely.
    Nothing,
}

impl ReconciliationRun {
    /// Repairs the findings of one order and compares it again.
    pub async fn repair_order(
        &self,
        order: OrderSnapshot,
        mut findings: Vec<Finding>,
    ) -> Result<Vec<Finding>, db::Error> {
        let found = OrderEvent::DiscrepancyFound {
            findings: findings
                .iter()
                .map(|finding| finding.kind.as_str())
                .collect(),
            reason: summary(&findings),
        };
        let problem = match action(&findings) {
            RepairAction::Nothing => Some(NOT_OURS.to_owned()),
            RepairAction::AskStaff(step) => {
                let reason = summary(&findings);
                let outcome = match self.ask_staff(&order, found, step, &reason).await? {
                    true => RepairOutcome::HandedOver,
                    false => RepairOutcome::Left(CHANGED.to_owned()),
                };
                set_outcomes(&mut findings, |_| outcome.clone());
                return Ok(findings);
            }
            RepairAction::LateArrivalCheck => match self.claim(&order, found).await? {
                Some(claim) => {
                    let executor = &self.reconciliation.sagas;
                    let stop = CancellationToken::new();
                    let cause = tracing::Span::current();
                    executor
                        .execute_claim(claim, Instant::now(), cause, &stop)
                        .await;
                    None
                }
                None => Some(CHANGED.to_owned()),
            },
            RepairAction::RemoveSurplus(surplus) => match self.claim(&order, found).await? {
                Some(claim) => {
                    let executor = &self.reconciliation.sagas;
                    executor.repair_surplus(claim, surplus).await?
                }
                None => Some(CHANGED.to_owned()),
            },
        };
        self.verify_repair(order, findings, problem).await
    }

    /// Compares the order again: a finding that does not recur is repaired.
    async fn verify_repair(
        &self,
        order: OrderSnapshot,
        mut findings: Vec<Finding>,
        problem: Option<String>,
    ) -> Result<Vec<Finding>, db::Error> {
        let Some(now) = self.reload(order.order_id).await? else {
            return Ok(findings);
        };
        let saga = now.saga.as_ref();
        if saga.is_some_and(|saga| saga.phase == Phase::Stuck) {
            set_outcomes(&mut findings, |_| RepairOutcome::HandedOver);
            return Ok(findings);
        }
        // The snapshot from before the repair, because the repair itself has changed the order.
        let remaining = self.compare_with_peers(&order).await;
        // Reservations cannot be looked up, but a finished late-arrival check has released them.
        let is_checked = problem.is_none() && saga.is_some_and(|saga| !saga.has_open_work);
        let remains = |finding: &Finding| match finding.kind {
            FindingKind::UnreleasedReservation => !is_checked,
            kind => remaining
                .iter()
                .any(|one| (one.kind, &one.record_id) == (kind, &finding.record_id)),
        };
        set_outcomes(&mut findings, |finding| {
            match (remains(finding), &problem) {
                (false, _) if self.summary().is_complete() => RepairOutcome::Repaired,
                (_, Some(problem)) => RepairOutcome::Left(problem.clone()),
                _ => {
                    RepairOutcome::Left("it still exists; fulfilment continues with it".to_owned())
                }
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

    /// Marks the saga as stuck. Returns `false` if the order has changed since the comparison.
    async fn ask_staff(
        &self,
        order: &OrderSnapshot,
        found: OrderEvent,
        step: Step,
        reason: &str,
    ) -> Result<bool, db::Error> {
        let written = run!(self.reconciliation.db, |conn| sagas::mark_stuck(
            conn,
            order,
            found.clone(),
            step,
            reason
        ))
        .await?;
        if written {
            let order_id = order.order_id.0;
            tracing::error!(order_id, %step, reason, "the saga is stuck until staff decide");
        }
        Ok(written)
    }
}

/// Chooses one action for all findings of an order. A staff decision takes precedence. The late-arrival
/// check does not run while a record may belong to another order.
fn action(findings: &[Finding]) -> RepairAction {
    let step = findings.iter().find_map(|finding| match finding.remedy {
        Remedy::StaffDecision(step) => Some(step),
        _ => None,
    });
    if let Some(step) = step {
        return RepairAction::AskStaff(step);
    }
    let has = |remedy| findings.iter().any(|finding| finding.remedy == remedy);
    let is_ambiguous = findings.iter().any(|finding| {
        finding.remedy == Remedy::None
            && !matches!(
                finding.kind,
                FindingKind::OrphanCharge | FindingKind::OrphanShipment
            )
    });
    if has(Remedy::LateArrivalCheck) && !is_ambiguous {
        return RepairAction::LateArrivalCheck;
    }
    if !has(Remedy::RemoveSurplus) {
        return RepairAction::Nothing;
    }
    let ids = |kind| {
        let surplus = findings
            .iter()
            .filter(move |finding| finding.remedy == Remedy::RemoveSurplus && finding.kind == kind);
        surplus
            .filter_map(|finding| finding.record_id.clone())
            .collect()
    };
    RepairAction::RemoveSurplus(SurplusRecords {
        payment_ids: ids(FindingKind::DuplicateCharge),
        shipment_ids: ids(FindingKind::DuplicateShipment),
    })
}

/// Sets the outcome of every finding that can be repaired.
fn set_outcomes(findings: &mut [Finding], outcome: impl Fn(&Finding) -> RepairOutcome) {
    for finding in findings {
        finding.outcome = Some(match finding.remedy {
            Remedy::None => RepairOutcome::Left(NOT_OURS.to_owned()),
            _ => outcome(finding),
        });
    }
}

/// The findings as one line, for the event and for staff.
fn summary(findings: &[Finding]) -> String {
    let parts = findings.iter().map(|finding| {
        let kind = finding.kind.as_str();
        match &finding.record_id {
            Some(id) => format!("{kind} {id}: {}", finding.detail),
            None => format!("{kind}: {}", finding.detail),
        }
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::OrderId;

    fn finding(kind: FindingKind, remedy: Remedy) -> Finding {
        Finding::new(kind, OrderId(1), Some("7"), "", remedy)
    }

    #[test]
    fn an_order_with_an_unidentified_record_is_left_alone() {
        let ours = finding(FindingKind::UncancelledShipment, Remedy::LateArrivalCheck);
        let ambiguous = finding(FindingKind::UnrefundedCharge, Remedy::None);
        let foreign = finding(FindingKind::OrphanCharge, Remedy::None);
        assert!(matches!(
            action(&[ours.clone(), foreign]),
            RepairAction::LateArrivalCheck
        ));
        assert!(matches!(action(&[ours, ambiguous]), RepairAction::Nothing));
    }

    #[test]
    fn findings_for_staff_take_precedence() {
        let surplus = finding(FindingKind::DuplicateShipment, Remedy::RemoveSurplus);
        let missing = finding(
            FindingKind::MissingCharge,
            Remedy::StaffDecision(Step::ChargePayment),
        );
        let action = action(&[surplus, missing]);
        assert!(matches!(
            action,
            RepairAction::AskStaff(Step::ChargePayment)
        ));
    }
}
