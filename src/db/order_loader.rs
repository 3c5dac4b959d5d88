//! Loads orders and lists. The two most frequent reads, one order and a customer's newest orders, go
//! through a `Batcher`.

use std::collections::HashMap;

use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::Order;
use crate::domain::search::OrderListQuery;

use super::batcher::{BatchKey, Batcher};
use super::order_list::{OrderListPage, list};
use super::orders::{find_many, owned_by};
use super::recent_orders::{RecentOrders, recent_orders};
use super::{ConnectionPool, Error, run};

/// Loads orders from one database. Cheap to clone.
#[derive(Clone)]
pub struct OrderLoader {
    pool: ConnectionPool,
    orders: Batcher<OrderId>,
    recent: Batcher<RecentOrders>,
}

impl OrderLoader {
    /// A loader that reads through this pool.
    pub fn new(pool: ConnectionPool) -> Self {
        Self {
            orders: Batcher::new(pool.clone()),
            recent: Batcher::new(pool.clone()),
            pool,
        }
    }

    /// The pool, for all other reads.
    pub fn pool(&self) -> &ConnectionPool {
        &self.pool
    }

    /// An order with its lines, as of this call or later; `None` when it does not exist or is not
    /// `owner`'s.
    #[tracing::instrument(name = "db.orders.find", skip_all)]
    pub async fn find(
        &self,
        owner: Option<CustomerId>,
        order_id: OrderId,
    ) -> Result<Option<Order>, Error> {
        let found = self.orders.load(order_id).await?;
        Ok(found.filter(|order| owned_by(order, owner)))
    }

    /// A page of a list of orders.
    #[tracing::instrument(name = "db.orders.list", skip_all)]
    pub async fn list(&self, query: &OrderListQuery) -> Result<OrderListPage, Error> {
        match RecentOrders::of(query) {
            Some(recent) => self.recent.load(recent).await,
            // Boxed, because otherwise the future of the frequent branch would be as large as this one.
            None => Box::pin(run!(self.pool, |conn| list(conn, query))).await,
        }
    }
}

impl BatchKey for OrderId {
    type Value = Option<Order>;

    const MAX_BATCH: usize = 64;

    async fn load(pool: &ConnectionPool, keys: &[Self]) -> Result<Vec<Self::Value>, Error> {
        let ids: Vec<i64> = keys.iter().map(|order_id| order_id.0).collect();
        let found = run!(pool, |conn| find_many(conn, &ids)).await?;
        let mut found: HashMap<_, _> = found
            .into_iter()
            .map(|order| (order.order_id, order))
            .collect();
        Ok(keys.iter().map(|order_id| found.remove(order_id)).collect())
    }
}

impl BatchKey for RecentOrders {
    type Value = OrderListPage;

    const MAX_BATCH: usize = 16;

    async fn load(pool: &ConnectionPool, keys: &[Self]) -> Result<Vec<Self::Value>, Error> {
        run!(pool, |conn| recent_orders(conn, keys)).await
    }
}
