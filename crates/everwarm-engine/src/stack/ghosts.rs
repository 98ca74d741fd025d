//! Ghosts: writes of this process whose answers never came. They may have been done, or be on their way and come to the store later, when
//! the way there is open again: what looks new there may be one of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;

/// How many are known.
const ROOM: usize = 4_096;

/// How long what a network holds back may take to come.
const COMES_WITHIN: Duration = Duration::from_secs(1_800);

/// The last of them, by name and digest.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    last: VecDeque<(Instant, Arc<str>, u64)>,
    /// When the last one was that had to go for want of room.
    forgot: Option<Instant>,
}

impl Ghosts {
    pub(super) fn note(&mut self, now: Instant, name: &Arc<str>, digest: u64) {
        let is_over = |(then, ..): &(Instant, Arc<str>, u64)| now.since(*then) > COMES_WITHIN;
        while self.last.front().is_some_and(is_over) {
            self.last.pop_front();
        }
        if self.last.len() >= ROOM {
            self.last.pop_front();
            self.forgot = Some(now);
        }
        self.last.push_back((now, Arc::clone(name), digest));
    }

    /// Whether what is under a name may be one.
    pub(super) fn has(&self, name: &str, digest: u64) -> bool {
        let mut last = self.last.iter();
        last.any(|(_, of, ghost)| **of == *name && *ghost == digest)
    }

    /// Whether all are known that may still come.
    pub(super) fn are_known(&self, now: Instant) -> bool {
        self.forgot
            .is_none_or(|then| now.since(then) > COMES_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ghosts_are_known_until_there_are_too_many() {
        let mut ghosts = Ghosts::default();
        let (name, now) = (Arc::from("k"), Instant::ZERO);
        for digest in 0..ROOM as u64 {
            ghosts.note(now, &name, digest);
        }
        assert!(ghosts.has("k", 0) && !ghosts.has("m", 0) && ghosts.are_known(now));
        ghosts.note(now, &name, ROOM as u64);
        assert!(!ghosts.has("k", 0) && !ghosts.are_known(now));
        let later = now.after(COMES_WITHIN + Duration::from_secs(1));
        assert!(ghosts.are_known(later));
        ghosts.note(later, &name, 9);
        assert_eq!(ghosts.last.len(), 1);
    }
}
