//! What memory in front of stores keeps of what lies there, and what it lets go of when others have changed it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::stack::Event;

use crate::shelf::{tag_of_entry, tag_of_function};

/// How long memory keeps what a store would not tell it of: the bound within which other processes' changes are seen.
const UNTOLD: Duration = Duration::from_millis(500);

/// The part of a life that an entry spends in memory, `most` at most, before stores that are silent about what others change or not.
#[must_use]
pub fn in_memory(
    lifetime: Lifetime,
    now: Instant,
    most: Option<Duration>,
    is_silent: bool,
) -> Lifetime {
    // Stores lengthen lives: a read that does so asks them.
    let lifetime = match now < lifetime.fresh_until() {
        true => lifetime.ended_by(lifetime.slide_from()),
        false => lifetime,
    };
    let untold = is_silent.then_some(UNTOLD);
    match most.into_iter().chain(untold).min() {
        Some(most) => lifetime.ended_by(now.after(most)),
        None => lifetime,
    }
}

/// What memory is to let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Struck {
    /// Whatever carries one of these tags.
    pub tags: Vec<Arc<str>>,
    /// All there is.
    pub all: bool,
}

/// What memory is to let go of after what others did.
#[must_use]
pub fn struck(events: Vec<Event>) -> Struck {
    let mut struck = Struck::default();
    for event in events {
        match event {
            Event::Key(name) => struck.tags.push(tag_of_entry(&name)),
            Event::Tag(tag) => struck.tags.push(tag),
            Event::Function(function) => struck.tags.push(tag_of_function(&function)),
            Event::Everything => struck.all = true,
        }
    }
    struck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_in_memory_for_the_shortest_of_what_counts() {
        let now = Instant::ZERO.after(Duration::from_secs(100));
        let lifetime = Lifetime::ending(now.after(Duration::from_secs(60)));
        let end = |most: Option<u64>, is_silent| {
            let most = most.map(Duration::from_secs);
            let kept = in_memory(lifetime, now, most, is_silent);
            kept.keep_until().since(now)
        };
        assert_eq!(end(None, false), Duration::from_secs(60));
        assert_eq!(end(Some(10), false), Duration::from_secs(10));
        assert_eq!(end(Some(90), false), Duration::from_secs(60));
        assert_eq!(end(Some(10), true), UNTOLD);
        assert_eq!(end(None, true), UNTOLD);
    }
}
