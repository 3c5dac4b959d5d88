//! The second pass: what the peers list altogether, where they do. It finds records of orders that we
//! do not have, and stock that is held for nothing.

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

use super::finding::{Finding, Outcome, Remedy};
use super::judge::{
    Rested, charge_without_order, orphan_charge, orphan_reservation, orphan_shipment,
    shipment_without_order,
};
use super::patience::{Patience, Unanswered};
use super::run::{Listing, Run, Sink};

/// A peer that has more pages than this goes in circles.
const MOST_PAGES: u32 = 1_000_000;

/// Whose list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ledger {
    Payment,
    Shipping,
    Inventory,
}

impl Ledger {
    const ALL: [Self; 3] = [Self::Payment, Self::Shipping, Self::Inventory];

    fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Shipping => "shipping",
            Self::Inventory => "inventory",
        }
    }
}

/// A record of any of them.
#[derive(Debug)]
enum Entry {
    Charge(PaymentRecord),
    Parcel(ShipmentRecord),
    Reservation(ReservationRecord),
}

impl Entry {
    fn created_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Charge(record) => record.created_at,
            Self::Parcel(record) => record.created_at,
            Self::Reservation(record) => record.created_at,
        }
    }
}

/// Notices when a list that comes newest first has passed the period, so that the rest need not be read.
#[derive(Debug)]
struct Descent {
    last: Option<OffsetDateTime>,
    is_unbroken: bool,
}

impl Descent {
    fn follow(&mut self, made: Option<OffsetDateTime>) {
        let goes_down = match (made, self.last) {
            (None, _) => false,
            (Some(made), Some(last)) => made <= last,
            (Some(_), None) => true,
        };
        self.is_unbroken &= goes_down;
        self.last = made;
    }

    fn has_passed(&self, since: OffsetDateTime) -> bool {
        self.is_unbroken && self.last.is_some_and(|last| last < since)
    }
}

impl Run {
    /// Compares whatever each peer lists.
    pub async fn compare_ledgers(
        &self,
        now: OffsetDateTime,
        sink: Sink<'_>,
    ) -> Result<(), db::Error> {
        for ledger in Ledger::ALL {
            self.compare_ledger(ledger, now, sink).await?;
        }
        Ok(())
    }

    async fn compare_ledger(
        &self,
        ledger: Ledger,
        now: OffsetDateTime,
        sink: Sink<'_>,
    ) -> Result<(), db::Error> {
        let keys = CallKeys::of_reservation(Uuid::new_v4(), 0);
        let (mut records, mut unattributed) = (0, 0);
        let mut descent = Descent {
            last: None,
            is_unbroken: true,
        };
        let mut at = Some(ListingCursor::start());
        for _ in 0..MOST_PAGES {
            let Some(cursor) = at.take() else { break };
            let page = match self.page(ledger, &keys, &cursor, now).await {
                Some(Ok(page)) => page,
                Some(Err(Unanswered::No(reason))) => {
                    let listing = Listing::CannotBeListed(reason);
                    self.summary().listings.insert(ledger.as_str(), listing);
                    return Ok(());
                }
                Some(Err(why)) => {
                    self.note_away(ledger.as_str(), why);
                    return Ok(());
                }
                None => return Ok(()),
            };
            for listed in &page.records {
                records += 1;
                unattributed += u64::from(listed.order_id.is_none());
                descent.follow(listed.record.created_at());
            }
            self.compare_page(&page, sink).await?;
            // Stock may be held for longer.
            if ledger != Ledger::Inventory && descent.has_passed(self.window.since) {
                break;
            }
            at = page.next;
        }
        let listing = Listing::Listed {
            records,
            unattributed,
        };
        self.summary().listings.insert(ledger.as_str(), listing);
        Ok(())
    }

    /// A page of a peer's list; `None` when the peer is left alone.
    async fn page(
        &self,
        ledger: Ledger,
        keys: &CallKeys,
        at: &ListingCursor,
        now: OffsetDateTime,
    ) -> Option<Result<ListingPage<Entry>, Unanswered>> {
        let peers = &self.reconciliation.peers;
        let key = keys.key("list");
        let mut patience = Patience::default();
        while !self.is_away(ledger.as_str()) {
            let tag = patience.tag(keys.call_context(&key));
            let answer = match ledger {
                Ledger::Payment => entries(peers.payment.list(tag, at).await, Entry::Charge),
                Ledger::Shipping => entries(peers.shipping.list(tag, at).await, Entry::Parcel),
                Ledger::Inventory => {
                    entries(peers.inventory.list(tag, at, now).await, Entry::Reservation)
                }
            };
            if let Some(settled) = patience.settle(answer).await {
                return Some(settled);
            }
        }
        None
    }

    async fn compare_page(
        &self,
        page: &ListingPage<Entry>,
        sink: Sink<'_>,
    ) -> Result<(), db::Error> {
        let named: Vec<OrderId> = page.records.iter().filter_map(|one| one.order_id).collect();
        let orders: HashMap<OrderId, OrderSnapshot> = self
            .orders_of(&named)
            .await?
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect();
        let mut found: BTreeMap<OrderId, Vec<Finding>> = BTreeMap::new();
        for listed in &page.records {
            // What does not name an order cannot be compared.
            let Some(order_id) = listed.order_id else {
                continue;
            };
            let finding = self.judge(order_id, orders.get(&order_id), &listed.record);
            if let Some(finding) = finding {
                found.entry(order_id).or_default().push(finding);
            }
        }
        for (order_id, findings) in found {
            for finding in self.settle(orders.get(&order_id), findings).await? {
                self.tell(&finding, sink);
            }
        }
        Ok(())
    }

    /// What is wrong with a record, by the order that it names, if that is one of ours. Charges and
    /// parcels that are the order's own were compared with it in the first pass.
    fn judge(
        &self,
        order_id: OrderId,
        order: Option<&OrderSnapshot>,
        entry: &Entry,
    ) -> Option<Finding> {
        let window = self.window;
        match (entry, order) {
            (Entry::Charge(record), None) => charge_without_order(order_id, record, window),
            (Entry::Charge(record), Some(order)) => orphan_charge(order, record, window),
            (Entry::Parcel(record), None) => shipment_without_order(order_id, record, window),
            (Entry::Parcel(record), Some(order)) => orphan_shipment(order, record, window),
            (Entry::Reservation(record), None) => orphan_reservation(order_id, record, window),
            (Entry::Reservation(record), Some(order)) => {
                Rested::of(order, window).ok()?.reservation(record)
            }
        }
    }

    async fn settle(
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
            // What is done about an order is decided by all that is found of it.
            findings.extend(self.look_at(order).await);
            if self.summary().is_complete() {
                return self.mend(order.clone(), findings).await;
            }
        }
        let why = match is_ours {
            true => "a peer gave no answer",
            false => "not provably ours",
        };
        for finding in &mut findings {
            finding.outcome = Some(Outcome::Left(why.to_owned()));
        }
        Ok(findings)
    }
}

fn entries<T>(
    answer: CallOutcome<ListingPage<T>>,
    entry: fn(T) -> Entry,
) -> CallOutcome<ListingPage<Entry>> {
    answer.map(|page| page.map(entry))
}
