//! The first phase: compares each order of the period with its records at Payment and Shipping.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::db;
use crate::db::run;
use crate::db::sagas::{self, OrderSnapshot};
use crate::domain::ids::OrderId;
use crate::peers::{PaymentRecord, ShipmentRecord};

use super::compare::{SettledOrder, SkipReason};
use super::finding::Finding;
use super::lookup_retry::LookupRetry;
use super::run::{FindingSink, ReconciliationRun};

/// Orders per query.
const BATCH_SIZE: i64 = 200;

type ComparisonResult = Result<Vec<Finding>, db::Error>;

impl ReconciliationRun {
    /// Compares every order of the period with bounded concurrency, in batches by keyset pagination.
    pub async fn compare_orders(self: &Arc<Self>, sink: FindingSink<'_>) -> Result<(), db::Error> {
        // Order ids start at 1.
        let mut after = (self.period.since, OrderId(0));
        let mut tasks = JoinSet::new();
        loop {
            let batch = self.batch(after).await?;
            let Some(last) = batch.last() else { break };
            after = (last.created_at, last.order_id);
            for order in batch {
                if let Err(reason) = SettledOrder::of(&order, self.period) {
                    self.summary().skip(reason);
                    continue;
                }
                if tasks.len() >= self.reconciliation.settings.concurrency
                    && let Some(done) = tasks.join_next().await
                {
                    self.report_all(done, sink)?;
                }
                let this = self.clone();
                tasks.spawn(async move { this.compare(order).await });
            }
        }
        while let Some(done) = tasks.join_next().await {
            self.report_all(done, sink)?;
        }
        Ok(())
    }

    fn report_all(
        &self,
        done: Result<ComparisonResult, JoinError>,
        sink: FindingSink<'_>,
    ) -> Result<(), db::Error> {
        match done {
            Ok(findings) => findings?
                .iter()
                .for_each(|finding| self.report(finding, sink)),
            Err(error) => tracing::error!(%error, "the comparison of an order failed"),
        }
        Ok(())
    }

    async fn batch(
        &self,
        after: (time::OffsetDateTime, OrderId),
    ) -> Result<Vec<OrderSnapshot>, db::Error> {
        run!(self.reconciliation.db, |conn| {
            sagas::order_snapshots_after(conn, after, self.period.until, BATCH_SIZE)
        })
        .await
    }

    async fn compare(&self, order: OrderSnapshot) -> ComparisonResult {
        let findings = self.compare_with_peers(&order).await;
        if findings.is_empty() {
            self.summary().compared += 1;
            return Ok(findings);
        }
        // A change of the order during the lookups would explain the discrepancy.
        if self.reload(order.order_id).await?.as_ref() != Some(&order) {
            self.summary().skip(SkipReason::UnderWay);
            return Ok(Vec::new());
        }
        self.summary().compared += 1;
        if self.repair {
            self.repair_order(order, findings).await
        } else {
            Ok(findings)
        }
    }

    /// Compares an order with its charges and shipments at the peers.
    pub async fn compare_with_peers(&self, order: &OrderSnapshot) -> Vec<Finding> {
        let Ok(settled) = SettledOrder::of(order, self.period) else {
            return Vec::new();
        };
        let (charges, shipments) = tokio::join!(
            self.charges(&settled, order.order_id),
            self.shipments(&settled, order.order_id)
        );
        let mut findings = Vec::new();
        findings.extend(
            charges
                .iter()
                .flat_map(|charges| settled.charge_findings(charges)),
        );
        findings.extend(
            shipments
                .iter()
                .flat_map(|shipments| settled.shipment_findings(shipments)),
        );
        findings
    }

    /// The current snapshot of an order.
    pub async fn reload(&self, order_id: OrderId) -> Result<Option<OrderSnapshot>, db::Error> {
        Ok(self.snapshots(&[order_id]).await?.pop())
    }

    /// The current snapshots of these orders, as far as they exist.
    pub async fn snapshots(&self, order_ids: &[OrderId]) -> Result<Vec<OrderSnapshot>, db::Error> {
        run!(self.reconciliation.db, |conn| sagas::order_snapshots(
            conn, order_ids
        ))
        .await
    }

    async fn charges(
        &self,
        order: &SettledOrder<'_>,
        order_id: OrderId,
    ) -> Option<Vec<PaymentRecord>> {
        let key = order.keys().key("find_payment");
        let mut retry = LookupRetry::default();
        while !self.is_unavailable("payment") {
            let payment = &self.reconciliation.peers.payment;
            let context = retry.context(order.keys().call_context(&key));
            let outcome = payment.find(context, order_id).await;
            match retry.settle(outcome).await {
                Some(Ok(records)) => return Some(records),
                Some(Err(error)) => self.mark_unavailable("payment", error),
                None => {}
            }
        }
        None
    }

    async fn shipments(
        &self,
        order: &SettledOrder<'_>,
        order_id: OrderId,
    ) -> Option<Vec<ShipmentRecord>> {
        let key = order.keys().key("find_shipment");
        let mut retry = LookupRetry::default();
        while !self.is_unavailable("shipping") {
            let shipping = &self.reconciliation.peers.shipping;
            let context = retry.context(order.keys().call_context(&key));
            let outcome = shipping.find(context, order_id).await;
            match retry.settle(outcome).await {
                Some(Ok(records)) => return Some(records),
                Some(Err(error)) => self.mark_unavailable("shipping", error),
                None => {}
            }
        }
        None
    }
}
