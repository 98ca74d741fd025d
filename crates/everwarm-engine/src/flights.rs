//! Flights: the computations that run, and the seats from which they are led.
//!
//! A key has at most one seat, and a flight that **sits** will be kept: whatever makes its value not worth keeping (an
//! invalidation, a put, a refresh, a take-over) takes it out of its seat and lets it fly on for its callers. So "is it
//! still mine to store" is one look at the seat, under the lock that everybody who doubts it takes too. There is no
//! vacant seat either: a leader that leaves removes its flight, all waiters wake, and the first to run begins anew.
//!
//! A leader that computes on its own thread may sit [alone](Lone): then there is no flight until somebody comes to wait, who
//! makes one of what sits there.
//!
//! Order of locks: a shard of seats, then a shard of the memory. A flight's own lock, the record of departures and
//! the waits-for graph are leaves and may be taken under the former; wakers are called and values dropped when no lock is held.

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use everwarm_core::flight::LeadId;
use everwarm_core::generation::Stamp;
use hashbrown::{Equivalent, HashTable};

use crate::process::Process;
use crate::scope::Scope;
use crate::shim::{Mutex, MutexGuard};
use crate::sitting::Lone;
use crate::tags::Tags;
use crate::version::Versions;
use crate::waits;

/// One computation for one key.
pub(crate) struct Flight<K, V, E> {
    pub(crate) lead: LeadId,
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) scope: Arc<Scope>,
    /// Taken before the computation began.
    pub(crate) stamp: Stamp,
    /// The tags that follow from the arguments.
    pub(crate) tags: Tags,
    pub(crate) thread: u64,
    pub(crate) process: Process,
    /// Whether its leader sat alone, and so does not have it: it is found by the number of its lead.
    was_alone: bool,
    progress: Mutex<Progress<V, E>>,
}

/// How a flight ended.
pub(crate) enum Outcome<V, E> {
    /// With a value, and the tags that follow from it.
    Landed(V, Tags),
    /// With an error that its followers share.
    Failed(E),
    /// With an error, and the old value in its place for those who take that.
    FellBack(V, E),
    /// Without any: whoever needs the value begins anew.
    Gone,
}

enum Progress<V, E> {
    Flying(Wakers),
    Ended(Outcome<V, E>),
}

/// The wakers of those who wait, each at the place of its ticket.
#[derive(Default)]
struct Wakers {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Wakers {
    fn put(&mut self, place: &mut Option<usize>, waker: Waker) -> Option<Waker> {
        let at = *place.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.places.push(None);
                self.places.len() - 1
            })
        });
        self.places[at].replace(waker)
    }

    fn take(&mut self, place: usize) -> Option<Waker> {
        self.free.push(place);
        self.places[place].take()
    }
}

impl<K, V, E> Flight<K, V, E> {
    /// Ends the flight, once: all who wait are woken, after the lock is released.
    pub(crate) fn end(&self, outcome: Outcome<V, E>) -> bool {
        let mut progress = self.progress.lock();
        if matches!(*progress, Progress::Ended(_)) {
            drop(progress);
            return false;
        }
        let before = mem::replace(&mut *progress, Progress::Ended(outcome));
        drop(progress);
        if let Progress::Flying(wakers) = before {
            wakers.places.into_iter().flatten().for_each(Waker::wake);
        }
        true
    }

    /// What `read` makes of the outcome, if there is one; `read` runs under the flight's lock.
    pub(crate) fn outcome<R>(&self, read: impl FnOnce(&Outcome<V, E>) -> R) -> Option<R> {
        match &*self.progress.lock() {
            Progress::Flying(_) => None,
            Progress::Ended(outcome) => Some(read(outcome)),
        }
    }

    /// Has `waker` called at the end, instead of the one in `place`; calls it at once if that has come.
    pub(crate) fn register(&self, place: &mut Option<usize>, waker: Waker) {
        let mut progress = self.progress.lock();
        let Progress::Flying(wakers) = &mut *progress else {
            drop(progress);
            return waker.wake();
        };
        let before = wakers.put(place, waker);
        drop(progress);
        drop(before);
    }

    /// Forgets the waker in `place`.
    pub(crate) fn deregister(&self, place: usize) {
        let mut progress = self.progress.lock();
        let Progress::Flying(wakers) = &mut *progress else {
            return;
        };
        let before = wakers.take(place);
        drop(progress);
        drop(before);
    }
}

