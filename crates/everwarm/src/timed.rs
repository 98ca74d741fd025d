//! Timed refresh: what was read since it was computed is computed anew once it is so old, whoever asks for it then.
//!
//! The call that is the first to find its entry leaves its own computation behind, since nobody else knows how to do it. When that
//! is due it is given to whatever the user said runs computations. Nothing here keeps the time: the user calls, or has a thread.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use everwarm_core::clock::Instant;
use parking_lot::Mutex;

use crate::behind::{Runners, Task, Work};
use crate::cache::Cache;

/// Keys of which a computation is held, of each cache and each function.
pub(crate) const MOST: usize = 1_000;

/// The longest that a thread waits before it looks again: clocks are moved by tests.
pub(crate) const PACE: Duration = Duration::from_secs(1);

/// A computation that was begun, for whoever runs such.
pub(crate) enum Due {
    /// For a thread.
    Work(Work),
    /// For a task.
    Task(Task),
}

/// Begins a computation anew, unless somebody has done so.
type Again<H> = Box<dyn FnOnce(H) -> Option<Due> + Send>;

/// What runs computations, in threads and in tasks.
pub(crate) type Run<'a> = (Option<&'a dyn Fn(Work)>, Option<&'a dyn Fn(Task)>);

/// The computations of the entries that live in `H`, by their keys' hashes: of two keys with one hash, the latest.
pub(crate) struct Timed<H>(Mutex<BTreeMap<u64, (Instant, Again<H>)>>);

impl<H: Clone> Timed<H> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Takes note of a computation that is to be done then, if there is room.
    pub(crate) fn note(&self, hash: u64, due: Instant, again: Again<H>) {
        let mut noted = self.0.lock();
        // What is not kept is dropped without the lock, for dropping may run anything.
        let _left = if noted.len() < MOST || noted.contains_key(&hash) {
            let before = noted.insert(hash, (due, again));
            drop(noted);
            before
        } else {
            drop(noted);
            Some((due, again))
        };
    }

    /// Has what is due by `now` run; how much that was.
    pub(crate) fn run_due(&self, home: &H, now: Instant, (background, spawn): Run<'_>) -> usize {
        let due: Vec<_> = {
            let mut noted = self.0.lock();
            let is_due = |(hash, (due, _)): (&u64, &(Instant, _))| (*due <= now).then_some(*hash);
            let due: Vec<u64> = noted.iter().filter_map(is_due).collect();
            due.iter().filter_map(|hash| noted.remove(hash)).collect()
        };
        let begun = due.into_iter().filter_map(|(_, again)| again(home.clone()));
        let run = |due| match (due, background, spawn) {
            (Due::Work(work), Some(background), _) => background(work),
            (Due::Task(task), _, Some(spawn)) => spawn(task),
            // It was noted where there was something to run it.
            (Due::Work(_) | Due::Task(_), ..) => {}
        };
        begun.map(run).count()
    }

    /// After how long to look again.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let noted = self.0.lock();
        let next = noted.values().map(|(due, _)| due.since(now)).min();
        next.map_or(PACE, |next| next.min(PACE))
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Has computed anew what is due where there is [`refresh_every`](crate::Builder::refresh_every); how many computations that were.
    /// They are run by what the cache's `background` and `spawn` say, so it is called in the runtime that the latter needs.
    pub fn run_due(&self) -> usize {
        let Runners { background, spawn } = &self.runners;
        let background = background.as_deref().map(|run| run as &dyn Fn(Work));
        let spawn = spawn.as_deref().map(|run| run as &dyn Fn(Task));
        let (home, now) = (&self.home, self.home.now());
        self.timed.run_due(home, now, (background, spawn))
    }

    /// A thread that calls [`run_due`](Self::run_due) whenever something is due, or a second later, until what is returned or
    /// the cache is dropped. It runs no tasks: what `spawn` needs of a runtime is not there, unless `spawn` brings it along.
    ///
    /// # Panics
    /// If there is no room for a thread.
    pub fn refresh_in_thread(&self) -> Refreshing
    where
        K: Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let (home, timed) = (Arc::downgrade(&self.home), Arc::downgrade(&self.timed));
        let Self {
            tagging,
            judge,
            runners,
            is_plain,
            ..
        } = self.clone();
        Refreshing::new(move || {
            let cache = Self {
                home: home.upgrade()?,
                timed: timed.upgrade()?,
                tagging: tagging.clone(),
                judge: judge.clone(),
                runners: runners.clone(),
                is_plain,
            };
            cache.run_due();
            Some(cache.timed.wait(cache.home.now()))
        })
    }
}

/// A thread that has values in use computed anew as time goes by: what
/// [`Cache::refresh_in_thread`](crate::Cache::refresh_in_thread) and [`refresh_in_thread`](crate::refresh_in_thread) give. It ends
/// when this is dropped, or the cache is.
#[derive(Debug)]
#[must_use = "the thread ends when this is dropped"]
pub struct Refreshing {
    ends: Arc<AtomicBool>,
    thread: Thread,
}

impl Refreshing {
    /// A thread that has `run_due` say again and again after how long to ask it next, until it says nothing.
    pub(crate) fn new(run_due: impl Fn() -> Option<Duration> + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let looking = move || {
            while !ended.load(Ordering::Acquire) {
                // What panics is a computation that `background` runs here: it has ended, and the others go on.
                let wait = catch_unwind(AssertUnwindSafe(&run_due)).unwrap_or(Some(PACE));
                let Some(wait) = wait else { break };
                thread::park_timeout(wait.max(Duration::from_millis(1)));
            }
        };
        let builder = thread::Builder::new().name("everwarm-timer".to_owned());
        let started = builder.spawn(looking).expect("there is room for a thread");
        Self {
            ends,
            thread: started.thread().clone(),
        }
    }
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
