//! One connection: several questions are under way on it at once, and are answered in their order.
//!
//! A question is a task of the process's runtime, which takes its answer in whether or not somebody still waits for it: so a caller
//! that is held up holds up nobody else's answer, and one that walks away leaves the next question its own answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use everwarm_core::store::Failure;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};

use super::error::{is_missing, is_undone, refused};
use super::schema::Names;
use super::statements::{STATEMENTS, Statement};

/// The values of a question's parameters.
pub(crate) type Values = Vec<Box<dyn ToSql + Sync + Send>>;

/// How often a step is done again that another one's step has undone.
const AGAIN: usize = 8;

/// A connection that was made.
pub(crate) struct Connection {
    client: Client,
    names: Arc<Names>,
    prepared: [OnceCell<tokio_postgres::Statement>; STATEMENTS],
    /// Carries what is asked and answered.
    task: AbortHandle,
    under_way: AtomicUsize,
    /// Somebody walked away from a question: nothing more is asked before the server has shown that it still answers.
    is_doubtful: AtomicBool,
    /// Tables are missing, or are others: it takes another connection to make them.
    is_spent: AtomicBool,
}

impl Connection {
    pub(crate) fn new(client: Client, names: Arc<Names>, task: AbortHandle) -> Self {
        Self {
            client,
            names,
            prepared: [const { OnceCell::const_new() }; STATEMENTS],
            task,
            under_way: AtomicUsize::new(0),
            is_doubtful: AtomicBool::new(false),
            is_spent: AtomicBool::new(false),
        }
    }

    /// Whether something may be asked on it.
    pub(crate) fn serves(&self) -> bool {
        self.lives() && !self.is_doubtful.load(Ordering::Relaxed)
    }

    /// Whether it will serve again.
    pub(crate) fn lives(&self) -> bool {
        !self.client.is_closed() && !self.is_spent.load(Ordering::Relaxed)
    }

    /// How many questions are under way.
    pub(crate) fn load(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Counts a question that is about to be asked.
    pub(crate) fn takes(self: &Arc<Self>) -> Turn {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Turn(Arc::clone(self))
    }

    /// Takes note that somebody walked away; whether nobody had before.
    pub(crate) fn doubts(&self) -> bool {
        !self.is_doubtful.swap(true, Ordering::Relaxed)
    }

    /// Takes note that the server answers.
    pub(crate) fn trusts(&self) {
        self.is_doubtful.store(false, Ordering::Relaxed);
    }

    /// Whether the server has answered everything before this.
    pub(crate) async fn answers(&self) -> bool {
        self.client.simple_query("").await.is_ok()
    }

    /// Ends it: what is under way fails.
    pub(crate) fn end(&self) {
        self.task.abort();
    }

    /// The rows that answer a statement. A step that the server undid for another one's sake is done again.
    pub(crate) async fn rows(
        &self,
        statement: Statement,
        values: &Values,
    ) -> Result<Vec<Row>, Failure> {
        let mut again = AGAIN;
        loop {
            match self.rows_once(statement, values).await {
                Err(error) if again > 0 && is_undone(&error) => again -= 1,
                Err(error) => {
                    if is_missing(&error) {
                        self.is_spent.store(true, Ordering::Relaxed);
                    }
                    return Err(refused(&error));
                }
                Ok(rows) => return Ok(rows),
            }
        }
    }

    async fn rows_once(&self, statement: Statement, values: &Values) -> Result<Vec<Row>, Error> {
        let prepared = self.prepared[statement as usize].get_or_try_init(|| async {
            let (text, types) = statement.written(&self.names);
            self.client.prepare_typed(&text, &types).await
        });
        let prepared = prepared.await?;
        let values: Vec<&(dyn ToSql + Sync)> = values
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect();
        self.client.query(prepared, &values).await
    }
}

/// A question that is under way on a connection.
pub(crate) struct Turn(Arc<Connection>);

impl Turn {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
