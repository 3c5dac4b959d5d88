//! A scenario for one order from the client's side. Each process repeats the whole scenario with
//! the same keys, until one reaches the end.

use std::time::{Duration, Instant};

use order_service::domain::ids::OrderId;
use order_service::orders::{ClientKey, Error, Expected, Resolution};
use sandbox::Fault;

use super::environment::CrashEnvironment;
use super::process::SimulatedProcess;

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
const POLL: Duration = Duration::from_millis(3);

/// One client with the idempotency keys that it reuses in every process.
pub struct Scenario {
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

impl Scenario {
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
    pub async fn run(
        &mut self,
        environment: &CrashEnvironment,
        process: &mut SimulatedProcess,
    ) -> Option<()> {
        if self.flow != Flow::CancelLate {
            self.arm(environment, process);
        }
        let (order_id, is_replayed) = self.place(environment, process).await?;
        self.order_id = Some(order_id);
        if is_replayed {
            environment.expire_lease(order_id).await;
        }
        if self.flow == Flow::Stop && !self.stopped {
            process.stop().await;
            // The next process continues.
            self.stopped = true;
            return None;
        }
        if self.flow == Flow::CancelEarly {
            self.cancel(environment, process, order_id).await?;
        }
        self.until_rest(environment, process, order_id).await?;
        if self.flow == Flow::CancelLate {
            self.arm(environment, process);
            self.cancel(environment, process, order_id).await?;
            self.until_rest(environment, process, order_id).await?;
        }
        // Requests that the peer is still executing for a dead client finish now. Then the parcel
        // is tracked, or the late-arrival check runs.
        environment.sandbox.wait_until_idle().await;
        self.until_next_run(environment, order_id).await;
        self.until_rest(environment, process, order_id).await
    }

    /// Arms the failpoint and the fault, once in the whole scenario.
    fn arm(&mut self, environment: &CrashEnvironment, process: &SimulatedProcess) {
        process.watch.arm();
        if let Some(fault) = self.fault.take() {
            self.calls_before = environment.calls(fault.operation);
            environment.sandbox.set_fault(fault);
        }
    }

    /// The order's id, and whether an earlier process had placed it.
    async fn place(
        &self,
        environment: &CrashEnvironment,
        process: &SimulatedProcess,
    ) -> Option<(OrderId, bool)> {
        let (orders, customer) = (process.orders(), environment.customer.clone());
        let (cart, key) = (environment.cart(), self.place.clone());
        let placing = async move { orders.place::<Error>(&customer, Ok(cart), Some(key)).await };
        match process.run(placing).await? {
            Ok(placed) => Some((placed.order.order_id, placed.replayed)),
            Err(_) if process.watch.is_dead() => None,
            Err(error) => panic!("not placed: {error}"),
        }
    }

    async fn cancel(
        &self,
        environment: &CrashEnvironment,
        process: &SimulatedProcess,
        order_id: OrderId,
    ) -> Option<()> {
        let (orders, customer) = (process.orders(), environment.customer.clone());
        let key = self.cancel.clone();
        let cancelling = async move {
            orders
                .cancel(&customer, order_id, Some(key), Expected::Any)
                .await
        };
        // A cancel may be refused; the order is then judged as a confirmed one.
        let _ = process.run(cancelling).await?;
        (!process.watch.is_dead()).then_some(())
    }

    async fn until_rest(
        &mut self,
        environment: &CrashEnvironment,
        process: &SimulatedProcess,
        order_id: OrderId,
    ) -> Option<()> {
        let begun = Instant::now();
        loop {
            if process.watch.is_dead() {
                return None;
            }
            let saga_status = environment.saga_status(order_id).await;
            let waited = begun.elapsed();
            assert!(waited < PATIENCE, "has not settled: {saga_status:?}");
            if !saga_status.is_at_rest() {
                environment.make_due(order_id).await;
            } else if saga_status.phase == "stuck" {
                self.retries += 1;
                assert!(
                    self.retries <= RETRIES,
                    "retries by staff do not help: {saga_status:?}"
                );
                self.retry(environment, process, order_id).await?;
            } else if saga_status.cancel_requested {
                environment.make_due(order_id).await;
            } else {
                return Some(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn retry(
        &self,
        environment: &CrashEnvironment,
        process: &SimulatedProcess,
        order_id: OrderId,
    ) -> Option<()> {
        environment.sandbox.clear_faults();
        let (orders, staff) = (process.orders(), environment.staff.clone());
        let decision = Resolution::Retry;
        let deciding = async move {
            let reason = "the peer is in order again".to_owned();
            orders.resolve(&staff, order_id, decision, reason).await
        };
        let decided = process.run(deciding).await?;
        (decided.is_ok() || !process.watch.is_dead()).then_some(())
    }

    /// Waits until the next run of the saga has begun.
    async fn until_next_run(&self, environment: &CrashEnvironment, order_id: OrderId) {
        let deadline = Instant::now() + PATIENCE;
        let mut before = environment.saga_status(order_id).await;
        while before.leased {
            tokio::time::sleep(POLL).await;
            before = environment.saga_status(order_id).await;
        }
        if !before.is_due {
            return;
        }
        environment.make_due(order_id).await;
        while environment.saga_status(order_id).await.epoch == before.epoch {
            assert!(
                Instant::now() < deadline,
                "the next run has not begun: {before:?}"
            );
            tokio::time::sleep(POLL).await;
        }
    }
}
