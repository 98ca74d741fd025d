//! What one process has of a store in MySQL.

use std::sync::Arc;

use everwarm_core::store::Failure;
use tokio::task::AbortHandle;

use super::dial::Dialer;
use super::listening::listen;
use super::pool::Pool;
use super::script::{Said, Script};
use super::sweep::sweep;
use crate::server::again::time_and_again;
use crate::server::hearing::Hearing;
use crate::server::link::{Link, Own};
use crate::server::teller::Trust;

/// What one process has.
pub(crate) struct Connected {
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) hearing: Arc<Hearing>,
    pub(crate) trust: Trust,
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
        let listens = listen(
            Arc::clone(&self.hearing),
            Arc::clone(&self.dialer),
            Arc::clone(&self.pool),
        );
        let mut tasks = vec![runtime.spawn(listens).abort_handle()];
        if let Some(every) = self.dialer.config.sweep_every {
            let (pool, dialer) = (Arc::clone(&self.pool), Arc::clone(&self.dialer));
            let sweeps = time_and_again(every, move || {
                let (pool, dialer) = (Arc::clone(&pool), Arc::clone(&dialer));
                async move { drop(sweep(&pool, &dialer.written).await) }
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
    /// A script with nothing in it.
    pub(crate) fn script(&self) -> Script<'_> {
        Script::new(&self.here().dialer.written)
    }

    /// The answer to a script.
    pub(crate) async fn ask(&self, script: Script<'_>) -> Result<Said, Failure> {
        self.open()?.pool.ask(script.finish()).await
    }
}
