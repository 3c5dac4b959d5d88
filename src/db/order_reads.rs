//! The reads that most people ask for, one order and the newest of a customer, read together with those of
//! others; and whatever else there is to list.

use std::collections::HashMap;

use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::Order;
use crate::domain::search::OrderListQuery;

use super::histories::{Newest, newest};
use super::order_list::{Listing, list};
use super::orders::{of_numbers, owned_by};
use super::together::{Question, Together};
use super::{Database, Error, run};

/// Reads orders from one database. Cheap to clone.
#[derive(Clone)]
pub struct OrderReads {
    database: Database,
    orders: Together<OrderId>,
    histories: Together<Newest>,
}

impl OrderReads {
    /// Reads from this database.
    pub fn new(database: Database) -> Self {
        Self {
            orders: Together::new(database.clone()),
            histories: Together::new(database.clone()),
            database,
        }
    }

    /// What is read from, for whatever else there is to read.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// An order with its lines, as it stands no earlier than now; `None` when there is none of that
    /// number or it is not `owner`'s.
    #[tracing::instrument(name = "db.orders.find", skip_all)]
    pub async fn find(
        &self,
        owner: Option<CustomerId>,
        order_id: OrderId,
    ) -> Result<Option<Order>, Error> {
        let found = self.orders.ask(order_id).await?;
        Ok(found.filter(|order| owned_by(order, owner)))
    }

    /// Answers a search.
    #[tracing::instrument(name = "db.orders.list", skip_all)]
    pub async fn list(&self, search: &OrderListQuery) -> Result<Listing, Error> {
        match Newest::of(search) {
            Some(newest) => self.histories.ask(newest).await,
            // On the heap: else a future of the other, which most wait for, would be as large as this one's.
            None => Box::pin(run!(self.database, |conn| list(conn, search))).await,
        }
    }
}

impl Question for OrderId {
    type Answer = Option<Order>;

    const TOGETHER: usize = 64;

    async fn read(database: &Database, questions: &[Self]) -> Result<Vec<Self::Answer>, Error> {
        let numbers: Vec<i64> = questions.iter().map(|order_id| order_id.0).collect();
        let found = run!(database, |conn| of_numbers(conn, &numbers)).await?;
        let mut found: HashMap<_, _> = found
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect();
        Ok(questions
            .iter()
            .map(|order_id| found.remove(order_id))
            .collect())
    }
}

impl Question for Newest {
    type Answer = Listing;

    const TOGETHER: usize = 16;

    async fn read(database: &Database, questions: &[Self]) -> Result<Vec<Self::Answer>, Error> {
        run!(database, |conn| newest(conn, questions)).await
    }
}
