//! Inventory holds the lines of an order; undone, it lets go of them.

use crate::db::fulfilments::Fulfilment;
use crate::domain::event::OrderEvent;
use crate::domain::plan::Outcome;

use super::attempt::Attempt;
use super::{Fulfilments, Keys};

impl Fulfilments {
    pub(super) async fn reserve_stock(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of(fulfilment);
        let key = keys.reservation_key("reserve_stock");
        let order = &fulfilment.order;
        if fulfilment.lapsed > 0 {
            let released = self.release_lapsed(fulfilment).await;
            if released.outcome != Outcome::Done {
                return released;
            }
        }
        let answer = self
            .peers
            .inventory
            .reserve(
                keys.call_context(&key),
                &keys.reservation_id,
                order.order_id,
                &order.items,
            )
            .await;
        let reserved = OrderEvent::StockReserved {
            reservation_id: keys.reservation_id.clone(),
        };
        Attempt::of(
            answer,
            |()| Attempt::done([reserved]),
            |reason| Some(OrderEvent::StockRefused { reason }),
        )
    }

    /// Also undoes `commit_stock`: Inventory takes back what it had handed out.
    pub(super) async fn release_stock(&self, fulfilment: &Fulfilment) -> Attempt {
        self.release(fulfilment, &Keys::of(fulfilment)).await
    }

    /// Lets go of the reservation before this one, should Inventory hold it after all.
    async fn release_lapsed(&self, fulfilment: &Fulfilment) -> Attempt {
        let keys = Keys::of_lapsed(fulfilment, fulfilment.lapsed - 1);
        self.release(fulfilment, &keys).await
    }

    async fn release(&self, fulfilment: &Fulfilment, keys: &Keys) -> Attempt {
        let key = keys.reservation_key("release_stock");
        let answer = self
            .peers
            .inventory
            .release(
                keys.call_context(&key),
                &keys.reservation_id,
                fulfilment.order.order_id,
            )
            .await;
        Attempt::of(
            answer,
            |()| Attempt::done([OrderEvent::StockReleased]),
            |_| None,
        )
    }
}
