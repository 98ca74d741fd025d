//! Recent deletions and invalidations: a server that takes over may have lost them, though its predecessor acknowledged them.
//!
//! Whoever issued one repeats it, as a debt: until that is paid, what it is about is a miss in this process.

use std::collections::VecDeque;
use std::time::Duration;

use everwarm_core::clock::Instant;

use super::Stack;
use super::owed::Debt;
use crate::shim::Mutex;

/// How far a server that takes over may be behind.
const REPEATED_FOR: Duration = Duration::from_secs(60);

/// How many are remembered; if there were more, everything is invalidated.
const ROOM: usize = 1_024;

/// What was acknowledged in the last minute.
#[derive(Debug)]
pub(super) struct Recent(Mutex<Done>);

#[derive(Debug)]
struct Done {
    debts: VecDeque<(Instant, Debt)>,
    /// When the last one was that had to go for want of room.
    forgot: Option<Instant>,
    /// How many failovers there were.
    failovers: u64,
}

impl Recent {
    pub(super) fn new(failovers: u64) -> Self {
        Self(Mutex::new(Done {
            debts: VecDeque::new(),
            forgot: None,
            failovers,
        }))
    }

    fn note(&self, now: Instant, debt: Debt) {
        let mut done = self.0.lock();
        let is_over = |(then, _): &(Instant, Debt)| now.since(*then) > REPEATED_FOR;
        while done.debts.front().is_some_and(is_over) {
            done.debts.pop_front();
        }
        if done.debts.len() >= ROOM {
            done.debts.pop_front();
            done.forgot = Some(now);
        }
        done.debts.push_back((now, debt));
    }

    /// What has to be repeated if another server took over since; `whole` is for what is not remembered.
    fn to_repeat(&self, now: Instant, failovers: u64, whole: impl FnOnce() -> Debt) -> Vec<Debt> {
        let mut done = self.0.lock();
        if std::mem::replace(&mut done.failovers, failovers) == failovers {
            return Vec::new();
        }
        let counts = |then: Instant| now.since(then) <= REPEATED_FOR;
        if done.forgot.is_some_and(counts) {
            return vec![whole()];
        }
        let recent = done.debts.iter().filter(|(then, _)| counts(*then));
        recent.map(|(_, debt)| debt.clone()).collect()
    }
}

impl Stack {
    /// Remembers what a store acknowledged that may be replaced by another.
    pub(super) fn remember(&self, debt: Debt) {
        if !self.last().embedded {
            self.recent.note(self.now(), debt);
        }
    }

    /// Owes again what a server that took over may not have.
    pub(super) fn repeat_after_failover(&self, failovers: u64) {
        let repeated = self
            .recent
            .to_repeat(self.now(), failovers, || self.whole());
        for debt in repeated {
            drop(self.incur(debt));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Debt {
        Debt::Name(name.into())
    }

    fn nothing() -> Debt {
        unreachable!("all are remembered")
    }

    #[test]
    fn the_last_minute_is_repeated_once_after_each_failover() {
        let recent = Recent::new(0);
        let later = Instant::ZERO.after(REPEATED_FOR);
        recent.note(Instant::ZERO, name("old"));
        recent.note(later, name("new"));
        assert_eq!(recent.to_repeat(later, 0, nothing), []);
        let after = later.after(Duration::from_secs(1));
        assert_eq!(recent.to_repeat(after, 1, nothing), [name("new")]);
        assert_eq!(recent.to_repeat(after, 1, nothing), []);
    }

    #[test]
    fn more_than_are_remembered_are_everything() {
        let recent = Recent::new(0);
        for number in 0..=ROOM {
            recent.note(Instant::ZERO, name(&number.to_string()));
        }
        let whole = || Debt::Prefix("".into());
        assert_eq!(recent.to_repeat(Instant::ZERO, 1, whole), [whole()]);
        assert_eq!(recent.0.lock().debts.len(), ROOM);
    }
}
