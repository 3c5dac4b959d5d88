//! Questions that come while the database is busy with others like them are answered together, by one
//! statement. Many clients cost it less than each on its own would, and one alone waits for nobody.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Database, Error};

/// How many statements run at a time: one while the answer to the other is on its way.
const READERS: usize = 2;
/// How long one may take until it does not count any more, so that it does not hold up others.
const PATIENCE: Duration = Duration::from_millis(50);

/// A question of which one statement answers many.
pub(super) trait Question: Clone + Eq + Hash + Send + Sync + 'static {
    /// What it is answered by.
    type Answer: Clone + Send + 'static;

    /// How many of them one statement answers.
    const TOGETHER: usize;

    /// Answers questions, each of them different, in their order.
    fn read(
        database: &Database,
        questions: &[Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, Error>> + Send;
}

/// Answers questions from one database. Cheap to clone.
pub(super) struct Together<Q: Question> {
    database: Database,
    desk: Arc<Mutex<Desk<Q>>>,
}

impl<Q: Question> Clone for Together<Q> {
    fn clone(&self) -> Self {
        Self {
            database: self.database.clone(),
            desk: self.desk.clone(),
        }
    }
}

/// Who waits, and how many readers are at work.
struct Desk<Q: Question> {
    waiting: VecDeque<Ask<Q>>,
    readers: usize,
}

impl<Q: Question> Desk<Q> {
    /// Counts one more reader, if there is room and somebody waits.
    fn takes_reader(&mut self) -> bool {
        let is_wanted = self.readers < READERS && !self.waiting.is_empty();
        self.readers += usize::from(is_wanted);
        is_wanted
    }
}

struct Ask<Q: Question> {
    question: Q,
    answer: oneshot::Sender<Result<Q::Answer, Error>>,
}

impl<Q: Question> Ask<Q> {
    fn is_awaited(&self) -> bool {
        !self.answer.is_closed()
    }

    fn answer(self, answer: Result<Q::Answer, Error>) {
        // Whoever has gone in the meantime does not mind.
        let _ = self.answer.send(answer);
    }
}

/// Who asks what.
type Asks<Q> = HashMap<Q, Vec<Ask<Q>>>;

impl<Q: Question> Together<Q> {
    /// Answers from this database.
    pub fn new(database: Database) -> Self {
        let desk = Desk {
            waiting: VecDeque::new(),
            readers: 0,
        };
        Self {
            database,
            desk: Arc::new(Mutex::new(desk)),
        }
    }

    /// The answer to a question, as it stands no earlier than now.
    pub async fn ask(&self, question: Q) -> Result<Q::Answer, Error> {
        let answered = self.begin(question);
        let given_up = |_| Err(Error::Unavailable("the read was given up".into()));
        self.database
            .limited(async { answered.await.unwrap_or_else(given_up) })
            .await
    }

    fn begin(&self, question: Q) -> oneshot::Receiver<Result<Q::Answer, Error>> {
        let (answer, answered) = oneshot::channel();
        let mut desk = self.desk();
        desk.waiting.push_back(Ask { question, answer });
        let is_wanted = desk.takes_reader();
        drop(desk);
        self.begin_if(is_wanted);
        answered
    }

    /// Not under the lock: a runtime that ends drops the reader at once, which takes the lock itself.
    fn begin_if(&self, is_wanted: bool) {
        if is_wanted {
            let reader = Reader {
                together: self.clone(),
                is_counted: true,
            };
            tokio::spawn(reader.read_all());
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk<Q>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, mut asks: Asks<Q>) {
        let questions: Vec<Q> = asks.keys().cloned().collect();
        match Q::read(&self.database, &questions).await {
            Ok(answers) => {
                for (question, answer) in questions.iter().zip(answers) {
                    let mut of_this = asks.remove(question).unwrap_or_default();
                    let last = of_this.pop();
                    for ask in of_this {
                        ask.answer(Ok(answer.clone()));
                    }
                    if let Some(ask) = last {
                        ask.answer(Ok(answer));
                    }
                }
            }
            Err(error) if error.is_transient() || questions.len() == 1 => {
                for ask in asks.into_values().flatten() {
                    ask.answer(Err(error.told_again()));
                }
            }
            // What cannot be read for one is nobody else's trouble.
            Err(_) => {
                for (question, mut of_one) in asks {
                    of_one.retain(Ask::is_awaited);
                    if !of_one.is_empty() {
                        Box::pin(self.answer(HashMap::from([(question, of_one)]))).await;
                    }
                }
            }
        }
    }
}

/// At work as long as somebody waits.
struct Reader<Q: Question> {
    together: Together<Q>,
    /// Whether it counts among the readers.
    is_counted: bool,
}

impl<Q: Question> Reader<Q> {
    async fn read_all(mut self) {
        while self.is_counted
            && let Some(asks) = self.next()
        {
            let together = self.together.clone();
            let mut answering = pin!(together.answer(asks));
            if timeout(PATIENCE, &mut answering).await.is_err() {
                self.leave();
                answering.await;
            }
        }
    }

    /// Who waits for which answer. Nobody: then it has left, before anybody else can come and rely on it.
    fn next(&mut self) -> Option<Asks<Q>> {
        let mut desk = self.together.desk();
        let mut asks = Asks::new();
        while asks.len() < Q::TOGETHER
            && let Some(ask) = desk.waiting.pop_front()
        {
            if ask.is_awaited() {
                asks.entry(ask.question.clone()).or_default().push(ask);
            }
        }
        if asks.is_empty() {
            self.is_counted = false;
            desk.readers -= 1;
            return None;
        }
        Some(asks)
    }

    /// Makes room for another one.
    fn leave(&mut self) {
        self.is_counted = false;
        let mut desk = self.together.desk();
        desk.readers -= 1;
        let is_wanted = desk.takes_reader();
        drop(desk);
        self.together.begin_if(is_wanted);
    }
}

/// Nobody may wait for a reader that is gone, whyever it went.
impl<Q: Question> Drop for Reader<Q> {
    fn drop(&mut self) {
        if self.is_counted {
            let mut desk = self.together.desk();
            desk.readers -= 1;
            if desk.readers == 0 {
                desk.waiting.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use futures_util::future::join_all;
    use sqlx::postgres::PgConnectOptions;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::db::Limits;
    use crate::db::pool::Pooler;
    use crate::metrics::Metrics;

    /// What was asked together, and who is let through to an answer.
    struct Log {
        sizes: Mutex<Vec<usize>>,
        gate: Semaphore,
    }

    /// Asks for twice a number; of a negative one nothing can be read.
    #[derive(Clone)]
    struct Twice(i64, Arc<Log>);

    impl PartialEq for Twice {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }

    impl Eq for Twice {}

    impl Hash for Twice {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    impl Question for Twice {
        type Answer = i64;

        const TOGETHER: usize = 10;

        async fn read(_: &Database, questions: &[Self]) -> Result<Vec<i64>, Error> {
            let log = &questions[0].1;
            log.sizes.lock().unwrap().push(questions.len());
            let _permit = log.gate.acquire().await.unwrap();
            match questions.iter().find(|question| question.0 < 0) {
                Some(question) => Err(Error::Unreadable {
                    column: "number",
                    order_id: question.0,
                }),
                None => Ok(questions.iter().map(|question| question.0 * 2).collect()),
            }
        }
    }

    fn together() -> (Together<Twice>, Arc<Log>) {
        let limits = Limits {
            max_connections: 1,
            acquire_timeout: Duration::from_secs(1),
            pooler: Pooler::None,
            takes_standby: false,
        };
        // Connects when it is asked for a connection, which it is not.
        let options = PgConnectOptions::new_without_pgpass();
        let database = Database::new(options, limits, Arc::new(Metrics::new().unwrap())).unwrap();
        let log = Log {
            sizes: Mutex::default(),
            gate: Semaphore::new(0),
        };
        (Together::new(database), Arc::new(log))
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn concurrent_loads_share_a_few_statements() {
        let (together, log) = together();
        let sizes = || log.sizes.lock().unwrap().clone();
        let ask = |number: i64| together.ask(Twice(number % 25, log.clone()));
        let asking = join_all((0..100).map(ask));
        let looking = async {
            // Nobody is let through: there are more only if those who are held up make room.
            let more = async {
                while sizes().len() <= READERS {
                    tokio::time::sleep(PATIENCE / 10).await;
                }
            };
            timeout(PATIENCE * 100, more).await.unwrap();
            log.gate.add_permits(READERS);
        };
        let (answers, ()) = tokio::join!(asking, looking);
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        let expected: Vec<_> = (0..100).map(|number| number % 25 * 2).collect();
        assert_eq!(answers, expected);
        assert_eq!(sizes(), [10; 10]);
    }

    #[tokio::test]
    async fn an_unreadable_row_fails_its_own_load_only() {
        let (together, log) = together();
        log.gate.add_permits(READERS);
        let ask = |number| together.ask(Twice(number, log.clone()));
        for (number, answer) in (-1..8).zip(join_all((-1..8).map(ask)).await) {
            match number {
                -1 => assert!(matches!(
                    answer,
                    Err(Error::Unreadable { order_id: -1, .. })
                )),
                _ => assert_eq!(answer.unwrap(), number * 2),
            }
        }
    }

    #[tokio::test]
    async fn abandoned_loads_are_not_executed() {
        let (together, log) = together();
        let ask = |number| {
            let (together, question) = (together.clone(), Twice(number, log.clone()));
            tokio::spawn(async move { together.ask(question).await })
        };
        let mut asking = Vec::new();
        for number in 1..=4 {
            asking.push(ask(number));
            settle().await;
        }
        asking.remove(2).abort();
        settle().await;
        log.gate.add_permits(READERS);
        for (asking, answer) in asking.into_iter().zip([2, 4, 8]) {
            assert_eq!(asking.await.unwrap().unwrap(), answer);
        }
        assert_eq!(*log.sizes.lock().unwrap(), [1; 3]);
    }
}
