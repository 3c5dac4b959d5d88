//! What the stand-ins hold and did, for people and tests to judge an order by.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::inventory::{Reservation, StockRow};
use super::operation::Operation;
use super::payment::{Charge, Refund};
use super::shipping::Shipment;
use super::state::SandboxState;

/// A copy of the ledgers, as answered by `GET /sandbox/ledger`. Lists are oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ledger {
    /// What lies in the warehouses.
    pub stock: Vec<StockRow>,
    /// What was held, and what became of it.
    pub reservations: Vec<Reservation>,
    /// What was taken, or tried to be.
    pub charges: Vec<Charge>,
    /// What was given back.
    pub refunds: Vec<Refund>,
    /// What was sent.
    pub shipments: Vec<Shipment>,
    /// How often each operation was called, whatever became of it.
    pub calls: BTreeMap<Operation, u64>,
}

impl Ledger {
    /// The ledgers, or the part of one order: then the stock is that of its goods.
    pub(super) fn of(state: &SandboxState, order: Option<i64>) -> Self {
        let reservations = copied(state.inventory.reservations(order));
        let mut stock = state.inventory.stock();
        if order.is_some() {
            let items = reservations.iter().flat_map(|row| &row.items);
            let skus: HashSet<&str> = items.map(|line| line.sku.as_str()).collect();
            stock.retain(|row| skus.contains(row.sku.as_str()));
        }
        Self {
            stock,
            reservations,
            charges: copied(state.payments.charges(order)),
            refunds: copied(state.payments.refunds(order)),
            shipments: copied(state.parcels.shipments(order)),
            calls: state.calls.clone(),
        }
    }
}

fn copied<T: Clone>(rows: Vec<&T>) -> Vec<T> {
    rows.into_iter().cloned().collect()
}
