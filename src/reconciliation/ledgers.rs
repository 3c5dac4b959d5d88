//! The second phase: compares the peers' whole ledgers, as far as the peers list them, with our orders. It
//! finds records of unknown orders, and stock that is reserved in vain.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;
use uuid::Uuid;

use crate::db;
use crate::db::sagas::OrderSnapshot;
use crate::domain::ids::OrderId;
use crate::peers::{
    CallOutcome, ListingCursor, ListingPage, PaymentRecord, ReservationRecord, ShipmentRecord,
};
use crate::saga::CallKeys;

use super::compare::SettledOrder;
use super::finding::{Finding, Remedy, RepairOutcome};
use super::lookup_retry::{LookupError, LookupRetry};
use super::ownership::{
    charge_without_order, orphan_charge, orphan_reservation, orphan_shipment,
    shipment_without_order,
};
use super::run::{FindingSink, PeerListing, ReconciliationRun};

/// Stops a peer whose pages form a loop.
const MAX_PAGES: u32 = 1_000_000;

/// The ledger of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerLedger {
    Payment,
    Shipping,
    Inventory,
}

impl PeerLedger {
    const ALL: [Self; 3] = [Self::Payment, Self::Shipping, Self::Inventory];

    fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Shipping => "shipping",
            Self::Inventory => "inventory",
        }
    }
}

/// A record of any ledger.
#[derive(Debug)]
enum LedgerRecord {
    Charge(PaymentRecord),
    Shipment(ShipmentRecord),
    Reservation(ReservationRecord),
}

impl LedgerRecord {
    fn created_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Charge(record) => record.created_at,
            Self::Shipment(record) => record.created_at,
            Self::Reservation(record) => record.created_at,
        }
    }
}

/// Detects when a list that is sorted newest first has passed the start of the period, so that the rest
/// of it can be skipped.
#[derive(Debug)]
struct NewestFirst {
    last: Option<OffsetDateTime>,
    is_sorted: bool,
}

impl NewestFirst {
    fn push(&mut self, created_at: Option<OffsetDateTime>) {
        let is_older = match (created_at, self.last) {
            (None, _) => false,
            (Some(created_at), Some(last)) => created_at <= last,
            (Some(_), None) => true,
        };
        self.is_sorted &= is_older;
        self.last = created_at;
    }

    fn has_passed(&self, since: OffsetDateTime) -> bool {
        self.is_sorted && self.last.is_some_and(|last| last < since)
    }
}

impl ReconciliationRun {
    /// Compares the ledger of each peer.
    pub async fn compare_ledgers(
        &self,
        now: OffsetDateTime,
        sink: FindingSink<'_>,
    ) -> Result<(), db::Error> {
        for ledger in PeerLedger::ALL {
            self.compare_ledger(ledger, now, sink).await?;
        }
        Ok(())
    }

    async fn compare_ledger(
        &self,
        ledger: PeerLedger,
        now: OffsetDateTime,
        sink: FindingSink<'_>,
    ) -> Result<(), db::Error> {
        let keys = CallKeys::of_reservation(Uuid::new_v4(), 0);
        let (mut records, mut unattributed) = (0, 0);
        let mut order = NewestFirst {
            last: None,
            is_sorted: true,
        };
        let mut next = Some(ListingCursor::start());
        for _ in 0..MAX_PAGES {
            let Some(cursor) = next.take() else { break };
            let page = match self.page(ledger, &keys, &cursor, now).await {
                Some(Ok(page)) => page,
                Some(Err(LookupError::Unsupported(reason))) => {
                    let listing = PeerListing::CannotBeListed(reason);
                    self.summary().listings.insert(ledger.as_str(), listing);
                    return Ok(());
                }
                Some(Err(error)) => {
                    self.mark_unavailable(ledger.as_str(), error);
                    return Ok(());
                }
                None => return Ok(()),
            };
            for listed in &page.records {
                records += 1;
                unattributed += u64::from(listed.order_id.is_none());
                order.push(listed.record.created_at());
            }
            self.compare_page(&page, sink).await?;
            // A reservation may be older than the period and still reserve stock.
            if ledger != PeerLedger::Inventory && order.has_passed(self.period.since) {
                break;
            }
            next = page.next;
        }
        let listing = PeerListing::Listed {
            records,
            unattributed,
        };
        self.summary().listings.insert(ledger.as_str(), listing);
        Ok(())
    }

