//! The way to the database, for all processes that inherit a store: each has connections, and hears of others, by itself.

use std::mem::forget;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::store::Failure;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio_postgres::Row;

use super::connection::Values;
use super::dial::Dialer;
use super::error::closed;
use super::hearing::Hearing;
use super::listening;
use super::pool::Pool;
use super::statements::Statement;
use super::sweep::sweep_on;
use super::teller::Trust;

/// The way to the database.
pub(crate) struct Link {
    trust: Trust,
    first: Process,
    is_closed: AtomicBool,
}

/// What one process has, and the child that it forked.
struct Process {
    id: u32,
    /// There until it is dropped.
    own: Option<Own>,
    child: OnceLock<Box<Process>>,
}

struct Own {
    dialer: Arc<Dialer>,
    pool: Arc<Pool>,
    hearing: Arc<Hearing>,
    /// What is done in the background, once something was asked: it listens, and sweeps.
    tasks: Mutex<Vec<AbortHandle>>,
    has_begun: AtomicBool,
}

impl Link {
    /// A way that nobody went yet.
    pub(crate) fn new(dialer: Dialer) -> Self {
        let trust = Trust::default();
        Self {
            first: Process::new(dialer, &trust),
            trust,
            is_closed: AtomicBool::new(false),
        }
    }

    /// What connections are made with.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.here().dialer
    }

    /// What authenticates messages, in all processes.
    pub(crate) const fn trust(&self) -> &Trust {
        &self.trust
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

    /// What this process has; from its first question on it hears of others.
    fn open(&self) -> Result<&Own, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let own = self.here();
        if !own.has_begun.swap(true, Ordering::Relaxed) {
            own.begin()
                .inspect_err(|_| own.has_begun.store(false, Ordering::Relaxed))?;
        }
        Ok(own)
    }

    fn here(&self) -> &Own {
        let id = std::process::id();
        let mut process = &self.first;
        while process.id != id {
            process = process.child.get_or_init(|| {
                let own = process.own();
                Box::new(Process::new(own.dialer.again(), &self.trust))
            });
        }
        process.own()
    }

    /// Ends all connections of this process, for good.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.here().end();
    }
}

impl Process {
    fn new(dialer: Dialer, trust: &Trust) -> Self {
        let dialer = Arc::new(dialer);
        Self {
            id: std::process::id(),
            own: Some(Own {
                pool: Arc::new(Pool::new(&dialer)),
                hearing: Arc::new(Hearing::new(&dialer.names, Trust::clone(trust))),
                dialer,
                tasks: Mutex::default(),
                has_begun: AtomicBool::new(false),
            }),
            child: OnceLock::new(),
        }
    }

    fn own(&self) -> &Own {
        self.own.as_ref().expect("it was not dropped yet")
    }
}

impl Own {
    fn begin(&self) -> Result<(), Failure> {
        let runtime = everwarm_runtime::handle()?;
        let listens = listening::listen(Arc::clone(&self.hearing), Arc::clone(&self.dialer));
        let mut tasks = vec![runtime.spawn(listens).abort_handle()];
        if let Some(every) = self.dialer.config.sweep_every {
            let sweeps = sweep_on(Arc::clone(&self.pool), every);
            tasks.push(runtime.spawn(sweeps).abort_handle());
        }
        self.tasks.lock().append(&mut tasks);
        Ok(())
    }

    fn end(&self) {
        self.pool.close();
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
        self.hearing.ended();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let own = self.own.take();
        if self.id != std::process::id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            return forget(own);
        }
        if let Some(own) = own {
            own.end();
        }
    }
}
