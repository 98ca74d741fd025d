//! Write-behind: writes that wait for a thread of the engine, which sees bytes only.
//!
//! The queue is bounded. The last write of a name wins, reads look here first, and a deletion or invalidation takes out what it is
//! about. One write is under way at most, and whoever deletes its name waits for it.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, Thread};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::Tag;

use super::Stack;
use super::seat::{Hold, Rights};
use super::settle::Sealed;
use crate::parker::Parker;
use crate::shim::Mutex;

/// How long the thread waits for further writes before it ends.
const LINGER: Duration = Duration::from_secs(1);

/// A write that waits.
pub(super) struct Queued {
    pub(super) sealed: Sealed,
    pub(super) hold: Hold,
    /// The lease it is written under; given back if it is not written.
    pub(super) rights: Rights,
    pub(super) since: Instant,
}

/// Where a write goes: the number of a tier, and a name.
type Target = (usize, Arc<str>);

/// The writes that wait.
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by_target: HashMap<Target, Item>,
    order: VecDeque<Target>,
    /// The write that is under way, and its number.
    under_way: Option<(Target, u64)>,
    bytes: u64,
    last: u64,
    worker: Option<Thread>,
}

#[derive(Clone)]
struct Item {
    number: u64,
    queued: Arc<Queued>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Waiting::default()))
    }

    /// Queues a write, unless there is no room; whether it did.
    fn push(&self, target: Target, queued: Queued, room: (usize, u64)) -> bool {
        let mut waiting = self.0.lock();
        let waits = &mut *waiting;
        let earlier = waits.by_target.get(&target);
        let replaced = earlier.map_or(0, |item| item.queued.sealed.size());
        let bytes = waits.bytes - replaced + queued.sealed.size();
        let entries = waits.by_target.len() + usize::from(earlier.is_none());
        if entries > room.0 || bytes > room.1 {
            drop(waiting);
            return false;
        }
        // What is under way is in the table, but in no line any more.
        let in_line = earlier.is_some()
            && waits
                .under_way
                .as_ref()
                .is_none_or(|(way, _)| *way != target);
        if !in_line {
            waits.order.push_back(target.clone());
        }
        waits.bytes = bytes;
        waits.last += 1;
        let item = Item {
            number: waits.last,
            queued: Arc::new(queued),
        };
        let replaced = waits.by_target.insert(target, item);
        drop(waiting);
        drop(replaced);
        true
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().by_target.is_empty()
    }

    /// The write of a name that waits for a tier.
    pub(super) fn find(&self, tier: usize, name: &Arc<str>) -> Option<Arc<Queued>> {
        let waiting = self.0.lock();
        if waiting.by_target.is_empty() {
            return None;
        }
        let item = waiting.by_target.get(&(tier, Arc::clone(name)))?;
        Some(Arc::clone(&item.queued))
    }

    /// Takes out the writes that `goes` says.
    fn take_out(&self, goes: impl Fn(&str, &Queued) -> bool) {
        let mut waiting = self.0.lock();
        let waits = &mut *waiting;
        if waits.by_target.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        waits.by_target.retain(|(_, name), item| {
            let goes = goes(name, &item.queued);
            if goes {
                waits.bytes -= item.queued.sealed.size();
                gone.push(Arc::clone(&item.queued));
            }
            !goes
        });
        let by_target = &waits.by_target;
        waits.order.retain(|target| by_target.contains_key(target));
        drop(waiting);
        drop(gone);
    }

    /// Takes out the writes of a name.
    pub(super) fn take_out_name(&self, name: &str) {
        self.take_out(|queued, _| queued == name);
    }

    /// Takes out the writes of names that begin with this.
    pub(super) fn take_out_prefix(&self, prefix: &str) {
        self.take_out(|queued, _| queued.starts_with(prefix));
    }

    /// Takes out the writes with one of these tags.
    pub(super) fn take_out_tags(&self, tags: &[Tag]) {
        self.take_out(|_, queued| queued.sealed.tags.iter().any(|tag| tags.contains(tag)));
    }

    /// Takes out what was computed for names that begin with this: others deleted or set them, so it would be refused. What was set by
    /// hand here may be later than what they did, and stays.
    pub(super) fn take_out_computed(&self, prefix: &str) {
        self.take_out(|name, queued| queued.hold != Hold::Forced && name.starts_with(prefix));
    }

    fn is_under_way(&self, is: impl Fn(&str) -> bool) -> bool {
        let waiting = self.0.lock();
        let way = waiting.under_way.as_ref();
        way.is_some_and(|((_, name), _)| is(name))
    }

    fn last(&self) -> u64 {
        self.0.lock().last
    }

    /// Whether a write with this number, or an earlier one, is not done.
    fn has_up_to(&self, number: u64) -> bool {
        let waiting = self.0.lock();
        let mut items = waiting.by_target.values();
        waiting.under_way.is_some() || items.any(|item| item.number <= number)
    }

    fn waiting_for(&self, tier: usize) -> u64 {
        let waiting = self.0.lock();
        let targets = waiting.by_target.keys();
        targets.filter(|(of, _)| *of == tier).count() as u64
    }

    /// The write that is next, unless one is under way.
    fn begin(&self) -> Option<Way<'_>> {
        let mut waiting = self.0.lock();
        if waiting.under_way.is_some() {
            return None;
        }
        let target = waiting.order.pop_front()?;
        let item = waiting.by_target.get(&target)?.clone();
        waiting.under_way = Some((target.clone(), item.number));
        Some(Way {
            queue: self,
            target,
            item,
            ended: false,
        })
    }
}

