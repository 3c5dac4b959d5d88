//! What happens to one order, told from the client's side: each life goes through the whole story
//! again with the same keys, until one comes to its end.

use std::time::{Duration, Instant};

use order_service::domain::ids::OrderId;
use order_service::orders::{ClientKey, Error, Expected, Resolution};
use sandbox::Fault;

use super::environment::World;
use super::process::Life;

/// What the client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Places an order.
    Place,
    /// Places an order, and cancels it at once.
    CancelEarly,
    /// Places an order, and cancels it when it stands.
    CancelLate,
    /// Places an order, and the service is stopped in good order meanwhile.
    Stop,
}

impl Flow {
    pub const ALL: [Self; 4] = [Self::Place, Self::CancelEarly, Self::CancelLate, Self::Stop];
}

/// How long an order may take to settle before that counts as a fault.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a person tries again before that counts as a fault.
const RETRIES: u32 = 5;
/// How often the order is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// The keys that the client uses in every life.
pub struct Story {
    pub flow: Flow,
    pub place: ClientKey,
    pub cancel: ClientKey,
    pub order_id: Option<OrderId>,
    /// What a peer does wrong, until it does.
    fault: Option<Fault>,
    /// How often the operation that it befalls had been called before.
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

    /// Goes through the story in one life; `None` when it died on the way. The fault is switched on
    /// when it matters.
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
            // Once it is stopped, the next life goes on.
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
        // What a peer was still doing for somebody who had left is done now; then the parcel is
        // asked after, or the peers are asked once more.
        world.sandbox.wait_until_idle().await;
        self.one_more_turn(world, order_id).await;
        self.until_rest(world, life, order_id).await
    }

    /// From now on the process may die, and a peer misbehaves: once in the whole story.
    fn turn_bad(&mut self, world: &World, life: &Life) {
        life.watch.arm();
        if let Some(fault) = self.fault.take() {
            self.calls_before = world.calls(fault.operation);
            world.sandbox.set_fault(fault);
        }
    }

    /// The order's number, and whether an earlier life had placed it.
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
        // A cancel may be refused: the order then stands, and is judged as one that does.
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

    /// The order's next turn has come, and goes by.
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
