//! One server: the connection that tasks share, those of threads, when they are given up, and what this process knows of it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use everwarm_core::deadline::allowance;
use everwarm_core::store::Failure;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::batch::Batch;
use crate::blocking::Asked;
use crate::dial::Dial;
use crate::error::{given_up, not_yet};
use crate::generation::Generation;
use crate::idle::{Idle, ThreadsOwn};
use crate::line::Line;
use crate::replies::Reply;
use everwarm_network::chance::part_of;

/// The first wait between two attempts, of which a random part is waited; each failure doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait: what is owed to a server reaches it within two seconds of its return.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Namespaces and leases that are remembered.
const REMEMBERED: usize = 4_096;

/// One server and the connections to it.
pub(crate) struct Node {
    pub(crate) dial: Dial,
    connecting: Arc<Mutex<Connecting>>,
    idle: Arc<Idle>,
    /// The numbers of namespaces as they were seen last.
    generations: Mutex<HashMap<Box<str>, Arc<Generation>>>,
    /// The writes that are leases of ours, by name and token.
    leases: Mutex<HashMap<(Box<str>, u64), u64>>,
    /// The server's date when it was asked for, and when that was.
    date: Mutex<Option<(u64, Instant)>>,
}

type Made = Option<Result<Arc<Line>, Failure>>;

#[derive(Default)]
struct Connecting {
    there: Option<Arc<Line>>,
    making: Option<watch::Receiver<Made>>,
    failures: u32,
    not_before: Option<Instant>,
    why: Option<Failure>,
    /// Whether an attempt has ended: who asks before may wait for longer.
    was_tried: bool,
    is_closed: bool,
}

impl Node {
    /// A server that nobody asked yet.
    pub(crate) fn new(dial: Dial) -> Self {
        Self {
            dial,
            connecting: Arc::default(),
            idle: Arc::default(),
            generations: Mutex::default(),
            leases: Mutex::default(),
            date: Mutex::default(),
        }
    }

    /// Sends commands, and gives one reply to each. A thread that may block and asks one server alone has its answer when this is
    /// polled first.
    ///
    /// # Errors
    /// If no connection could be had, or it was lost, or time was over.
    pub(crate) async fn exchange(
        &self,
        batch: Batch,
        is_alone: bool,
    ) -> Result<Vec<Reply>, Failure> {
        let limit = self.dial.timeout + allowance(batch.bytes.len());
        if is_alone && everwarm_runtime::may_block() {
            if let Some(own) = self.idle.take() {
                return self.exchange_here(own, batch, limit).await;
            }
            if self.there().is_some() {
                self.idle.grow(&self.dial);
            }
        }
        let line = match self.there() {
            Some(line) => line,
            None => self.connected().await?,
        };
        line.ask(batch, limit).await
    }

