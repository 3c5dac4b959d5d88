//! An append-only table with lookup by id, idempotency key and order.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A row of a [`Table`]. Its key and order never change.
pub(super) trait Row {
    /// Id of the first row; later rows count up from it.
    const FIRST_ID: u64;

    /// The idempotency key.
    fn key(&self) -> &str;

    /// The order, if known.
    fn order_id(&self) -> Option<i64>;
}

/// Rows in insertion order, serialized as a list.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    rows: Vec<T>,
    keys: HashMap<String, usize>,
    orders: HashMap<i64, Vec<usize>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            keys: HashMap::new(),
            orders: HashMap::new(),
        }
    }
}

impl<T: Row> Table<T> {
    /// Appends the row that `make` builds from its id.
    pub fn add(&mut self, make: impl FnOnce(u64) -> T) -> &T {
        let index = self.rows.len();
        let row = make(T::FIRST_ID.saturating_add(index as u64));
        self.keys.insert(row.key().to_owned(), index);
        if let Some(order) = row.order_id() {
            self.orders.entry(order).or_default().push(index);
        }
        self.rows.push(row);
        &self.rows[index]
    }

    /// The row with this id.
    pub fn by_id_mut(&mut self, id: u64) -> Option<&mut T> {
        let index = usize::try_from(id.checked_sub(T::FIRST_ID)?).ok()?;
        self.rows.get_mut(index)
    }

    /// The row with this key.
    pub fn by_key(&self, key: &str) -> Option<&T> {
        self.keys.get(key).and_then(|index| self.rows.get(*index))
    }

    /// The row with this key, mutable.
    pub fn by_key_mut(&mut self, key: &str) -> Option<&mut T> {
        let index = self.keys.get(key)?;
        self.rows.get_mut(*index)
    }

    /// The rows of one order, or all of them; oldest first.
    pub fn for_order(&self, order: Option<i64>) -> Vec<&T> {
        match order {
            None => self.rows.iter().collect(),
            Some(order) => self
                .orders
                .get(&order)
                .into_iter()
                .flatten()
                .filter_map(|index| self.rows.get(*index))
                .collect(),
        }
    }

    /// All rows, mutable, oldest first.
    pub fn rows_mut(&mut self) -> &mut [T] {
        &mut self.rows
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

impl<'de, T: Row + Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut register = Self::default();
        for row in Vec::<T>::deserialize(deserializer)? {
            register.add(|_| row);
        }
        Ok(register)
    }
}
