//! Silence: what a process still serves from memory and nearer tiers when it cannot learn what others did.

use crate::clock::Instant;

use super::CONFIRMED_FOR;

/// What follows from a look for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// Memory in front lets go of everything: nothing in it is to be older than [`CONFIRMED_FOR`].
    pub let_go: bool,
    /// Nearer tiers count: no deletion was missed that they would have to know of.
    pub nearer: bool,
}

/// Since when nothing was heard.
///
/// ```
/// use everwarm_core::bus::{CONFIRMED_FOR, silence::Silence};
/// use everwarm_core::clock::Instant;
///
/// let began = Instant::ZERO;
/// let mut silence = Silence::new(began, true);
/// let late = began.after(CONFIRMED_FOR);
/// assert!(!silence.look(late, Some(late)).let_go);
/// assert!(silence.look(late.after(CONFIRMED_FOR), None).let_go);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Up to which moment everything was heard, if anything ever was.
    heard: Option<Instant>,
    /// When memory had nothing.
    empty: Instant,
}

impl Silence {
    /// Of a process that begins now, with nothing in memory; `hears` says whether it missed nothing before.
    #[must_use]
    pub fn new(now: Instant, hears: bool) -> Self {
        Self {
            heard: hears.then_some(now),
            empty: now,
        }
    }

    /// When memory lets go of everything, unless something is heard before.
    #[must_use]
    pub fn lets_go(&self) -> Instant {
        self.known().after(CONFIRMED_FOR)
    }

    /// From when on others may have done what nobody heard of, and memory may hold it.
    fn known(&self) -> Instant {
        self.heard.unwrap_or(Instant::ZERO).max(self.empty)
    }

    /// Looks for messages: `heard` is the moment up to which everything was heard, `None` if nothing could be.
    pub fn look(&mut self, now: Instant, heard: Option<Instant>) -> Verdict {
        self.heard = self.heard.max(heard);
        let let_go = now.since(self.known()) >= CONFIRMED_FOR;
        if let_go {
            self.empty = now;
        }
        let counts = |heard| now.since(heard) < CONFIRMED_FOR;
        Verdict {
            let_go,
            nearer: self.heard.is_some_and(counts),
        }
    }
}