/// What a flight begins with.
pub(crate) struct Departure<K> {
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) scope: Arc<Scope>,
    pub(crate) stamp: Stamp,
    pub(crate) tags: Tags,
    pub(crate) thread: u64,
}

impl<K> Departure<K> {
    /// Begins the computation: it is in the waits-for graph until its lead ends.
    pub(crate) fn depart<V, E>(self) -> Arc<Flight<K, V, E>> {
        Arc::new(Flight {
            lead: waits::begun(self.thread, waits::subject(&self.scope, self.hash)),
            hash: self.hash,
            key: self.key,
            scope: self.scope,
            stamp: self.stamp,
            tags: self.tags,
            thread: self.thread,
            process: Process::current(),
            was_alone: false,
            progress: Mutex::new(Progress::Flying(Wakers::default())),
        })
    }
}

impl<K: Clone> Lone<K> {
    /// The flight of a computation that was led alone so far.
    fn joined<V, E>(&self, scope: &Arc<Scope>) -> Arc<Flight<K, V, E>> {
        Arc::new(Flight {
            lead: self.lead,
            hash: self.hash,
            key: self.key.clone(),
            scope: Arc::clone(scope),
            stamp: self.stamp,
            tags: None,
            thread: self.thread,
            process: self.process,
            was_alone: true,
            progress: Mutex::new(Progress::Flying(Wakers::default())),
        })
    }
}

/// The seats of a cache, sharded as its memory is.
pub(crate) struct Flights<K, V, E> {
    shards: Box<[Shard<K, V, E>]>,
}

/// The seats of one shard, on cache lines of their own (two of 64 bytes, since processors fetch them in pairs).
#[repr(align(128))]
struct Shard<K, V, E>(Mutex<Seats<K, V, E>>);

impl<K, V, E> Flights<K, V, E> {
    pub(crate) fn new(shards: usize) -> Self {
        let shard = |_| Shard(Mutex::new(Seats::new()));
        Self {
            shards: (0..shards).map(shard).collect(),
        }
    }

    pub(crate) fn lock(&self, shard: usize) -> MutexGuard<'_, Seats<K, V, E>> {
        self.shards[shard].0.lock()
    }
}

/// What who led alone leaves behind: its key, if it still sat, and the flight that others made of it.
type Left<K, V, E> = (Option<K>, Option<Arc<Flight<K, V, E>>>);

/// Who computes a key's value.
pub(crate) enum Sitter<K, V, E> {
    Alone(Lone<K>),
    Flight(Arc<Flight<K, V, E>>),
}

impl<K, V, E> Sitter<K, V, E> {
    pub(crate) fn key(&self) -> &K {
        match self {
            Self::Alone(lone) => &lone.key,
            Self::Flight(flight) => &flight.key,
        }
    }
}

/// The seats of one shard. Who leaves is returned, to be dropped when the lock is released.
#[repr(C)]
pub(crate) struct Seats<K, V, E> {
    /// Who leads alone: as many as threads compute at this moment, and nearly always none. So they are looked through.
    alone: Vec<Lone<K>>,
    /// The numbers of the shard's writes: whoever writes holds this lock.
    pub(crate) versions: Versions,
    taken: HashTable<Arc<Flight<K, V, E>>>,
    /// Flights that lost their seat while their leader, who sat alone once, does not know of them.
    adrift: Vec<Arc<Flight<K, V, E>>>,
}

impl<K, V, E> Seats<K, V, E> {
    fn new() -> Self {
        Self {
            alone: Vec::new(),
            taken: HashTable::new(),
            adrift: Vec::new(),
            versions: Versions::default(),
        }
    }

    fn insert(&mut self, flight: Arc<Flight<K, V, E>>) -> &Arc<Flight<K, V, E>> {
        let hash = flight.hash;
        let place = self.taken.insert_unique(hash, flight, |other| other.hash);
        place.into_mut()
    }
}

impl<K: Eq + Clone, V, E> Seats<K, V, E> {
    fn alone<Q: Equivalent<K> + ?Sized>(&self, hash: u64, key: &Q) -> Option<usize> {
        let is_it = |lone: &Lone<K>| lone.hash == hash && key.equivalent(&lone.key);
        self.alone.iter().position(is_it)
    }

    /// The flight of who sits for `key`.
    pub(crate) fn find(
        &mut self,
        (hash, key): (u64, &K),
        scope: &Arc<Scope>,
    ) -> Option<&Arc<Flight<K, V, E>>> {
        if let Some(at) = self.alone(hash, key) {
            let lone = self.alone.swap_remove(at);
            return Some(self.insert(lone.joined(scope)));
        }
        self.taken.find(hash, |flight| flight.key == *key)
    }

