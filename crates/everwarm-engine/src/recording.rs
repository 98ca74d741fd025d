//! What happened to the keys of a sample, until somebody has time for it: noting it costs a hit little.

use std::mem;

use everwarm_core::clock::Instant;
use everwarm_core::generation::Stamp;

use crate::shim::Mutex;
use crate::tags::Tags;
use crate::what_if::Known;

/// What happened to a key of the sample, or to all of them.
pub(crate) enum Event {
    /// It was looked up; what was found there, with its tags and its end.
    Looked {
        hash: u64,
        scope: u32,
        stamp: Stamp,
        now: Instant,
        found: Option<(Tags, Instant)>,
    },
    /// An entry was stored.
    Stored {
        hash: u64,
        known: Known,
        now: Instant,
    },
    /// Its entry was taken out.
    Removed(u64),
    /// The entries of a scope, or all, were taken out.
    Cleared(Option<u32>),
}

/// So many events are kept. Who misses takes them, so that more come together only where nearly all lookups hit: then those that
/// are kept stand for the first of them too.
const MOST: usize = 1 << 12;

/// The last events that nobody has taken yet.
#[derive(Default)]
pub(crate) struct Recording(Mutex<Events>);

#[derive(Default)]
struct Events {
    ring: Vec<Event>,
    /// The place of the oldest, where all places are taken.
    oldest: usize,
    lost: usize,
}

/// What was recorded, the oldest first.
pub(crate) struct Recorded {
    pub(crate) events: Vec<Event>,
    /// How many came before these and were not kept.
    pub(crate) lost: usize,
}

impl Recording {
    /// Notes an event, and forgets the oldest if there are too many.
    pub(crate) fn note(&self, event: Event) {
        let mut events = self.0.lock();
        let Events { ring, oldest, lost } = &mut *events;
        if ring.len() < MOST {
            ring.push(event);
            return;
        }
        let forgotten = mem::replace(&mut ring[*oldest], event);
        *oldest = (*oldest + 1) % MOST;
        *lost += 1;
        drop(events);
        drop(forgotten);
    }

    /// What was recorded since this was called last.
    pub(crate) fn take(&self) -> Recorded {
        let Events {
            ring: mut events,
            oldest,
            lost,
        } = mem::take(&mut *self.0.lock());
        events.rotate_left(oldest);
        Recorded { events, lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(recording: &Recording) -> (Vec<u64>, usize) {
        let hash = |event: &Event| match event {
            Event::Removed(hash) => *hash,
            _ => unreachable!("nothing else was noted"),
        };
        let Recorded { events, lost } = recording.take();
        (events.iter().map(hash).collect(), lost)
    }

    #[test]
    fn the_last_events_are_kept_in_their_order() {
        let recording = Recording::default();
        let note = |hashes: std::ops::Range<u64>| {
            hashes.for_each(|hash| recording.note(Event::Removed(hash)));
        };
        note(0..3);
        assert_eq!(taken(&recording), (vec![0, 1, 2], 0));
        let most = MOST as u64;
        note(0..most + 6);
        let last: Vec<u64> = (6..most + 6).collect();
        assert_eq!(taken(&recording), (last, 6));
        assert_eq!(taken(&recording), (vec![], 0));
    }
}
