//! What one process has of a store in PostgreSQL.

use std::sync::Arc;

use everwarm_core::store::Failure;
use tokio::task::AbortHandle;
use tokio_postgres::Row;

use super::connection::Values;
use super::dial::Dialer;
use super::listening;
use super::pool::Pool;
use super::statements::Statement;
use super::sweep::sweep;
use crate::server::again::time_and_again;
use crate::server::hearing::Hearing;
use crate::server::link::{Link, Own};
use crate::server::teller::Trust;

/// What one process has.
pub(crate) struct Connected {
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    hearing: Arc<Hearing>,
    trust: Trust,
}

impl Connected {
    /// Of a process that has connected to nothing.
    pub(crate) fn new(dialer: Dialer, trust: Trust) -> Self {
        let dialer = Arc::new(dialer);
        Self {
            pool: Arc::new(Pool::new(&dialer)),
            hearing: Arc::new(Hearing::new(dialer.names.channel(), Arc::clone(&trust))),
            dialer,
            trust,
        }
    }
}

impl Own for Connected {
    fn again(&self) -> Self {
        Self::new(self.dialer.again(), Arc::clone(&self.trust))
    }

    fn begin(&self) -> Result<Vec<AbortHandle>, Failure> {
        let runtime = everwarm_runtime::handle()?;
        let listens = listening::listen(Arc::clone(&self.hearing), Arc::clone(&self.dialer));
        let mut tasks = vec![runtime.spawn(listens).abort_handle()];
        if let Some(every) = self.dialer.config.sweep_every {
            let pool = Arc::clone(&self.pool);
            let sweeps = time_and_again(every, move || {
                let pool = Arc::clone(&pool);
                async move { drop(sweep(&pool).await) }
            });
            tasks.push(runtime.spawn(sweeps).abort_handle());
        }
        Ok(tasks)
    }

    fn end(&self) {
        self.pool.close();
        self.hearing.ended();
    }
}

impl Link<Connected> {
    /// What connections are made with.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.here().dialer
    }

    /// What authenticates messages, in all processes.
    pub(crate) fn trust(&self) -> &Trust {
        &self.here().trust
    }

    /// The rows that answer a statement.
    pub(crate) async fn ask(
        &self,
        statement: Statement,
        values: Values,
    ) -> Result<Vec<Row>, Failure> {
        self.open()?.pool.ask(statement, values).await
    }

    /// As [`Pool::ask_each`].
    pub(crate) async fn ask_each(
        &self,
        asked: Vec<(Statement, Values)>,
    ) -> Result<Vec<Result<Vec<Row>, Failure>>, Failure> {
        self.open()?.pool.ask_each(asked).await
    }

    /// The connections of this process.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn pool(&self) -> Result<&Arc<Pool>, Failure> {
        self.open().map(|own| &own.pool)
    }

    /// What this process heard.
    pub(crate) fn hearing(&self) -> &Arc<Hearing> {
        &self.here().hearing
    }

    /// How many connections there are, the one on which others are heard among them.
    pub(crate) fn connections(&self) -> usize {
        let own = self.here();
        own.pool.count() + usize::from(own.hearing.hears())
    }
}
