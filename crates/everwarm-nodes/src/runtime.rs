//! A scheduler in simulated time: tasks run one at a time in an order drawn from the seed, and time moves when none can run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_engine::ManualHand;

use crate::draw::Draw;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
type Act = Box<dyn FnOnce() + Send>;

/// Who owns tasks, and dies with them.
pub(crate) type Owner = u64;

/// Where tasks are spawned and time is read; clones are of the same world.
#[derive(Clone)]
pub(crate) struct Runtime(Arc<Mutex<Inner>>);

struct Inner {
    now: Instant,
    count: u64,
    timers: BinaryHeap<Reverse<Timer>>,
    ready: Vec<u64>,
    spawned: Vec<(u64, Task)>,
    killed: Vec<Owner>,
    /// The clocks of the nodes, which all move together.
    hands: Vec<ManualHand>,
}

struct Task {
    owner: Owner,
    work: Work,
    waker: Waker,
    queued: Arc<AtomicBool>,
}

struct Timer {
    at: Instant,
    number: u64,
    act: Act,
}

impl Runtime {
    /// A world at this moment, without tasks.
    #[must_use]
    pub(crate) fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            now,
            count: 0,
            timers: BinaryHeap::new(),
            ready: Vec::new(),
            spawned: Vec::new(),
            killed: Vec::new(),
            hands: Vec::new(),
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic")
    }

    /// The moment, by the world's clock.
    #[must_use]
    pub(crate) fn now(&self) -> Instant {
        self.inner().now
    }

    /// Has a clock move with the world.
    pub(crate) fn moves(&self, hand: &ManualHand) {
        self.inner().hands.push(hand.clone());
    }

    /// Does something at that moment.
    pub(crate) fn at(&self, at: Instant, act: impl FnOnce() + Send + 'static) {
        let mut inner = self.inner();
        inner.count += 1;
        let (at, number) = (at.max(inner.now), inner.count);
        let act = Box::new(act);
        inner.timers.push(Reverse(Timer { at, number, act }));
    }

    /// Waits for so long.
    pub(crate) fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send + use<> {
        let runtime = self.clone();
        let mut end = None;
        poll_fn(move |context| {
            let now = runtime.now();
            let end = *end.get_or_insert_with(|| {
                let (end, waker) = (now.after(span), context.waker().clone());
                runtime.at(end, move || waker.wake());
                end
            });
            if now >= end {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// Runs a task of this owner.
    pub(crate) fn spawn(&self, owner: Owner, work: impl Future<Output = ()> + Send + 'static) {
        let mut inner = self.inner();
        inner.count += 1;
        let number = inner.count;
        let queued = Arc::new(AtomicBool::new(true));
        let alarm = Alarm {
            runtime: self.clone(),
            number,
            queued: Arc::clone(&queued),
        };
        let task = Task {
            owner,
            work: Box::pin(work),
            waker: Waker::from(Arc::new(alarm)),
            queued,
        };
        inner.spawned.push((number, task));
        inner.ready.push(number);
    }

    /// Drops all tasks of this owner where they are.
    pub(crate) fn kill(&self, owner: Owner) {
        self.inner().killed.push(owner);
    }

    /// Runs until that moment; how many steps it took.
    pub(crate) fn run(&self, until: Instant, draw: &mut Draw) -> u64 {
        let mut tasks = BTreeMap::new();
        let mut steps = 0;
        loop {
            self.admit(&mut tasks);
            if let Some(number) = self.pick(draw) {
                steps += 1;
                step(&mut tasks, number);
            } else if !self.advance(until) {
                // What is left is dropped outside the lock, since it may wake and release.
                drop(tasks);
                return steps;
            }
        }
    }

    /// Lets killed tasks go and takes in those that were spawned.
    fn admit(&self, tasks: &mut BTreeMap<u64, Task>) {
        let mut inner = self.inner();
        let spawned = std::mem::take(&mut inner.spawned);
        let killed = std::mem::take(&mut inner.killed);
        drop(inner);
        tasks.extend(spawned);
        if !killed.is_empty() {
            tasks.retain(|_, task| !killed.contains(&task.owner));
        }
    }

    fn pick(&self, draw: &mut Draw) -> Option<u64> {
        let mut inner = self.inner();
        if inner.ready.is_empty() {
            return None;
        }
        let at = draw.below(inner.ready.len() as u64);
        Some(inner.ready.swap_remove(usize::try_from(at).expect("small")))
    }

    /// Moves time to what is due next, and does it; not beyond `until`.
    fn advance(&self, until: Instant) -> bool {
        let mut inner = self.inner();
        if inner
            .timers
            .peek()
            .is_none_or(|Reverse(next)| next.at > until)
        {
            return false;
        }
        let Reverse(timer) = inner.timers.pop().expect("one was seen");
        let span = timer.at.since(inner.now);
        inner.now = timer.at;
        if !span.is_zero() {
            inner.hands.iter().for_each(|hand| hand.advance(span));
        }
        drop(inner);
        (timer.act)();
        true
    }
}

fn step(tasks: &mut BTreeMap<u64, Task>, number: u64) {
    let Some(task) = tasks.get_mut(&number) else {
        return;
    };
    task.queued.store(false, Ordering::Relaxed);
    let waker = task.waker.clone();
    let polled = task.work.as_mut().poll(&mut Context::from_waker(&waker));
    if polled.is_ready() {
        tasks.remove(&number);
    }
}

struct Alarm {
    runtime: Runtime,
    number: u64,
    queued: Arc<AtomicBool>,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            self.runtime.inner().ready.push(self.number);
        }
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
