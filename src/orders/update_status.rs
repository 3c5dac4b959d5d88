//! Take news of an order from staff and from peer services. Repeats and late, out-of-order news are
//! harmless: what lies behind the order changes nothing.

use crate::db::fulfilments::hasten;
use crate::db::{self, run};
use crate::domain::event::OrderEvent;
use crate::domain::ids::OrderId;
use crate::domain::order::Order;
use crate::domain::principal::{Principal, Role};
use crate::domain::status::{OrderStatus, PaymentStatus, ShippingStatus, Status};

use super::{Error, Expected, Orders, Refusal};

/// How often to decide anew when the order changes at the same moment.
const TRIES: usize = 5;

/// News of an order; at least one is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// How far the order has come; for staff.
    pub order_status: Option<OrderStatus>,
    /// Where the money is.
    pub payment_status: Option<PaymentStatus>,
    /// Where the parcel is, in our word and in the carrier's.
    pub shipping_status: Option<(ShippingStatus, String)>,
}

impl Orders {
    /// Moves the order's statuses along the table.
    pub async fn update_status(
        &self,
        caller: &Principal,
        order_id: OrderId,
        news: News,
        expected: Expected,
    ) -> Result<Order, Error> {
        match caller.role {
            Role::Customer => {
                // Somebody else's order is not there at all.
                self.find(caller.owner(), order_id).await?;
                return Err(Error::Forbidden(
                    "only staff and peer services may report news",
                ));
            }
            Role::Service if news.order_status.is_some() => {
                return Err(Error::Forbidden("only staff may set order_status"));
            }
            Role::Service | Role::Staff => {}
        }
        let (this, caller) = (self.clone(), caller.clone());
        self.detached(async move { this.take_news(&caller, order_id, &news, &expected).await })
            .await
    }

    async fn take_news(
        &self,
        caller: &Principal,
        order_id: OrderId,
        news: &News,
        expected: &Expected,
    ) -> Result<Order, Error> {
        for _ in 0..TRIES {
            let order = self.find(None, order_id).await?;
            expected.check(&order)?;
            let (state, facts) = order.state.after(facts(&order, news)?);
            if is_for_fulfilment(&order, news) {
                run!(self.db, |conn| hasten(conn, order_id)).await?;
                self.notifications.notify_due(order_id);
            }
            if facts.is_empty() {
                return Ok(order);
            }
            let actor = caller.actor();
            let moved = run!(self.db, |conn| async {
                db::orders::advance(conn, &order, &state, &facts, &actor).await
            });
            if moved.await? {
                self.notifications.notify_changed(order_id);
                return self.find(None, order_id).await;
            }
        }
        Err(Error::Busy)
    }
}

/// Whether there is something that fulfilment should look into itself. While it is at work, and after
/// it has undone an order, the money is its to judge; and a parcel that was cancelled may be one that
/// it called back itself. While a cancel is open, Shipping is asked anyway. Such news are not written
/// down: they make fulfilment look sooner.
fn is_for_fulfilment(order: &Order, news: &News) -> bool {
    news.payment_status
        .is_some_and(|to| judges_money(order, to))
        || is_cancelled_parcel(order, news)
        || order.cancel_requested
}

/// Of an order that is called off only the news that money is held is worth a look.
fn judges_money(order: &Order, to: PaymentStatus) -> bool {
    match order.state.order_status {
        OrderStatus::Pending | OrderStatus::Cancelling => true,
        OrderStatus::Cancelled => to == PaymentStatus::Paid,
        _ => false,
    }
}

fn is_cancelled_parcel(order: &Order, news: &News) -> bool {
    use OrderStatus::{Cancelled, Cancelling, Confirmed, Pending};
    matches!(news.shipping_status, Some((ShippingStatus::Cancelled, _)))
        && matches!(
            order.state.order_status,
            Pending | Confirmed | Cancelling | Cancelled
        )
}

fn facts(order: &Order, news: &News) -> Result<Vec<OrderEvent>, Error> {
    let mut facts = Vec::new();
    let state = &order.state;
    if let Some(to) = news.payment_status
        && !judges_money(order, to)
        && moves(
            order,
            "payment_status",
            state.payment_status,
            to,
            "the money cannot get there",
        )?
    {
        facts.push(OrderEvent::PaymentStatusChanged { payment_status: to });
    }
    let parcel = match &news.shipping_status {
        _ if order.cancel_requested => None,
        Some(_) if is_cancelled_parcel(order, news) => None,
        Some((to, carrier_status)) => Some((*to, carrier_status.clone())),
        None => news
            .order_status
            .map(|to| parcel_of(order, to))
            .transpose()?
            .flatten(),
    };
    if let Some((to, carrier_status)) = parcel
        && moves(
            order,
            "shipping_status",
            state.shipping_status,
            to,
            "the parcel cannot get there",
        )?
    {
        facts.push(OrderEvent::ShippingStatusChanged {
            shipping_status: to,
            carrier_status,
        });
    }
    Ok(facts)
}

/// The move of the parcel that an order's status stands for; `None` when the order is there already
/// or further.
fn parcel_of(order: &Order, to: OrderStatus) -> Result<Option<(ShippingStatus, String)>, Error> {
    let from = order.state.order_status;
    if from == to || to.reaches(from) {
        return Ok(None);
    }
    let refuse = |why| {
        Err(Error::NotNow(Refusal::Transition {
            order_id: order.order_id,
            field: "order_status",
            from: from.as_str(),
            to: to.as_str(),
            why,
        }))
    };
    let parcel = match to {
        OrderStatus::Shipped => ShippingStatus::Shipped,
        OrderStatus::Delivered => ShippingStatus::Delivered,
        OrderStatus::Cancelling | OrderStatus::Cancelled => {
            return refuse("use the cancel operation");
        }
        OrderStatus::Pending | OrderStatus::Confirmed => {
            return refuse("only fulfilment confirms an order");
        }
    };
    match from {
        OrderStatus::Confirmed | OrderStatus::Shipped => Ok(Some((parcel, to.to_string()))),
        _ => refuse("only a confirmed order is shipped"),
    }
}

/// Whether there is a move to make; an error when the table leads there neither forwards nor from
/// there to here.
fn moves<S: Status>(
    order: &Order,
    field: &'static str,
    from: S,
    to: S,
    why: &'static str,
) -> Result<bool, Error> {
    if from.reaches(to) {
        return Ok(true);
    }
    if from == to || to.reaches(from) {
        return Ok(false);
    }
    let (from, to) = (from.as_str(), to.as_str());
    Err(Error::NotNow(Refusal::Transition {
        order_id: order.order_id,
        field,
        from,
        to,
        why,
    }))
}
