//! The way to the server and back: requests that take their time, fail, or are cut off, and messages that are late or lost.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use everwarm_core::bus::ear;
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::mark::Mark;
use everwarm_core::store::{Answer, Failure, FailureKind, Message};
use everwarm_engine::Ticker;

use crate::draw::Draw;
use crate::fault::Fault;
use crate::hearing::Hearing;
use crate::history::{NOBODY, Node, Recorder, What};
use crate::runtime::Runtime;
use crate::server::{Caller, Sent, Server};
use crate::weather::Weather;

/// How long an answer is waited for.
const DEADLINE: Duration = Duration::from_millis(250);

/// What all nodes share.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) runtime: Runtime,
    pub(crate) recorder: Recorder,
    pub(crate) fault: Option<Fault>,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    server: Server,
    weather: Weather,
    draw: Draw,
    links: Vec<Link>,
    connections: u64,
    /// Until when everything is slow.
    slow_until: Instant,
}

/// The ways of one node.
struct Link {
    /// Until when it reaches nothing.
    cut_until: Instant,
    /// Until when it hears nothing.
    deaf_until: Instant,
    /// When the last request arrives: one connection keeps their order.
    arrived: Instant,
    /// When the last message arrives.
    heard: Instant,
    /// Who listens there.
    hearing: Option<Arc<Hearing>>,
}

/// One process's connection.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) network: Network,
    pub(crate) node: Node,
    pub(crate) number: u64,
    pub(crate) clock: Ticker,
    met: Arc<Met>,
}

/// The servers that a process had answers of.
#[derive(Default)]
struct Met {
    /// The run of the last one; 0: none.
    last: AtomicU64,
    failovers: AtomicU64,
}

impl Met {
    /// Takes note of who answers, before the answer is given.
    fn meets(&self, run: u64) {
        let before = self.last.fetch_max(run, Ordering::Relaxed);
        if before != 0 && before < run {
            self.failovers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Where an answer arrives.
struct Slot<T> {
    answer: Option<Result<T, Failure>>,
    waker: Option<Waker>,
}

impl Network {
    /// A server and its nodes' ways to it.
    #[must_use]
    pub(crate) fn new(
        runtime: &Runtime,
        weather: &Weather,
        draw: Draw,
        fault: Option<Fault>,
    ) -> Self {
        let link = |_| Link {
            cut_until: Instant::ZERO,
            deaf_until: Instant::ZERO,
            arrived: Instant::ZERO,
            heard: Instant::ZERO,
            hearing: None,
        };
        Self {
            runtime: runtime.clone(),
            recorder: Recorder::new(runtime),
            fault,
            inner: Arc::new(Mutex::new(Inner {
                server: Server::new(fault),
                links: (0..weather.nodes).map(link).collect(),
                weather: weather.clone(),
                draw,
                connections: 0,
                slow_until: Instant::ZERO,
            })),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic")
    }

    /// A number from the world's chance.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Draw) -> T) -> T {
        draw(&mut self.inner().draw)
    }

    pub(crate) fn server<T>(&self, work: impl FnOnce(&mut Server) -> T) -> T {
        work(&mut self.inner().server)
    }

    pub(crate) fn connect(&self, node: Node, clock: &Ticker) -> Connection {
        let mut inner = self.inner();
        inner.connections += 1;
        Connection {
            network: self.clone(),
            node,
            number: inner.connections,
            clock: clock.clone(),
            met: Arc::default(),
        }
    }

    /// Has a process hear what is told from now on.
    pub(crate) fn listen(&self, node: Node, hearing: Option<Arc<Hearing>>) {
        self.inner().links[node].hearing = hearing;
    }

    pub(crate) fn slow(&self, until: Instant) {
        self.inner().slow_until = until;
    }

    pub(crate) fn cut_link(&self, node: Node, until: Instant) {
        self.inner().links[node].cut_until = until;
    }

    pub(crate) fn cut_bus(&self, node: Node, until: Instant) {
        self.inner().links[node].deaf_until = until;
    }

    /// The process of a node notices that its connection to the bus is another one.
    pub(crate) fn reconnect(&self, node: Node) {
        let hearing = self.inner().links[node].hearing.clone();
        if let Some(hearing) = hearing {
            hearing.hear(ear::Event::Reconnected);
        }
    }

    /// Tells a node, in the server's name, what nobody did.
    pub(crate) fn forge(&self, node: Node, ahead: u64) {
        let mut inner = self.inner();
        let last = inner.server.mark();
        let hearing = inner.links[node].hearing.clone();
        drop(inner);
        let mark = Mark {
            number: last.number + ahead,
            ..last
        };
        if let Some(hearing) = hearing {
            hearing.take_in(Sent {
                by: 0,
                mark,
                message: Message::Key("nobody's".into()),
            });
        }
    }

    /// Brings what the server has to tell on its way.
    fn tell(&self) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        for (done, before) in std::mem::take(&mut inner.server.settled) {
            self.recorder.record(NOBODY, What::Settled(done, before));
        }
        let now = self.runtime.now();
        for sent in std::mem::take(&mut inner.server.outbox) {
            for link in &mut inner.links {
                let is_lost = now < link.deaf_until || inner.draw.chance(inner.weather.lost);
                let due = now.after(inner.draw.millis(1, 1 + inner.weather.bus));
                let Some(hearing) = link.hearing.clone().filter(|_| !is_lost) else {
                    continue;
                };
                let due = if inner.weather.reorders {
                    due
                } else {
                    due.max(link.heard)
                };
                link.heard = due;
                let sent: Sent = sent.clone();
                self.runtime.at(due, move || hearing.take_in(sent));
            }
        }
    }
}

impl Inner {
    fn latency(&mut self, now: Instant) -> Duration {
        let slow = if now < self.slow_until { 400 } else { 0 };
        self.draw.millis(1, 2 + self.weather.latency + slow)
    }
}

impl Connection {
    /// How often another server took over.
    pub(crate) fn failovers(&self) -> u64 {
        self.met.failovers.load(Ordering::Relaxed)
    }

    /// Asks the server for a step.
    pub(crate) fn ask<'a, T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Server, Caller) -> T + Send + 'static,
    ) -> Answer<'a, T> {
        let connection = self.clone();
        Answer::later(async move { connection.round_trip(step).await })
    }