/// A write that is under way; dropped before its end it is the next one again.
struct Way<'a> {
    queue: &'a Queue,
    target: Target,
    item: Item,
    ended: bool,
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.0.lock();
        let waits = &mut *waiting;
        waits.under_way = None;
        let same = |item: &Item| item.number == self.item.number;
        let mut written = None;
        if waits.by_target.get(&self.target).is_some_and(same) {
            if self.ended {
                waits.bytes -= self.item.queued.sealed.size();
                written = waits.by_target.remove(&self.target);
            } else {
                waits.order.push_front(self.target.clone());
            }
        }
        drop(waiting);
        drop(written);
    }
}

impl Stack {
    /// Queues a write for a tier; whether there was room.
    pub(super) fn write_behind(
        self: &Arc<Self>,
        tier: usize,
        name: &Arc<str>,
        queued: Queued,
    ) -> bool {
        let room = (self.options.queue_entries, self.options.queue_bytes);
        if !self.queue.push((tier, Arc::clone(name)), queued, room) {
            self.tiers[tier].tally.dropped.bump();
            return false;
        }
        self.call_worker();
        true
    }

    /// How many writes wait for a tier.
    pub(super) fn pending(&self, tier: usize) -> u64 {
        self.queue.waiting_for(tier)
    }

    fn call_worker(self: &Arc<Self>) {
        let mut waiting = self.queue.0.lock();
        if let Some(worker) = &waiting.worker {
            worker.unpark();
            return;
        }
        let stack = Arc::clone(self);
        let builder = thread::Builder::new().name("everwarm-writes".to_owned());
        // Without a thread the writes wait for the next one that is queued, or for a flush.
        if let Ok(handle) = builder.spawn(move || work(&stack)) {
            waiting.worker = Some(handle.thread().clone());
        }
    }

    /// Does the next write; whether there was one.
    async fn write_next(&self) -> bool {
        let Some(mut way) = self.queue.begin() else {
            return false;
        };
        let (tier, name) = &way.target;
        let queued = &way.item.queued;
        let token = queued.rights.token(*tier);
        let written = self
            .put(*tier, name, &queued.sealed, (queued.hold, token))
            .await;
        match (written.is_stored(), queued.hold) {
            // Nearer tiers may have been filled with what was there before.
            (true, Hold::Forced) => self.empty_nearer([name].into_iter()).await,
            (false, Hold::Forced) => self.owe_name(name),
            (true, _) => queued.rights.spend(),
            (false, _) => {}
        }
        way.ended = true;
        true
    }

    /// Waits until the writes that are queued now are done, and does them itself where nobody else does.
    pub(super) async fn flush_queue(&self) {
        let last = self.queue.last();
        let mut nap = Nap::new(self);
        while self.queue.has_up_to(last) {
            if !self.write_next().await {
                nap.take().await;
            }
        }
    }

    /// Waits until no write is under way for such a name.
    pub(super) async fn quiesce(&self, is: impl Fn(&str) -> bool) {
        let mut nap = Nap::new(self);
        while self.queue.is_under_way(&is) {
            nap.take().await;
        }
    }
}

/// Naps that become longer.
pub(super) struct Nap<'a> {
    stack: &'a Stack,
    next: Duration,
    /// How long all of them were.
    pub(super) slept: Duration,
}

impl<'a> Nap<'a> {
    const FIRST: Duration = Duration::from_millis(1);
    const LONGEST: Duration = Duration::from_millis(100);

    pub(super) fn new(stack: &'a Stack) -> Self {
        Self {
            stack,
            next: Self::FIRST,
            slept: Duration::ZERO,
        }
    }

    pub(super) async fn take(&mut self) {
        self.take_until(pending()).await;
    }

    /// A nap that may end early.
    pub(super) async fn take_until(&mut self, ends: impl Future<Output = ()>) {
        let mut slept = self.stack.options.sleep.sleep(self.next);
        let mut ends = pin!(ends);
        let is_over = poll_fn(|context| match ends.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(false),
            Poll::Pending => slept.as_mut().poll(context).map(|()| true),
        });
        if is_over.await {
            self.slept += self.next;
            self.next = (self.next * 2).min(Self::LONGEST);
        }
    }
}

/// What the thread does: it writes as long as there is something to write, lingers, and ends.
fn work(stack: &Arc<Stack>) {
    let parker = Parker::new();
    let waker = parker.waker();
    let mut context = Context::from_waker(&waker);
    loop {
        let mut writes = pin!(async { while stack.write_next().await {} });
        while writes.as_mut().poll(&mut context) == Poll::Pending {
            parker.park(LINGER);
        }
        thread::park_timeout(LINGER);
        let mut waiting = stack.queue.0.lock();
        if waiting.order.is_empty() {
            waiting.worker = None;
            return;
        }
    }
}
