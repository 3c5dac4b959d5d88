//! Place an order: commit it, begin with its fulfilment, wait a while for it to settle.

use tokio::time::Instant;
use uuid::Uuid;

use crate::db::fulfilments::{Fulfilment, of_identity};
use crate::db::idempotency::{self, Key};
use crate::db::orders::{Placement, find, place};
use crate::db::run;
use crate::domain::cart::Cart;
use crate::domain::order::Order;
use crate::domain::principal::Principal;
use crate::failpoints;

use super::{Error, Orders, not_for_services};

/// What makes a request repeatable.
#[derive(Clone, Debug)]
pub struct ClientKey {
    /// The caller's text, 1 to 255 visible characters.
    pub key: String,
    /// SHA-256 of what is asked for.
    pub fingerprint: Vec<u8>,
}

impl ClientKey {
    /// The key in its scope: the caller and what is asked for.
    pub(super) fn of(self, caller: &Principal, operation: &'static str) -> Key {
        Key {
            scope: caller.actor().as_str().to_owned(),
            operation,
            key: self.key,
            fingerprint: self.fingerprint,
        }
    }
}

/// A placed order, as it stands when the wait is over.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The order.
    pub order: Order,
    /// Whether it had been placed before, with the same key.
    pub replayed: bool,
}

impl Orders {
    /// Whether the caller may place orders at all.
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
        let key = key.map(|key| key.of(caller, "create"));
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
        key: Option<Key>,
    ) -> Result<Placed, Error> {
        let actor = caller.actor();
        let this = self.clone();
        self.detached(async move {
            let begins_here = this.notifications.try_reserve();
            let leased_at = Instant::now();
            let identity = Uuid::now_v7();
            let placement = Placement {
                cart: &cart,
                currency: this.settings.pricing.currency,
                actor: &actor,
                key: key.as_ref(),
                identity,
                lease: begins_here.is_some().then_some(this.settings.lease),
            };
            failpoints::pass(&["orders", "place", "before_write"]);
            let placed = match run!(this.db, |conn| place(conn, &placement)).await? {
                Some(order) => Some(order),
                None => this.placed_as(identity).await?,
            };
            let Some(order) = placed else {
                let key = key.ok_or(Error::Busy)?;
                return this.replay(&key).await?.ok_or(Error::Busy);
            };
            failpoints::pass(&["orders", "place", "after_write"]);
            this.metrics.orders_placed.inc();
            let settling = this.notifications.subscribe_settled(order.order_id);
            // What has changed since it was placed is read by whoever claims it.
            if let Some(begins_here) = begins_here.filter(|_| order.version == 1) {
                begins_here.notify_placed(Fulfilment::begun(order.clone(), identity), leased_at);
            }
            let order = this.settle(order, settling).await;
            Ok(Placed {
                order,
                replayed: false,
            })
        })
        .await
    }

    /// The order that was placed under this identity, by an attempt whose answer was lost.
    async fn placed_as(&self, identity: Uuid) -> Result<Option<Order>, Error> {
        let found = run!(self.db, |conn| async {
            match of_identity(conn, identity).await? {
                Some(order_id) => find(conn, None, order_id).await,
                None => Ok(None),
            }
        });
        Ok(found.await?)
    }

    async fn replay(&self, key: &Key) -> Result<Option<Placed>, Error> {
        let found = run!(self.db, |conn| idempotency::find(conn, key)).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        if found.fingerprint != key.fingerprint {
            return Err(Error::KeyReused);
        }
        let settling = self.notifications.subscribe_settled(found.order_id);
        let order = self.find(None, found.order_id).await?;
        let order = self.settle(order, settling).await;
        Ok(Some(Placed {
            order,
            replayed: true,
        }))
    }
}