    /// What began for `key` by who sits for it: its stamp, and the process.
    pub(crate) fn peek(&self, hash: u64, key: &K) -> Option<(Stamp, Process, &Tags)> {
        if let Some(at) = self.alone(hash, key) {
            let lone = &self.alone[at];
            return Some((lone.stamp, lone.process, &None));
        }
        let flight = self.taken.find(hash, |flight| flight.key == *key)?;
        Some((flight.stamp, flight.process, &flight.tags))
    }

    /// Gives the key's seat to `flight`; who sat there goes on without.
    #[must_use]
    pub(crate) fn seat(&mut self, flight: Arc<Flight<K, V, E>>) -> Option<Sitter<K, V, E>> {
        let before = self.vacate(flight.hash, &flight.key);
        self.insert(flight);
        before
    }

    /// Gives the key's seat to who computes alone, if nobody has it.
    #[inline]
    pub(crate) fn sit(&mut self, lone: Lone<K>) -> bool {
        let is_taken = self.alone(lone.hash, &lone.key).is_some()
            || !self.taken.is_empty()
                && self
                    .taken
                    .find(lone.hash, |flight| flight.key == lone.key)
                    .is_some();
        if !is_taken {
            self.alone.push(lone);
        }
        !is_taken
    }

    /// Ends what is led alone still; its key.
    #[inline]
    pub(crate) fn leave_alone(&mut self, lead: LeadId) -> Option<K> {
        if self.alone.last().is_some_and(|last| last.lead == lead) {
            return self.alone.pop().map(|lone| lone.key);
        }
        let at = self.alone.iter().position(|lone| lone.lead == lead)?;
        Some(self.alone.swap_remove(at).key)
    }

    /// Ends what was led alone: its key, if it still sits, and the flight that others made of it.
    pub(crate) fn leave(&mut self, (hash, lead): (u64, LeadId)) -> Left<K, V, E> {
        match self.leave_alone(lead) {
            Some(key) => (Some(key), None),
            None => self.leave_company((hash, lead)),
        }
    }

    #[cold]
    fn leave_company(&mut self, (hash, lead): (u64, LeadId)) -> Left<K, V, E> {
        match self.taken.find_entry(hash, |other| other.lead == lead) {
            Ok(sits) => {
                let flight = sits.remove().0;
                (Some(flight.key.clone()), Some(flight))
            }
            Err(_) => {
                let at = self.adrift.iter().position(|flight| flight.lead == lead);
                (None, at.map(|at| self.adrift.swap_remove(at)))
            }
        }
    }

    /// Whether `flight` still sits.
    pub(crate) fn sits(&self, flight: &Arc<Flight<K, V, E>>) -> bool {
        self.taken
            .find(flight.hash, |other| Arc::ptr_eq(other, flight))
            .is_some()
    }

    /// Takes `flight` out of its seat, if it still sits.
    #[must_use]
    pub(crate) fn unseat(&mut self, flight: &Arc<Flight<K, V, E>>) -> Option<Sitter<K, V, E>> {
        let sits = self
            .taken
            .find_entry(flight.hash, |other| Arc::ptr_eq(other, flight))
            .ok()?;
        Some(Sitter::Flight(sits.remove().0))
    }

    /// Takes whoever sits for `key` out of the seat.
    #[must_use]
    pub(crate) fn vacate<Q: Equivalent<K> + ?Sized>(
        &mut self,
        hash: u64,
        key: &Q,
    ) -> Option<Sitter<K, V, E>> {
        if self.taken.is_empty() && self.alone.is_empty() {
            return None;
        }
        if let Some(at) = self.alone(hash, key) {
            return Some(Sitter::Alone(self.alone.swap_remove(at)));
        }
        let sits = self
            .taken
            .find_entry(hash, |flight| key.equivalent(&flight.key))
            .ok()?;
        let flight = sits.remove().0;
        if flight.was_alone {
            self.adrift.push(Arc::clone(&flight));
        }
        Some(Sitter::Flight(flight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut wakers = Wakers::default();
        let mut stays = None;
        assert!(wakers.put(&mut stays, Waker::noop().clone()).is_none());
        for _ in 0..100 {
            let mut place = None;
            assert!(wakers.put(&mut place, Waker::noop().clone()).is_none());
            assert_ne!(place, stays);
            assert!(place.and_then(|place| wakers.take(place)).is_some());
        }
        assert_eq!(wakers.places.len(), 2);
    }
}
