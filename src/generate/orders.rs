//! Generated orders.

use super::population::{Population, SplitMix64};
use super::scenario::OrderScenario;

/// An item of a generated order.
#[derive(Clone, Debug)]
pub struct GeneratedItem {
    /// The product id.
    pub product_id: u64,
    /// The product name.
    pub name: String,
    /// The quantity.
    pub quantity: u64,
    /// The unit price, in minor units.
    pub unit_price: u64,
}

/// A generated order.
#[derive(Clone, Debug)]
pub struct GeneratedOrder {
    /// The order id.
    pub order_id: i64,
    /// The customer id.
    pub customer_id: u64,
    /// When the order was placed, as a Unix timestamp.
    pub placed_at: i64,
    /// The course of the order.
    pub scenario: OrderScenario,
    /// The items.
    pub items: Vec<GeneratedItem>,
    /// The shipping fee, in minor units.
    pub shipping_fee: u64,
    /// Further random numbers of this order.
    pub random: SplitMix64,
}

impl GeneratedOrder {
    /// The order with this index, counted from 1.
    pub fn new(population: &Population, index: u64) -> Self {
        let mut random = population.random(index);
        let placed_at = population.placed_at(index, &mut random);
        let customer_id = population.customer_id(&mut random);
        let scenario = OrderScenario::new(population.age_s(placed_at), &mut random);
        let count = 1 + random.skewed(8);
        let mut items: Vec<GeneratedItem> = Vec::new();
        for _ in 0..count {
            let product = population.product(&mut random);
            if items
                .iter()
                .any(|item| item.product_id == product.product_id)
            {
                continue;
            }
            items.push(GeneratedItem {
                product_id: product.product_id,
                name: product.name,
                quantity: 1 + random.skewed(6),
                unit_price: product.price,
            });
        }
        Self {
            order_id: population.order_id(index),
            customer_id,
            placed_at,
            scenario,
            items,
            shipping_fee: if random.below(3) == 0 { 0 } else { 499 },
            random,
        }
    }

    /// The sum of the items, in minor units.
    pub fn subtotal(&self) -> u64 {
        let items = self.items.iter();
        items.map(|item| item.quantity * item.unit_price).sum()
    }

    /// When the latest event happened, as a Unix timestamp.
    pub fn changed_at(&self) -> i64 {
        let last = self.scenario.events().last();
        self.placed_at + last.map_or(0, |(_, after_s, _)| *after_s)
    }
}
