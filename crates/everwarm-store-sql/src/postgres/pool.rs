//! The connections of one process: few, each with several questions under way.
//!
//! Who asks is given the one with the fewest questions. Where all have some, and there may be more, another one is made meanwhile.
//! One of whose questions somebody walked away is given to nobody before the server has answered everything on it: it may be that the
//! server is gone, and nobody said so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use everwarm_core::store::Failure;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::Row;

use super::connection::{Connection, Turn, Values};
use super::dial::Dialer;
use super::statements::Statement;
use crate::server::failure::{closed, ended};

/// For how long nobody tries to connect again where nobody could.
const PAUSE: Duration = Duration::from_millis(50);

/// The outcome of an attempt to connect, once it is there.
type Outcome = Option<Result<(), Failure>>;

/// The connections of one process.
pub(crate) struct Pool {
    dialer: Arc<Dialer>,
    state: Mutex<State>,
    /// Tells of each doubt that is over.
    seen: watch::Sender<()>,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct State {
    open: Vec<Arc<Connection>>,
    /// The attempt that is made.
    opening: Option<watch::Receiver<Outcome>>,
    /// Why the last attempt failed, and when.
    failed: Option<(Instant, Failure)>,
}

/// What is there for who asks.
enum Given {
    Turn(Turn),
    /// One is made.
    Opening(watch::Receiver<Outcome>),
    /// Of all of them it is to be seen whether their servers still answer.
    Doubtful(watch::Receiver<()>),
}

impl Pool {
    pub(crate) fn new(dialer: &Arc<Dialer>) -> Self {
        Self {
            dialer: Arc::clone(dialer),
            state: Mutex::default(),
            seen: watch::Sender::new(()),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The rows that answer a statement.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        statement: Statement,
        values: Values,
    ) -> Result<Vec<Row>, Failure> {
        let mut rows = self.ask_each(vec![(statement, values)]).await?;
        rows.pop().unwrap_or_else(|| Err(ended()))
    }

    /// The rows that answer each of many statements, which are asked at once and on one connection: each sees what those before it did.
    pub(crate) async fn ask_each(
        self: &Arc<Self>,
        asked: Vec<(Statement, Values)>,
    ) -> Result<Vec<Result<Vec<Row>, Failure>>, Failure> {
        let runtime = everwarm_runtime::handle()?;
        let turn = self.turn().await?;
        let mut walked = Walked {
            pool: self,
            connection: Arc::clone(turn.connection()),
            is_over: false,
        };
        let task = runtime.spawn(async move {
            let connection = turn.connection();
            let each = asked.iter();
            join_all(each.map(|(statement, values)| connection.rows(*statement, values))).await
        });
        let said = task.await;
        walked.is_over = true;
        said.map_err(|_| ended())
    }

    /// A connection, and the right to ask on it.
    async fn turn(self: &Arc<Self>) -> Result<Turn, Failure> {
        loop {
            let mut opening = match self.give()? {
                Given::Turn(turn) => return Ok(turn),
                Given::Opening(opening) => opening,
                Given::Doubtful(mut seen) => {
                    // It fails when the store is gone, and then nobody asks.
                    let _ = seen.changed().await;
                    continue;
                }
            };
            let outcome = opening.wait_for(Option::is_some).await;
            match outcome.map(|outcome| outcome.clone()) {
                Ok(Some(Err(failure))) => return Err(failure),
                Ok(_) => {}
                Err(_) => return Err(self.refusal().unwrap_or_else(ended)),
            }
        }
    }

    fn give(self: &Arc<Self>) -> Result<Given, Failure> {
        let mut state = self.state.lock();
        if let Some(closed) = self.refusal() {
            return Err(closed);
        }
        state.open.retain(|connection| connection.lives());
        let serving = state.open.iter().filter(|connection| connection.serves());
        let count = serving.clone().count();
        let least = serving.min_by_key(|connection| connection.load()).cloned();
        let is_enough = count >= self.dialer.config.connections
            || least
                .as_ref()
                .is_some_and(|connection| connection.load() == 0);
        if !is_enough {
            // A server that answers nothing is not given ever more connections.
            let may_open = state.open.len() < 2 * self.dialer.config.connections;
            match (&state.opening, &state.failed) {
                (Some(_), _) => {}
                (None, Some((when, failure))) if when.elapsed() < PAUSE => {
                    if least.is_none() {
                        return Err(failure.clone());
                    }
                }
                (None, _) if !may_open => {}
                (None, _) => state.opening = Some(self.open()?),
            }
        }
        match (least, &state.opening) {
            (Some(connection), _) => Ok(Given::Turn(connection.takes())),
            (None, Some(opening)) => Ok(Given::Opening(opening.clone())),
            (None, None) => Ok(Given::Doubtful(self.seen.subscribe())),
        }
    }

    /// Begins to make a connection.
    fn open(self: &Arc<Self>) -> Result<watch::Receiver<Outcome>, Failure> {
        let (tell, told) = watch::channel(None);
        let pool = Arc::clone(self);
        everwarm_runtime::handle()?.spawn(async move {
            let made = pool.dialer.connection().await;
            let mut state = pool.state.lock();
            state.opening = None;
            let outcome = match made {
                Ok(connection) => {
                    state.failed = None;
                    if !pool.is_closed.load(Ordering::Relaxed) {
                        state.open.push(Arc::new(connection));
                    }
                    Ok(())
                }
                Err(failure) => {
                    state.failed = Some((Instant::now(), failure.clone()));
                    Err(failure)
                }
            };
            drop(state);
            // Nobody may be waiting any more.
            let _ = tell.send(Some(outcome));
        });
        Ok(told)
    }

    /// Sees whether the server still answers on a connection of which somebody walked away.
    fn doubt(self: &Arc<Self>, connection: &Arc<Connection>) {
        let Ok(runtime) = everwarm_runtime::handle() else {
            return connection.end();
        };
        if !connection.doubts() {
            return;
        }
        let (pool, connection) = (Arc::clone(self), Arc::clone(connection));
        let limit = self.dialer.config.connect_timeout;
        runtime.spawn(async move {
            match timeout(limit, connection.answers()).await {
                Ok(true) => connection.trusts(),
                _ => connection.end(),
            }
            pool.seen.send_replace(());
        });
    }

    /// Why nothing may be asked any more.
    fn refusal(&self) -> Option<Failure> {
        self.is_closed.load(Ordering::Relaxed).then(closed)
    }

    /// How many connections are there.
    pub(crate) fn count(&self) -> usize {
        let state = self.state.lock();
        state
            .open
            .iter()
            .filter(|connection| connection.lives())
            .count()
    }

    /// Ends all connections, for good, once what is under way on them is answered.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let open = std::mem::take(&mut self.state.lock().open);
        drop(open);
    }
}

/// Notices who walks away from a question.
struct Walked<'a> {
    pool: &'a Arc<Pool>,
    connection: Arc<Connection>,
    is_over: bool,
}

impl Drop for Walked<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.pool.doubt(&self.connection);
        }
    }
}
