//! Write-behind: writes that wait for a thread of the engine, which sees bytes only.
//!
//! The queue is bounded. The last write of a name wins, reads look here first, and a deletion or invalidation takes out what it is
//! about. One write is under way at most, and whoever deletes its name waits for it. Whoever flushes leaves the writing to that thread:
//! on its own it could be interrupted in the midst of a write by what waits for its end, such as the handler of a signal.

use std::collections::{BTreeMap, HashMap};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::Tag;

use super::Stack;
use super::found::Written;
use super::owed::Debt;
use super::place::Place;
use super::seat::{Hold, Rights};
use super::settle::Sealed;
use crate::parker::Parker;
use crate::shim::Mutex;

/// How long the thread waits for further writes before it ends.
const LINGER: Duration = Duration::from_secs(1);

/// A write that waits.
pub(super) struct Queued {
    pub(super) sealed: Sealed,
    /// Of the last tier: which entry it is.
    pub(super) place: Option<Place>,
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
    /// Those that wait, by their places in line: what is taken out leaves the line as quickly as the table.
    order: BTreeMap<u64, Target>,
    /// The write that is under way, and its number.
    under_way: Option<(Target, u64)>,
    bytes: u64,
    last: u64,
    worker: Option<Thread>,
    /// How often a write ended or was taken out, or the thread ended.
    ends: u64,
    /// Who waits for the next of these.
    watchers: Vec<Waker>,
}

#[derive(Clone)]
struct Item {
    number: u64,
    /// Its place in line: the number of the first write since the name is in line.
    place: u64,
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
        // What is under way is in the table, but in line no more.
        let in_line = earlier.map(|item| item.place);
        let in_line = in_line.filter(|place| waits.order.contains_key(place));
        waits.bytes = bytes;
        waits.last += 1;
        let place = in_line.unwrap_or(waits.last);
        if in_line.is_none() {
            waits.order.insert(place, target.clone());
        }
        let item = Item {
            number: waits.last,
            place,
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
                waits.order.remove(&item.place);
                gone.push(Arc::clone(&item.queued));
            }
            !goes
        });
        let watchers = match gone.is_empty() {
            true => Vec::new(),
            false => waits.ends_one(),
        };
        drop(waiting);
        drop(gone);
        watchers.into_iter().for_each(Waker::wake);
    }

    /// Takes out the writes of a name for so many tiers.
    pub(super) fn take_out_name(&self, tiers: usize, name: &Arc<str>) {
        let mut waiting = self.0.lock();
        let waits = &mut *waiting;
        if waits.by_target.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        for tier in 0..tiers {
            if let Some(item) = waits.by_target.remove(&(tier, Arc::clone(name))) {
                waits.bytes -= item.queued.sealed.size();
                waits.order.remove(&item.place);
                gone.push(item);
            }
        }
        let watchers = match gone.is_empty() {
            true => Vec::new(),
            false => waits.ends_one(),
        };
        drop(waiting);
        drop(gone);
        watchers.into_iter().for_each(Waker::wake);
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

    fn ends(&self) -> u64 {
        self.0.lock().ends
    }

    /// Is over once something ended after so many.
    fn ended(&self, ends: u64) -> impl Future<Output = ()> {
        poll_fn(move |context| {
            let mut waiting = self.0.lock();
            if waiting.ends != ends {
                return Poll::Ready(());
            }
            let waker = context.waker();
            if !waiting.watchers.iter().any(|other| other.will_wake(waker)) {
                waiting.watchers.push(waker.clone());
            }
            Poll::Pending
        })
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
        let (_, target) = waiting.order.pop_first()?;
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
        let watchers = waits.ends_one();
        let same = |item: &Item| item.number == self.item.number;
        let mut written = None;
        if waits.by_target.get(&self.target).is_some_and(same) {
            if self.ended {
                waits.bytes -= self.item.queued.sealed.size();
                written = waits.by_target.remove(&self.target);
            } else {
                waits.order.insert(self.item.place, self.target.clone());
            }
        }
        drop(waiting);
        drop(written);
        watchers.into_iter().for_each(Waker::wake);
    }
}

impl Waiting {
    /// Something ended; who has to be told.
    fn ends_one(&mut self) -> Vec<Waker> {
        self.ends += 1;
        std::mem::take(&mut self.watchers)
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

    /// Has the thread write; whether there is one.
    fn call_worker(self: &Arc<Self>) -> bool {
        let mut waiting = self.queue.0.lock();
        if let Some(worker) = &waiting.worker {
            worker.unpark();
            return true;
        }
        let stack = Arc::clone(self);
        let builder = thread::Builder::new().name("everwarm-writes".to_owned());
        // Without a thread the writes wait for the next one that is queued, or for a flush.
        if let Ok(handle) = builder.spawn(move || work(&stack)) {
            waiting.worker = Some(handle.thread().clone());
        }
        waiting.worker.is_some()
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
            (true, Hold::Forced) => self.empty_nearer(&[name]).await,
            (false, Hold::Forced) => self.owe_queued(name, queued, &written),
            (true, _) => queued.rights.spend(),
            (false, _) => {}
        }
        way.ended = true;
        true
    }

    /// Owes a write by hand that was queued and failed.
    fn owe_queued(&self, name: &Arc<str>, queued: &Queued, written: &Written) {
        let Some(place) = &queued.place else {
            return self.owe_name(name);
        };
        let sealed = matches!(written, Written::Failed(_)).then(|| queued.sealed.clone());
        let late = self.late_since(place, sealed, queued.since);
        drop(self.incur(Debt::Late(Arc::new(late))));
    }

    /// Waits until the writes that are queued now are done, and does them itself where there is no thread for it.
    pub(super) async fn flush_queue(self: &Arc<Self>) {
        let last = self.queue.last();
        loop {
            let ends = self.queue.ends();
            if !self.queue.has_up_to(last) {
                return;
            }
            let is_done = self.queue.is_under_way(|_| true) || self.call_worker();
            if is_done || !self.write_next().await {
                self.queue.ended(ends).await;
            }
        }
    }

    /// Waits until no write is under way for such a name.
    pub(super) async fn quiesce(&self, is: impl Fn(&str) -> bool) {
        let mut nap = Nap::new(self);
        loop {
            let ends = self.queue.ends();
            if !self.queue.is_under_way(&is) {
                return;
            }
            nap.take_until(self.queue.ended(ends)).await;
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

/// The thread works; dropped, it ended in the midst of it, and whoever waits for it calls another.
struct Works<'a> {
    queue: &'a Queue,
    ended: bool,
}

impl Drop for Works<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut waiting = self.queue.0.lock();
        waiting.worker = None;
        let watchers = waiting.ends_one();
        drop(waiting);
        watchers.into_iter().for_each(Waker::wake);
    }
}

/// What the thread does: it writes as long as there is something to write, lingers, and ends.
fn work(stack: &Arc<Stack>) {
    let mut works = Works {
        queue: &stack.queue,
        ended: false,
    };
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
            works.ended = true;
            return;
        }
    }
}