    /// The same, on this thread, which is blocked for moments: between two of them whoever polls this may look around. Who walks away
    /// ends the connection.
    async fn exchange_here(
        &self,
        mut own: ThreadsOwn,
        batch: Batch,
        limit: Duration,
    ) -> Result<Vec<Reply>, Failure> {
        let mut asked = Asked::new(&batch, limit);
        let went = poll_fn(
            |context| match own.connection.go_on(&batch, &mut asked).transpose() {
                Some(over) => Poll::Ready(over),
                None => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        );
        let replies = went.await;
        match &replies {
            Ok(_) => self.idle.put(own),
            // What ended it has probably ended the others.
            Err(_) => self.idle.clear(),
        }
        replies
    }

    /// The connection that tasks share, if it is there.
    fn there(&self) -> Option<Arc<Line>> {
        let there = self.connecting.lock().there.clone();
        there.filter(|line| !line.is_over())
    }

    /// The same, once it is there. While it cannot be had, who asks is refused at once; the first attempt is waited for as long as
    /// connecting may take, later ones as long as an operation may.
    async fn connected(&self) -> Result<Arc<Line>, Failure> {
        let server = &self.dial.server;
        let (mut making, patience) = {
            let mut state = self.connecting.lock();
            if state.is_closed {
                return Err(given_up(server));
            }
            let gone = match &state.there {
                Some(line) if !line.is_over() => return Ok(Arc::clone(line)),
                _ => state.there.take(),
            };
            let is_early = state.not_before.is_some_and(|at| Instant::now() < at);
            if state.making.is_none() && is_early {
                let why = state.why.clone();
                return Err(why.unwrap_or_else(|| given_up(server)));
            }
            let patience = match state.was_tried {
                true => self.dial.timeout,
                false => self.dial.limit,
            };
            let making = self.begin(&mut state)?;
            drop(state);
            drop(gone);
            (making, patience)
        };
        let made = async {
            let made = making.wait_for(Option::is_some).await;
            made.map(|made| made.clone())
        };
        let runtime = everwarm_runtime::handle()?;
        let timed = {
            // Whoever polls this need not be a task of that runtime.
            let _inside = runtime.enter();
            tokio::time::timeout(patience, made)
        };
        match timed.await {
            Ok(Ok(Some(made))) => made,
            Ok(_) => {
                // The task is gone, as at the end of a process.
                self.connecting.lock().making = None;
                Err(given_up(server))
            }
            Err(_) => Err(not_yet(server, patience)),
        }
    }

    /// Begins an attempt to connect, unless one is under way.
    fn begin(&self, state: &mut Connecting) -> Result<watch::Receiver<Made>, Failure> {
        if let Some(making) = &state.making {
            return Ok(making.clone());
        }
        let runtime = everwarm_runtime::handle()?;
        let (told, making) = watch::channel(None);
        state.making = Some(making.clone());
        // What was lost was lost to many at once, who should not all come back at once.
        let was_lost = state.was_tried && state.failures == 0;
        let pause = if was_lost {
            part_of(FIRST_WAIT / 2)
        } else {
            Duration::ZERO
        };
        let (dial, connecting) = (self.dial.clone(), Arc::clone(&self.connecting));
        runtime.spawn(async move {
            tokio::time::sleep(pause).await;
            let made = dial.line().await.map(Arc::new);
            connecting.lock().take(&made);
            // Nobody may be waiting any more.
            let _ = told.send(Some(made));
        });
        Ok(making)
    }

    /// The numbers of a namespace, as they were seen last.
    pub(crate) fn generation(&self, space: &str) -> Option<Arc<Generation>> {
        self.generations.lock().get(space).cloned()
    }

    /// Takes note of the numbers of a namespace; None if they are lost.
    pub(crate) fn note_generation(&self, space: &str, seen: Option<Arc<Generation>>) {
        let mut known = self.generations.lock();
        match seen {
            Some(seen) => {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(space.into(), seen);
            }
            None => {
                known.remove(space);
            }
        }
    }

    /// The write that is the lease of this name and token.
    pub(crate) fn lease(&self, name: &str, token: u64) -> Option<u64> {
        self.leases.lock().get(&(name.into(), token)).copied()
    }

    /// Takes note of such a write; None once it is over.
    pub(crate) fn note_lease(&self, name: &str, token: u64, cas: Option<u64>) {
        let mut known = self.leases.lock();
        match cas {
            Some(cas) => {
                if known.len() >= REMEMBERED {
                    // They are looked for where they are.
                    known.clear();
                }
                known.insert((name.into(), token), cas);
            }
            None => {
                known.remove(&(name.into(), token));
            }
        }
    }

    /// The server's date in seconds since 1970, if it was asked for a while ago at most.
    pub(crate) fn date(&self) -> Option<u64> {
        const FRESH: Duration = Duration::from_secs(600);
        let (date, at) = (*self.date.lock())?;
        let since = at.elapsed();
        (since < FRESH).then(|| date + since.as_secs())
    }

    /// Takes note of the server's date.
    pub(crate) fn note_date(&self, date: u64) {
        *self.date.lock() = Some((date, Instant::now()));
    }

    /// Lets go of what a parent process asked on: the descriptors, where nobody had them in hand at the fork.
    pub(crate) fn leave(&self) {
        self.idle.leave();
    }

    /// Drops all connections, for good.
    pub(crate) fn close(&self) {
        let mut state = self.connecting.lock();
        state.is_closed = true;
        let gone = state.there.take();
        drop(state);
        drop(gone);
        self.idle.close();
    }
}

impl Connecting {
    /// Takes what an attempt gave.
    fn take(&mut self, made: &Result<Arc<Line>, Failure>) {
        self.making = None;
        self.was_tried = true;
        match made {
            Ok(line) => {
                self.failures = 0;
                self.why = None;
                self.not_before = None;
                if !self.is_closed {
                    self.there = Some(Arc::clone(line));
                }
            }
            Err(failure) => {
                let wait = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10));
                self.failures = self.failures.saturating_add(1);
                self.why = Some(failure.clone());
                self.not_before = Some(Instant::now() + part_of(wait.min(LONGEST_WAIT)));
            }
        }
    }
}
