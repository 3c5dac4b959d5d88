//! The stock in the warehouses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Number of SKUs in the catalogue: `SKU0001` to `SKU0120`, products 1 to 120.
const CATALOGUE: i64 = 120;

/// The warehouses that stock the catalogue.
const WAREHOUSES: [&str; 2] = ["WH1", "WH2"];

/// Initial quantity of each SKU of the catalogue in each warehouse.
const CATALOGUE_QUANTITY: u64 = 100;

/// Initial quantity of any other SKU.
const DEFAULT_QUANTITY: u64 = 1000;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product, if the request named it.
    pub product_id: Option<i64>,
    /// The SKU of the ordered units.
    pub sku: String,
    /// The number of ordered units.
    pub quantity: u32,
}

/// A quantity reserved in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// The product of the line, or else of the stock row.
    pub product_id: Option<i64>,
    /// The SKU of the reserved units.
    pub sku: String,
    /// The warehouse that holds the units.
    pub warehouse: String,
    /// The number of reserved units.
    pub quantity: u64,
}

/// The stock of one SKU in one warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRow {
    /// The SKU of the stocked units.
    pub sku: String,
    /// The product, if known.
    pub product_id: Option<i64>,
    /// The warehouse that holds the units.
    pub warehouse: String,
    /// Units in the warehouse, reserved ones included.
    pub on_hand: u64,
    /// The part of `on_hand` that reservations hold.
    pub reserved: u64,
}

impl StockRow {
    fn free(&self) -> u64 {
        self.on_hand.saturating_sub(self.reserved)
    }
}

/// A line that exceeds the free stock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InsufficientStock {
    pub sku: String,
    pub wanted: u64,
    pub free: u64,
}

/// All stock, by SKU.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Stock(BTreeMap<String, Vec<StockRow>>);

impl Stock {
    /// The catalogue with its initial quantities.
    pub fn catalogue() -> Self {
        let sku = |product_id: i64| format!("SKU{product_id:04}");
        let rows = |product_id: i64| {
            let in_warehouse = |warehouse: &str| StockRow {
                sku: sku(product_id),
                product_id: Some(product_id),
                warehouse: warehouse.to_owned(),
                on_hand: CATALOGUE_QUANTITY,
                reserved: 0,
            };
            WAREHOUSES.map(in_warehouse).to_vec()
        };
        Self((1..=CATALOGUE).map(|id| (sku(id), rows(id))).collect())
    }

    /// All rows, ordered by SKU.
    pub fn rows(&self) -> Vec<StockRow> {
        self.0.values().flatten().cloned().collect()
    }

    /// Reserves all these lines or none.
    pub fn reserve(&mut self, lines: &[Line]) -> Result<Vec<Allocation>, InsufficientStock> {
        let mut held = Vec::new();
        for line in lines {
            if let Err(short) = self.reserve_line(line, &mut held) {
                self.release(&held);
                return Err(short);
            }
        }
        Ok(held)
    }

    fn reserve_line(
        &mut self,
        line: &Line,
        held: &mut Vec<Allocation>,
    ) -> Result<(), InsufficientStock> {
        let rows = self.0.entry(line.sku.clone()).or_insert_with(|| {
            vec![StockRow {
                sku: line.sku.clone(),
                product_id: line.product_id,
                warehouse: WAREHOUSES[0].to_owned(),
                on_hand: DEFAULT_QUANTITY,
                reserved: 0,
            }]
        });
        let wanted = u64::from(line.quantity);
        let free: u64 = rows.iter().map(StockRow::free).sum();
        if free < wanted {
            let sku = line.sku.clone();
            return Err(InsufficientStock { sku, wanted, free });
        }
        let mut left = wanted;
        for row in rows.iter_mut().filter(|row| row.free() > 0) {
            let quantity = left.min(row.free());
            if quantity == 0 {
                break;
            }
            row.reserved += quantity;
            left -= quantity;
            held.push(Allocation {
                product_id: line.product_id.or(row.product_id),
                sku: line.sku.clone(),
                warehouse: row.warehouse.clone(),
                quantity,
            });
        }
        Ok(())
    }

    /// Frees reserved units.
    pub fn release(&mut self, allocations: &[Allocation]) {
        self.change(allocations, |row, quantity| {
            row.reserved = row.reserved.saturating_sub(quantity);
        });
    }

    /// Removes reserved units from the stock.
    pub fn ship(&mut self, allocations: &[Allocation]) {
        self.change(allocations, |row, quantity| {
            row.reserved = row.reserved.saturating_sub(quantity);
            row.on_hand = row.on_hand.saturating_sub(quantity);
        });
    }

    /// Returns shipped units to the stock.
    pub fn take_back(&mut self, allocations: &[Allocation]) {
        self.change(allocations, |row, quantity| {
            row.on_hand = row.on_hand.saturating_add(quantity);
        });
    }

    fn change(&mut self, allocations: &[Allocation], change: impl Fn(&mut StockRow, u64)) {
        for allocation in allocations {
            let rows = self.0.get_mut(&allocation.sku).into_iter().flatten();
            for row in rows.filter(|row| row.warehouse == allocation.warehouse) {
                change(row, allocation.quantity);
            }
        }
    }
}