    async fn round_trip<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Server, Caller) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let slot = Arc::new(Mutex::new(Slot {
            answer: None,
            waker: None,
        }));
        let deadline = self.network.runtime.now().after(DEADLINE);
        let there = Arc::clone(&slot);
        self.network
            .runtime
            .at(deadline, move || there.lock().expect("no panic").fail());
        self.send(step, &slot);
        poll_fn(|context| {
            let mut slot = slot.lock().expect("no panic");
            if let Some(answer) = slot.answer.take() {
                return Poll::Ready(answer);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn send<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Server, Caller) -> T + Send + 'static,
        slot: &Arc<Mutex<Slot<T>>>,
    ) {
        let now = self.network.runtime.now();
        let mut inner = self.network.inner();
        let way = inner.latency(now);
        let link = &mut inner.links[self.node];
        if now < link.cut_until {
            return;
        }
        let due = now.after(way).max(link.arrived);
        link.arrived = due;
        drop(inner);
        let (connection, slot) = (self.clone(), Arc::clone(slot));
        self.network
            .runtime
            .at(due, move || connection.arrive(step, &slot));
    }

    /// The request is there: it is done, or fails, and the answer is on its way, or lost.
    fn arrive<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Server, Caller) -> T,
        slot: &Arc<Mutex<Slot<T>>>,
    ) {
        let now = self.network.runtime.now();
        let mut inner = self.network.inner();
        let fails = inner.draw.below(1_000) < inner.weather.failing;
        let run = inner.server.run;
        let is_done = !fails || inner.draw.chance(50);
        let answer = is_done.then(|| {
            let caller = Caller {
                by: self.number,
                now,
                wall: self.clock.now(),
            };
            step(&mut inner.server, caller)
        });
        let way = inner.latency(now);
        let is_cut = now < inner.links[self.node].cut_until;
        drop(inner);
        self.network.tell();
        if is_cut {
            return;
        }
        let answer = answer.filter(|_| !fails).ok_or_else(failed);
        let (slot, met) = (Arc::clone(slot), Arc::clone(&self.met));
        self.network.runtime.at(now.after(way), move || {
            met.meets(run);
            slot.lock().expect("no panic").put(answer);
        });
    }
}

impl<T> Slot<T> {
    fn put(&mut self, answer: Result<T, Failure>) {
        self.answer = Some(answer);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn fail(&mut self) {
        if self.answer.is_none() {
            self.put(Err(Failure::new(
                FailureKind::Timeout,
                "the store did not answer in time",
                "wait until it is there again",
            )));
        }
    }
}

fn failed() -> Failure {
    Failure::new(FailureKind::Transient, "the store failed", "ask it again")
}
