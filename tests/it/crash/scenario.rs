//! A scenario for one order from the client's side. Each process repeats the whole scenario with
//! the same keys, until one reaches the end.

use std::time::{Duration, Instant};

use order_service::domain::ids::OrderId;
use order_service::orders::{ClientKey, Error, Expected, Resolution};
use sandbox::Fault;

use super::environment::World;
use super::process::Life;

/// The actions of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Places an order.
    Place,
    /// Places an order, and cancels it at once.
    CancelEarly,
    /// Places an order, and cancels it when it is confirmed.
    CancelLate,
    /// Places an order, and the service shuts down gracefully meanwhile.
    Stop,
}

impl Flow {
    pub const ALL: [Self; 4] = [Self::Place, Self::CancelEarly, Self::CancelLate, Self::Stop];
}

/// The limit for an order to settle.
const PATIENCE: Duration = Duration::from_secs(20);
/// The limit for retries by staff.
const RETRIES: u32 = 5;
/// The polling interval.
const LOOK: Duration = Duration::from_millis(3);

/// One client with the idempotency keys that it reuses in every process.
pub struct Story {
    pub flow: Flow,
    pub place: ClientKey,
    pub cancel: ClientKey,
    pub order_id: Option<OrderId>,
    /// The fault of a peer, until it is switched on.
    fault: Option<Fault>,
    /// The number of calls of the faulty operation before the fault.
    pub calls_before: u64,
    retries: u32,
    stopped: bool,
}

impl Story {
    pub fn new(flow: Flow, key: ClientKey, fault: Option<Fault>) -> Self {
        Self {
            flow,
            fault,
            calls_before: 0,
            cancel: ClientKey {
                key: format!("{}-cancel", key.key),
                ..key.clone()
            },
            place: key,
            order_id: None,
            retries: 0,
            stopped: false,
        }
    }

    /// Runs the scenario in one process; `None` if the process died. The fault is switched on when
    /// it matters.
    pub async fn tell(&mut self, world: &World, life: &mut Life) -> Option<()> {
        if self.flow != Flow::CancelLate {
            self.turn_bad(world, life);
        }
        let (order_id, is_another_life) = self.place(world, life).await?;
        self.order_id = Some(order_id);
        if is_another_life {
            world.let_its_lease_end(order_id).await;
        }
        if self.flow == Flow::Stop && !self.stopped {
            life.stop().await;
            // The next process continues.
            self.stopped = true;
            return None;
        }
        if self.flow == Flow::CancelEarly {
            self.cancel(world, life, order_id).await?;
        }
        self.until_rest(world, life, order_id).await?;
        if self.flow == Flow::CancelLate {
            self.turn_bad(world, life);
            self.cancel(world, life, order_id).await?;
            self.until_rest(world, life, order_id).await?;
        }
        // Requests that the peer is still executing for a dead client finish now. Then the parcel
        // is tracked, or the late-arrival check runs.
        world.sandbox.wait_until_idle().await;
        self.one_more_turn(world, order_id).await;
        self.until_rest(world, life, order_id).await
    }

    /// Arms the failpoint and the fault, once in the whole scenario.
    fn turn_bad(&mut self, world: &World, life: &Life) {
        life.watch.arm();
        if let Some(fault) = self.fault.take() {
            self.calls_before = world.calls(fault.operation);
            world.sandbox.set_fault(fault);
        }
    }

    /// The order's id, and whether an earlier process had placed it.
    async fn place(&self, world: &World, life: &Life) -> Option<(OrderId, bool)> {
        let (orders, customer) = (life.orders(), world.customer.clone());
        let (cart, key) = (world.cart(), self.place.clone());
        let placing = async move { orders.place::<Error>(&customer, Ok(cart), Some(key)).await };
        match life.live(placing).await? {
            Ok(placed) => Some((placed.order.order_id, placed.replayed)),
            Err(_) if life.watch.is_dead() => None,
            Err(error) => panic!("not placed: {error}"),
        }
    }

    async fn cancel(&self, world: &World, life: &Life, order_id: OrderId) -> Option<()> {
        let (orders, customer) = (life.orders(), world.customer.clone());
        let key = self.cancel.clone();
        let cancelling = async move {
            orders
                .cancel(&customer, order_id, Some(key), Expected::Any)
                .await
        };
        // A cancel may be refused; the order is then judged as a confirmed one.
        let _ = life.live(cancelling).await?;
        (!life.watch.is_dead()).then_some(())
    }

    async fn until_rest(&mut self, world: &World, life: &Life, order_id: OrderId) -> Option<()> {
        let begun = Instant::now();
        loop {
            if life.watch.is_dead() {
                return None;
            }
            let standing = world.standing(order_id).await;
            let waited = begun.elapsed();
            assert!(waited < PATIENCE, "has not settled: {standing:?}");
            if !standing.is_at_rest() {
                world.let_its_turn_come(order_id).await;
            } else if standing.phase == "stuck" {
                self.retries += 1;
                assert!(
                    self.retries <= RETRIES,
                    "a person cannot help: {standing:?}"
                );
                self.retry(world, life, order_id).await?;
            } else if standing.cancel_requested {
                world.let_its_turn_come(order_id).await;
            } else {
                return Some(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn retry(&self, world: &World, life: &Life, order_id: OrderId) -> Option<()> {
        world.sandbox.clear_faults();
        let (orders, staff) = (life.orders(), world.staff.clone());
        let decision = Resolution::Retry;
        let deciding = async move {
            let reason = "the peer is in order again".to_owned();
            orders.resolve(&staff, order_id, decision, reason).await
        };
        let decided = life.live(deciding).await?;
        (decided.is_ok() || !life.watch.is_dead()).then_some(())
    }

    /// Waits until the next run of the saga has begun.
    async fn one_more_turn(&self, world: &World, order_id: OrderId) {
        let deadline = Instant::now() + PATIENCE;
        let mut before = world.standing(order_id).await;
        while before.leased {
            tokio::time::sleep(LOOK).await;
            before = world.standing(order_id).await;
        }
        if !before.is_due {
            return;
        }
        world.let_its_turn_come(order_id).await;
        while world.standing(order_id).await.epoch == before.epoch {
            assert!(Instant::now() < deadline, "nobody looks again: {before:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}
