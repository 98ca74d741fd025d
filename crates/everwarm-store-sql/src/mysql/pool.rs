//! The connections of one process: each has one question under way, and who asks waits for one that is idle.
//!
//! A question is a task of the process's runtime that has its connection to itself, and takes the whole answer in, whether or not somebody
//! still waits for it: so nobody is given another one's answer. Of a question whose asker walked away the answer is waited for as long
//! as for a connection; then the connection is given up.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, FailureKind};
use futures_util::future::{Either, select};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::dial::Dialer;
use super::error::{answered, is_missing, is_undone, refused};
use super::script::{Outcome, Question, Said};
use crate::server::failure::{closed, ended};
use everwarm_network::chance;

/// For how long nobody tries to connect again where nobody could.
const PAUSE: Duration = Duration::from_millis(50);
/// From here on a connection that nobody used is tried first: the server may have ended it.
const IDLE: Duration = Duration::from_secs(1);
/// How often a step is done again that another one's step has undone.
const AGAIN: u32 = 8;
/// How long a connection may take to say farewell.
const FAREWELL: Duration = Duration::from_millis(100);
/// Bytes of a script beside its largest value, at most.
const BESIDE: usize = 64 << 10;

/// The connections of one process.
pub(crate) struct Pool {
    dialer: Arc<Dialer>,
    idle: Mutex<Vec<(Held, Instant)>>,
    places: Semaphore,
    /// Why the last attempt to connect failed, and when.
    failed: Mutex<Option<(Instant, Failure)>>,
    open: Arc<AtomicUsize>,
    is_closed: AtomicBool,
}

/// What a server with such packets takes as one value: it is written with escapes, which double it at worst.
pub(crate) const fn largest(packet: usize) -> usize {
    (packet / 2).saturating_sub(BESIDE)
}

impl Pool {
    pub(crate) fn new(dialer: &Arc<Dialer>) -> Self {
        Self {
            places: Semaphore::new(dialer.config.connections),
            dialer: Arc::clone(dialer),
            idle: Mutex::default(),
            failed: Mutex::default(),
            open: Arc::default(),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The answer to a script.
    pub(crate) async fn ask(self: &Arc<Self>, question: Question) -> Result<Said, Failure> {
        let runtime = everwarm_runtime::handle()?;
        let (waits, walked) = watch::channel(());
        let pool = Arc::clone(self);
        let task = runtime.spawn(async move {
            let mut walks = walked.clone();
            let limit = pool.dialer.config.connect_timeout;
            let gone = pin!(async move {
                // It changes only by its end.
                let _ = walks.changed().await;
                sleep(limit).await;
            });
            match select(pin!(pool.carry(question, &walked)), gone).await {
                Either::Left((said, _)) => said,
                Either::Right(_) => Err(ended()),
            }
        });
        let said = task.await;
        drop(waits);
        said.map_err(|_| ended())?
    }

    async fn carry(
        &self,
        question: Question,
        walked: &watch::Receiver<()>,
    ) -> Result<Said, Failure> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|_| closed())?;
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let mut held = self.connection().await?;
        if walked.has_changed().is_err() {
            // Nobody waits any more, and nothing was begun.
            self.keep(held);
            return Err(ended());
        }
        let packet = held.packet;
        if question.largest > largest(packet) || question.text.len() + BESIDE / 2 > packet {
            self.keep(held);
            return Err(too_large(question.largest, packet));
        }
        let mut again = 0;
        loop {
            let asked = said(held.conn(), &question.text, question.count).await;
            let code = match asked {
                Ok(said) => {
                    self.keep(held);
                    return Ok(said);
                }
                Err(Error::Server(error)) => error.code,
                Err(error) => return Err(refused(&error)),
            };
            // The rest of the script was not run, and what was begun must not be left open.
            if held.conn().query_drop("ROLLBACK").await.is_err() {
                return Err(answered(code));
            }
            if is_undone(code) && again < AGAIN {
                again += 1;
                // Those that stood in each other's way do not come back at the same moment.
                let part = chance::bigint() as f64 / i64::MAX as f64;
                sleep(Duration::from_millis(1 << again).mul_f64(part)).await;
                continue;
            }
            if is_missing(code) {
                // It takes another connection to make the tables.
                self.idle.lock().clear();
            } else {
                self.keep(held);
            }
            return Err(answered(code));
        }
    }

    /// A connection that works, as far as anybody knows.
    async fn connection(&self) -> Result<Held, Failure> {
        loop {
            let Some((mut held, since)) = self.idle.lock().pop() else {
                return self.dial().await;
            };
            if since.elapsed() < IDLE {
                return Ok(held);
            }
            let limit = self.dialer.config.connect_timeout;
            if matches!(timeout(limit, held.conn().ping()).await, Ok(Ok(()))) {
                return Ok(held);
            }
        }
    }

    async fn dial(&self) -> Result<Held, Failure> {
        if let Some((when, failure)) = &*self.failed.lock()
            && when.elapsed() < PAUSE
        {
            return Err(failure.clone());
        }
        match self.dialer.connection().await {
            Ok((conn, packet)) => {
                *self.failed.lock() = None;
                self.open.fetch_add(1, Ordering::Relaxed);
                Ok(Held {
                    conn: Some(conn),
                    packet,
                    open: Arc::clone(&self.open),
                })
            }
            Err(failure) => {
                *self.failed.lock() = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    fn keep(&self, held: Held) {
        let mut idle = self.idle.lock();
        if !self.is_closed.load(Ordering::Relaxed) {
            idle.push((held, Instant::now()));
        }
    }

    /// How many connections are there.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Ends all connections, for good, once what is under way on them is answered.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// A connection that somebody has to himself.
struct Held {
    /// There until it is dropped.
    conn: Option<Conn>,
    /// How much its server takes at once, which stays so for as long as the connection.
    packet: usize,
    open: Arc<AtomicUsize>,
}

impl Held {
    fn conn(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("it was not dropped yet")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        let Some(conn) = self.conn.take() else {
            return;
        };
        // The client would wait for the rest of an answer, if need be for ever: it has no say once it was told to end.
        if let Ok(runtime) = everwarm_runtime::handle() {
            runtime.spawn(async move { drop(timeout(FAREWELL, conn.disconnect()).await) });
        }
    }
}

/// What each of so many statements of a script was answered.
pub(super) async fn said(conn: &mut Conn, script: &[u8], count: usize) -> Result<Said, Error> {
    let mut all = Vec::with_capacity(count);
    let mut result = conn.query_iter(script).await?;
    while all.len() < count {
        let affected = result.affected_rows();
        let rows = result.collect().await?;
        all.push(Outcome { rows, affected });
    }
    result.drop_result().await?;
    Ok(Said(all))
}

fn too_large(largest: usize, packet: usize) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("a value of {largest} bytes is too large for packets of {packet} bytes"),
        "raise max_allowed_packet of the server to more than twice as much, or store less under one name",
    )
}
