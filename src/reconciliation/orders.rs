//! The first pass: each order of the period, by what Payment and Shipping have of it.

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::db;
use crate::db::run;
use crate::db::sagas::{self, OrderSnapshot};
use crate::domain::ids::OrderId;
use crate::peers::{PaymentRecord, ShipmentRecord};

use super::finding::Finding;
use super::judge::{Rested, Skipped};
use super::patience::Patience;
use super::run::{Run, Sink};

/// How many orders are read at once.
const BATCH: i64 = 200;

type Compare = Result<Vec<Finding>, db::Error>;

impl Run {
    /// Compares every order of the period, a bounded number at a time.
    pub async fn compare_orders(self: &Arc<Self>, sink: Sink<'_>) -> Result<(), db::Error> {
        // Numbers begin at 1.
        let mut after = (self.window.since, OrderId(0));
        let mut tasks = JoinSet::new();
        loop {
            let batch = self.batch(after).await?;
            let Some(last) = batch.last() else { break };
            after = (last.created_at, last.order_id);
            for order in batch {
                if let Err(why) = Rested::of(&order, self.window) {
                    self.summary().skip(why);
                    continue;
                }
                if tasks.len() >= self.reconciliation.settings.at_a_time
                    && let Some(done) = tasks.join_next().await
                {
                    self.tell_all(done, sink)?;
                }
                let this = self.clone();
                tasks.spawn(async move { this.compare(order).await });
            }
        }
        while let Some(done) = tasks.join_next().await {
            self.tell_all(done, sink)?;
        }
        Ok(())
    }

    fn tell_all(&self, done: Result<Compare, JoinError>, sink: Sink<'_>) -> Result<(), db::Error> {
        match done {
            Ok(findings) => findings?
                .iter()
                .for_each(|finding| self.tell(finding, sink)),
            Err(error) => tracing::error!(%error, "an order was not compared"),
        }
        Ok(())
    }

    async fn batch(
        &self,
        after: (time::OffsetDateTime, OrderId),
    ) -> Result<Vec<OrderSnapshot>, db::Error> {
        run!(self.reconciliation.db, |conn| {
            sagas::order_snapshots_after(conn, after, self.window.until, BATCH)
        })
        .await
    }

    async fn compare(&self, order: OrderSnapshot) -> Compare {
        let findings = self.look_at(&order).await;
        if findings.is_empty() {
            self.summary().compared += 1;
            return Ok(findings);
        }
        // It may have moved on while the peers were asked, which would explain it.
        if self.again(order.order_id).await?.as_ref() != Some(&order) {
            self.summary().skip(Skipped::UnderWay);
            return Ok(Vec::new());
        }
        self.summary().compared += 1;
        if self.repair {
            self.mend(order, findings).await
        } else {
            Ok(findings)
        }
    }

    /// What does not agree between an order at rest and what its peers have of it.
    pub async fn look_at(&self, order: &OrderSnapshot) -> Vec<Finding> {
        let Ok(rested) = Rested::of(order, self.window) else {
            return Vec::new();
        };
        let (charges, shipments) = tokio::join!(
            self.charges(&rested, order.order_id),
            self.shipments(&rested, order.order_id)
        );
        let mut findings = Vec::new();
        findings.extend(charges.iter().flat_map(|charges| rested.charges(charges)));
        findings.extend(
            shipments
                .iter()
                .flat_map(|shipments| rested.shipments(shipments)),
        );
        findings
    }

    /// The order as it is now.
    pub async fn again(&self, order_id: OrderId) -> Result<Option<OrderSnapshot>, db::Error> {
        Ok(self.orders_of(&[order_id]).await?.pop())
    }

    /// The orders of these numbers.
    pub async fn orders_of(&self, order_ids: &[OrderId]) -> Result<Vec<OrderSnapshot>, db::Error> {
        run!(self.reconciliation.db, |conn| sagas::order_snapshots(
            conn, order_ids
        ))
        .await
    }

    async fn charges(&self, rested: &Rested<'_>, order_id: OrderId) -> Option<Vec<PaymentRecord>> {
        let key = rested.keys().key("find_payment");
        let mut patience = Patience::default();
        while !self.is_away("payment") {
            let payment = &self.reconciliation.peers.payment;
            let tag = patience.tag(rested.keys().call_context(&key));
            let answer = payment.find(tag, order_id).await;
            match patience.settle(answer).await {
                Some(Ok(records)) => return Some(records),
                Some(Err(why)) => self.note_away("payment", why),
                None => {}
            }
        }
        None
    }

    async fn shipments(
        &self,
        rested: &Rested<'_>,
        order_id: OrderId,
    ) -> Option<Vec<ShipmentRecord>> {
        let key = rested.keys().key("find_shipment");
        let mut patience = Patience::default();
        while !self.is_away("shipping") {
            let shipping = &self.reconciliation.peers.shipping;
            let tag = patience.tag(rested.keys().call_context(&key));
            let answer = shipping.find(tag, order_id).await;
            match patience.settle(answer).await {
                Some(Ok(records)) => return Some(records),
                Some(Err(why)) => self.note_away("shipping", why),
                None => {}
            }
        }
        None
    }
}
