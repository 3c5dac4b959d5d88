//! Questions that come while the database is busy with others like them are answered together, by one
//! statement. Many clients cost it less than each on its own would, and one alone waits for nobody.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Database, Error, run};

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
        conn: &mut PgConnection,
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
        match run!(self.database, |conn| Q::read(conn, &questions)).await {
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
            Err(error) if error.passes() || questions.len() == 1 => {
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
