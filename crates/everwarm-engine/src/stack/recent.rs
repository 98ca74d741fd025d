//! Recent deletions, invalidations and sets by hand: a server that takes over may have lost them, though its predecessor acknowledged
//! them.
//!
//! Whoever issued one repeats it, as a debt: until that is paid, what it is about is a miss in this process. A store says that another
//! server took over before it gives that server's first answer ([`Notify::failovers`]); whoever has an answer asks for that before the
//! answer counts. So no answer of a server that lost something is taken before it is owed again. What was asked of one server and is
//! acknowledged when another has taken over is owed as if it had not been acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::Tag;
use everwarm_core::store::Notify;
use foldhash::quality::FixedState;

use super::Stack;
use super::owed::Debt;
use crate::shim::{AtomicU64, Mutex};

/// How far a server that takes over may be behind.
const REPEATED_FOR: Duration = Duration::from_secs(60);

/// How many deletions and invalidations are remembered; if there were more, everything is invalidated.
const ROOM: usize = 1_024;

/// How many sets are remembered; if there were more, the first are not repeated.
const WRITES: usize = 512;

/// What was acknowledged in the last minute.
#[derive(Debug)]
pub(super) struct Recent {
    done: Mutex<Done>,
    /// After how many failovers all was owed again, for readers that would otherwise take the lock for nothing.
    repeated: AtomicU64,
}

#[derive(Debug, Default)]
struct Done {
    debts: VecDeque<(Instant, Debt)>,
    /// When the last one was that had to go for want of room.
    forgot: Option<Instant>,
    writes: VecDeque<(Instant, Arc<str>, u64)>,
}

/// Whether what was done then is repeated now.
fn counts(now: Instant, then: Instant) -> bool {
    now.since(then) <= REPEATED_FOR
}

impl Recent {
    pub(super) fn new(failovers: u64) -> Self {
        Self {
            done: Mutex::default(),
            repeated: AtomicU64::new(failovers),
        }
    }
}

impl Done {
    fn note(&mut self, now: Instant, debt: Debt) {
        if let Debt::Written(name, digest) = debt {
            let is_over = |(then, ..): &(Instant, Arc<str>, u64)| !counts(now, *then);
            while self.writes.len() >= WRITES || self.writes.front().is_some_and(is_over) {
                self.writes.pop_front();
            }
            return self.writes.push_back((now, name, digest));
        }
        while self
            .debts
            .front()
            .is_some_and(|(then, _)| !counts(now, *then))
        {
            self.debts.pop_front();
        }
        if self.debts.len() >= ROOM {
            self.debts.pop_front();
            self.forgot = Some(now);
        }
        self.debts.push_back((now, debt));
    }

    /// What has to be repeated; `whole` is for what is not remembered.
    fn to_repeat(&self, now: Instant, whole: impl FnOnce() -> Debt) -> Vec<Debt> {
        if self.forgot.is_some_and(|then| counts(now, then)) {
            return vec![whole()];
        }
        // The last write of each name.
        let mut writes: BTreeMap<&Arc<str>, (Instant, u64)> = BTreeMap::new();
        for (then, name, digest) in &self.writes {
            if counts(now, *then) {
                writes.insert(name, (*then, *digest));
            }
        }
        let mut repeated = Vec::new();
        for (then, debt) in self.debts.iter().filter(|(then, _)| counts(now, *then)) {
            if let Debt::Name(name) = debt
                && let Some((written, _)) = writes.get(name)
            {
                if *written > *then {
                    continue;
                }
                writes.remove(name);
            }
            repeated.push(debt.clone());
        }
        let written = writes.into_iter();
        repeated.extend(written.map(|(name, (_, digest))| Debt::Written(Arc::clone(name), digest)));
        repeated
    }
}

/// What tells an envelope from others.
pub(super) fn digest(sealed: &[u8]) -> u64 {
    FixedState::default().hash_one(sealed)
}

impl Stack {
    /// How often another server took over from the one that acknowledges.
    pub(super) fn failovers(&self) -> u64 {
        let level = self.last();
        if level.embedded {
            return 0;
        }
        level.tier.store.notify().map_or(0, Notify::failovers)
    }

    /// Remembers what a store acknowledged that was asked for after so many failovers; whether it counts. Where another server took over
    /// meanwhile, that one may not have it, and it is to be owed.
    pub(super) fn remember(&self, debt: Debt, asked: u64) -> bool {
        if self.last().embedded {
            return true;
        }
        let mut done = self.recent.done.lock();
        // Under the lock: whoever repeats later finds it, and who repeated before has seen another number.
        let stands = self.failovers() == asked;
        if stands {
            done.note(self.now(), debt);
        }
        stands
    }

    /// Remembers what was written by hand under a name. Where that does not count any more, what is there is deleted.
    pub(super) fn remember_write(&self, name: &Arc<str>, sealed: &[u8], asked: u64) {
        if self.last().embedded {
            return;
        }
        if !self.remember(Debt::Written(Arc::clone(name), digest(sealed)), asked) {
            self.owe_name(name);
        }
    }

    /// Whether this name, or something with one of these tags, is owed: to be asked once a store has answered, before the answer counts.
    pub(super) fn owes(&self, name: &str, tags: &[Tag]) -> bool {
        self.repeat_lost();
        self.owed.is_about(name, tags)
    }

    /// Owes again what a server that took over may not have, if one did since the last look.
    pub(super) fn repeat_lost(&self) {
        if self.last().embedded || self.failovers() == self.recent.repeated.load(Ordering::Acquire)
        {
            return;
        }
        let done = self.recent.done.lock();
        let failovers = self.failovers();
        if failovers == self.recent.repeated.load(Ordering::Acquire) {
            return;
        }
        for debt in done.to_repeat(self.now(), || self.whole()) {
            drop(self.incur(debt));
        }
        // Only then: who sees the number goes by the debts.
        self.recent.repeated.store(failovers, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Debt {
        Debt::Name(name.into())
    }

    fn written(name: &str, digest: u64) -> Debt {
        Debt::Written(name.into(), digest)
    }

    fn nothing() -> Debt {
        unreachable!("all are remembered")
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn the_last_minute_is_repeated() {
        let mut done = Done::default();
        done.note(at(0), name("old"));
        done.note(at(60), name("new"));
        assert_eq!(done.to_repeat(at(61), nothing), [name("new")]);
        assert_eq!(done.to_repeat(at(121), nothing), []);
    }

    #[test]
    fn of_a_name_the_last_that_was_done_is_repeated() {
        let mut done = Done::default();
        done.note(at(1), written("a", 1));
        done.note(at(2), name("a"));
        assert_eq!(done.to_repeat(at(9), nothing), [name("a")]);
        done.note(at(3), written("a", 2));
        done.note(at(4), written("a", 3));
        assert_eq!(done.to_repeat(at(9), nothing), [written("a", 3)]);
    }

    #[test]
    fn more_than_are_remembered_are_everything() {
        let mut done = Done::default();
        for number in 0..=ROOM {
            done.note(at(0), name(&number.to_string()));
        }
        let whole = || Debt::Prefix("".into());
        assert_eq!(done.to_repeat(at(0), whole), [whole()]);
        assert_eq!(done.debts.len(), ROOM);
    }

    #[test]
    fn of_more_writes_than_are_remembered_the_last_are() {
        let mut done = Done::default();
        for number in 0..=WRITES {
            done.note(at(0), written(&number.to_string(), 1));
        }
        let repeated = done.to_repeat(at(0), nothing);
        assert_eq!(repeated.len(), WRITES);
        assert!(!repeated.contains(&written("0", 1)));
    }
}
