//! Place an order: commit it, start its saga, and wait for it to settle, up to a limit.

use tokio::time::Instant;
use uuid::Uuid;

use crate::db::idempotency::{self, IdempotencyKey};
use crate::db::orders::{Placement, find, place};
use crate::db::run;
use crate::db::sagas::find_by_identity;
use crate::domain::cart::Cart;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::domain::saga::Saga;
use crate::failpoints;

use super::idempotency::{ClientKey, replayed};
use super::{Error, Orders, not_for_services};

/// A placed order, as read when the wait is over.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order with its current state.
    pub order: Order,
    /// Whether an earlier request with the same idempotency key placed it.
    pub replayed: bool,
}

impl Orders {
    /// Checks that the caller may place orders.
    pub fn may_place(caller: &Principal) -> Result<(), Error> {
        not_for_services(caller)
    }

    /// Places an order, or returns the order that the same idempotency key placed before.
    ///
    /// A repeated request replays its order even if the cart is rejected by now, because the rules of the
    /// shop may have changed since. Once the order is committed, the saga fulfils or cancels it, even if the
    /// client disconnects.
    pub async fn place<E: From<Error>>(
        &self,
        caller: &Principal,
        cart: Result<Cart, E>,
        key: Option<ClientKey>,
    ) -> Result<Placed, E> {
        Self::may_place(caller)?;
        let key = key.map(|key| key.scoped(caller, "create"));
        match (cart, key) {
            (Ok(cart), key) => Ok(self.place_cart(caller, cart, key).await?),
            (Err(rejected), None) => Err(rejected),
            (Err(rejected), Some(key)) => match self.replay(&key).await {
                Ok(Some(placed)) => Ok(placed),
                Ok(None) | Err(Error::KeyReused) => Err(rejected),
                Err(error) => Err(error.into()),
            },
        }
    }

    async fn place_cart(
        &self,
        caller: &Principal,
        cart: Cart,
        key: Option<IdempotencyKey>,
    ) -> Result<Placed, Error> {
        let actor = caller.actor();
        let this = self.clone();
        self.detached(async move {
            let permit = this.notifications.try_reserve();
            let leased_at = Instant::now();
            let identity = Uuid::now_v7();
            let placement = Placement {
                cart: &cart,
                currency: this.settings.pricing.currency,
                actor: &actor,
                key: key.as_ref(),
                identity,
                lease: permit.is_some().then_some(this.settings.lease),
            };
            failpoints::pass(&["orders", "place", "before_write"]);
            let placed = match run!(this.db, |conn| place(conn, &placement)).await? {
                Some(order) => Some(order),
                None => this.find_placed(identity).await?,
            };
            let Some(order) = placed else {
                let key = key.ok_or(Error::Busy)?;
                return this.replay(&key).await?.ok_or(Error::Busy);
            };
            failpoints::pass(&["orders", "place", "after_write"]);
            this.metrics.orders_placed.inc();
            let settled = this.notifications.subscribe_settled(order.order_id);
            // A changed order is left to the next claim, which reads it again.
            if let Some(permit) = permit.filter(|_| order.version == 1) {
                permit.notify_placed(Saga::placed(order.clone(), identity), leased_at);
            }
            let order = this.settle(order, settled).await;
            Ok(Placed {
                order,
                replayed: false,
            })
        })
        .await
    }

    /// The order that an attempt with this identity committed without an acknowledgement.
    async fn find_placed(&self, identity: Uuid) -> Result<Option<Order>, Error> {
        let found = run!(self.db, |conn| async {
            match find_by_identity(conn, identity).await? {
                Some(order_id) => find(conn, None, order_id).await,
                None => Ok(None),
            }
        });
        Ok(found.await?)
    }

    async fn replay(&self, key: &IdempotencyKey) -> Result<Option<Placed>, Error> {
        let earlier = run!(self.db, |conn| idempotency::find(conn, key)).await?;
        let Some(order_id) = replayed(key, earlier)? else {
            return Ok(None);
        };
        let settled = self.notifications.subscribe_settled(order_id);
        let order = self.find(None, order_id).await?;
        let order = self.settle(order, settled).await;
        Ok(Some(Placed {
            order,
            replayed: true,
        }))
    }
}