    /// A page of a ledger; `None` if the peer is unavailable.
    async fn page(
        &self,
        ledger: PeerLedger,
        keys: &CallKeys,
        cursor: &ListingCursor,
        now: OffsetDateTime,
    ) -> Option<Result<ListingPage<LedgerRecord>, LookupError>> {
        let peers = &self.reconciliation.peers;
        let key = keys.key("list");
        let mut retry = LookupRetry::default();
        while !self.is_unavailable(ledger.as_str()) {
            let context = retry.context(keys.call_context(&key));
            let outcome = match ledger {
                PeerLedger::Payment => records(
                    peers.payment.list(context, cursor).await,
                    LedgerRecord::Charge,
                ),
                PeerLedger::Shipping => records(
                    peers.shipping.list(context, cursor).await,
                    LedgerRecord::Shipment,
                ),
                PeerLedger::Inventory => records(
                    peers.inventory.list(context, cursor, now).await,
                    LedgerRecord::Reservation,
                ),
            };
            if let Some(settled) = retry.settle(outcome).await {
                return Some(settled);
            }
        }
        None
    }

    async fn compare_page(
        &self,
        page: &ListingPage<LedgerRecord>,
        sink: FindingSink<'_>,
    ) -> Result<(), db::Error> {
        let named: Vec<OrderId> = page.records.iter().filter_map(|one| one.order_id).collect();
        let orders: HashMap<OrderId, OrderSnapshot> = self
            .snapshots(&named)
            .await?
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect();
        let mut found: BTreeMap<OrderId, Vec<Finding>> = BTreeMap::new();
        for listed in &page.records {
            // A record that names no order cannot be compared.
            let Some(order_id) = listed.order_id else {
                continue;
            };
            let finding = self.compare_record(order_id, orders.get(&order_id), &listed.record);
            if let Some(finding) = finding {
                found.entry(order_id).or_default().push(finding);
            }
        }
        for (order_id, findings) in found {
            for finding in self
                .settle_findings(orders.get(&order_id), findings)
                .await?
            {
                self.report(&finding, sink);
            }
        }
        Ok(())
    }

    /// Compares a record with the order that it names, if that order exists. The first phase has
    /// compared the order's own charges and shipments.
    fn compare_record(
        &self,
        order_id: OrderId,
        order: Option<&OrderSnapshot>,
        record: &LedgerRecord,
    ) -> Option<Finding> {
        let period = self.period;
        match (record, order) {
            (LedgerRecord::Charge(record), None) => charge_without_order(order_id, record, period),
            (LedgerRecord::Charge(record), Some(order)) => orphan_charge(order, record, period),
            (LedgerRecord::Shipment(record), None) => {
                shipment_without_order(order_id, record, period)
            }
            (LedgerRecord::Shipment(record), Some(order)) => orphan_shipment(order, record, period),
            (LedgerRecord::Reservation(record), None) => {
                orphan_reservation(order_id, record, period)
            }
            (LedgerRecord::Reservation(record), Some(order)) => SettledOrder::of(order, period)
                .ok()?
                .reservation_finding(record),
        }
    }

    /// Repairs the findings of one order, if the run repairs.
    async fn settle_findings(
        &self,
        order: Option<&OrderSnapshot>,
        mut findings: Vec<Finding>,
    ) -> Result<Vec<Finding>, db::Error> {
        if !self.repair {
            return Ok(findings);
        }
        let is_ours = findings
            .iter()
            .any(|finding| finding.remedy != Remedy::None);
        if let Some(order) = order.filter(|_| is_ours) {
            // All findings of an order together decide about its repair.
            findings.extend(self.compare_with_peers(order).await);
            if self.summary().is_complete() {
                return self.repair_order(order.clone(), findings).await;
            }
        }
        let why = match is_ours {
            true => "a peer gave no answer",
            false => "not provably ours",
        };
        for finding in &mut findings {
            finding.outcome = Some(RepairOutcome::Left(why.to_owned()));
        }
        Ok(findings)
    }
}

fn records<T>(
    outcome: CallOutcome<ListingPage<T>>,
    record: fn(T) -> LedgerRecord,
) -> CallOutcome<ListingPage<LedgerRecord>> {
    outcome.map(|page| page.map(record))
}
