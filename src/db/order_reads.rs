//! Reads of single orders. Those that are asked for while the database is busy with others are read
//! together, by one statement: many clients cost it a third of what each on its own would, and one alone
//! waits for nobody.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::domain::ids::{CustomerId, OrderId};
use crate::domain::order::Order;

use super::orders::{of_numbers, owned_by};
use super::{Database, Error, run};

/// How many statements run at a time: one while the answer to the other is on its way.
const READERS: usize = 2;
/// How long one may take until it does not count any more, so that it does not hold up others.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many orders one statement reads.
const TOGETHER: usize = 64;

/// Reads single orders. Cheap to clone.
#[derive(Clone)]
pub struct OrderReads {
    database: Database,
    desk: Arc<Mutex<Desk>>,
}

/// Who waits, and how many readers are at work.
#[derive(Default)]
struct Desk {
    waiting: Vec<Ask>,
    readers: usize,
}

impl Desk {
    /// Counts one more reader, if there is room and somebody waits.
    fn takes_reader(&mut self) -> bool {
        let is_wanted = self.readers < READERS && !self.waiting.is_empty();
        self.readers += usize::from(is_wanted);
        is_wanted
    }
}

struct Ask {
    number: i64,
    answer: oneshot::Sender<Result<Option<Order>, Error>>,
}

impl Ask {
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn answer(self, found: Result<Option<Order>, Error>) {
        // Whoever has gone in the meantime does not mind.
        let _ = self.answer.send(found);
    }
}

impl OrderReads {
    /// Reads from this database.
    pub fn new(database: Database) -> Self {
        Self {
            database,
            desk: Arc::default(),
        }
    }

    /// An order with its lines, as it stands no earlier than now; `None` when there is none of that
    /// number or it is not `owner`'s.
    #[tracing::instrument(name = "db.orders.find", skip_all)]
    pub async fn find(
        &self,
        owner: Option<CustomerId>,
        order_id: OrderId,
    ) -> Result<Option<Order>, Error> {
        let answered = self.ask(order_id.0);
        let given_up = |_| Err(Error::Unavailable("the read was given up".into()));
        let found = self
            .database
            .limited(async { answered.await.unwrap_or_else(given_up) })
            .await?;
        Ok(found.filter(|order| owned_by(order, owner)))
    }

    fn ask(&self, number: i64) -> oneshot::Receiver<Result<Option<Order>, Error>> {
        let (answer, answered) = oneshot::channel();
        let mut desk = self.desk();
        desk.waiting.push(Ask { number, answer });
        let is_wanted = desk.takes_reader();
        drop(desk);
        self.begin_if(is_wanted);
        answered
    }

    /// Not under the lock: a runtime that ends drops the reader at once, which takes the lock itself.
    fn begin_if(&self, is_wanted: bool) {
        if is_wanted {
            let reader = Reader {
                reads: self.clone(),
                is_counted: true,
            };
            tokio::spawn(reader.read_all());
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, mut asks: HashMap<i64, Vec<Ask>>) {
        let numbers: Vec<i64> = asks.keys().copied().collect();
        match self.of_numbers(&numbers).await {
            Ok(orders) => {
                for order in orders {
                    let mut of_this = asks.remove(&order.order_id.0).unwrap_or_default();
                    let last = of_this.pop();
                    for ask in of_this {
                        ask.answer(Ok(Some(order.clone())));
                    }
                    if let Some(ask) = last {
                        ask.answer(Ok(Some(order)));
                    }
                }
                for ask in asks.into_values().flatten() {
                    ask.answer(Ok(None));
                }
            }
            Err(error) if error.passes() || numbers.len() == 1 => {
                for ask in asks.into_values().flatten() {
                    ask.answer(Err(error.told_again()));
                }
            }
            // What cannot be read of one order is nobody else's trouble.
            Err(_) => {
                for (number, mut of_one) in asks {
                    of_one.retain(Ask::is_awaited);
                    if !of_one.is_empty() {
                        Box::pin(self.answer(HashMap::from([(number, of_one)]))).await;
                    }
                }
            }
        }
    }

    async fn of_numbers(&self, numbers: &[i64]) -> Result<Vec<Order>, Error> {
        run!(self.database, |conn| of_numbers(conn, numbers)).await
    }
}

/// At work as long as somebody waits.
struct Reader {
    reads: OrderReads,
    /// Whether it counts among the readers.
    is_counted: bool,
}

impl Reader {
    async fn read_all(mut self) {
        while self.is_counted
            && let Some(asks) = self.next()
        {
            let reads = self.reads.clone();
            let mut answering = pin!(reads.answer(asks));
            if timeout(PATIENCE, &mut answering).await.is_err() {
                self.leave();
                answering.await;
            }
        }
    }

    /// Who waits for which order. Nobody: then it has left, before anybody else can come and rely on it.
    fn next(&mut self) -> Option<HashMap<i64, Vec<Ask>>> {
        let mut desk = self.reads.desk();
        let count = desk.waiting.len().min(TOGETHER);
        let mut asks: HashMap<_, Vec<_>> = HashMap::with_capacity(count);
        for ask in desk.waiting.drain(..count) {
            if ask.is_awaited() {
                asks.entry(ask.number).or_default().push(ask);
            }
        }
        if asks.is_empty() {
            self.is_counted = false;
            desk.readers -= 1;
            let is_wanted = desk.takes_reader();
            drop(desk);
            self.reads.begin_if(is_wanted);
            return None;
        }
        Some(asks)
    }

    /// Makes room for another one.
    fn leave(&mut self) {
        self.is_counted = false;
        let mut desk = self.reads.desk();
        desk.readers -= 1;
        let is_wanted = desk.takes_reader();
        drop(desk);
        self.reads.begin_if(is_wanted);
    }
}

/// Nobody may wait for a reader that is gone, whyever it went.
impl Drop for Reader {
    fn drop(&mut self) {
        if self.is_counted {
            let mut desk = self.reads.desk();
            desk.readers -= 1;
            if desk.readers == 0 {
                desk.waiting.clear();
            }
        }
    }
}
