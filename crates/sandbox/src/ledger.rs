//! The ledger: a copy of what the stand-ins hold and executed.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::inventory::{Reservation, StockRow};
use super::operation::Operation;
use super::payment::{Charge, Refund};
use super::shipping::Shipment;
use super::state::SandboxState;

/// The response of `GET /sandbox/ledger`. Lists are ordered oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ledger {
    /// Stock by SKU and warehouse.
    pub stock: Vec<StockRow>,
    /// All reservations.
    pub reservations: Vec<Reservation>,
    /// All charges, declined ones included.
    pub charges: Vec<Charge>,
    /// All refunds.
    pub refunds: Vec<Refund>,
    /// All parcels.
    pub shipments: Vec<Shipment>,
    /// Number of calls of each operation, rejected ones included.
    pub calls: BTreeMap<Operation, u64>,
}

impl Ledger {
    /// The ledger of one order, or of all. The stock of one order covers the SKUs of its lines.
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
