//! What memory in front of stores keeps of what lies there, and what it lets go of when others have changed it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::stack::Event;

use crate::shelf::{tag_of_entry, tag_of_function};

/// How long memory keeps what a store would not tell it of: the bound within which other processes' changes are seen.
const UNTOLD: Duration = Duration::from_millis(500);

/// The part of a life that an entry spends in memory, before stores that are silent about what others change or not.
#[must_use]
pub fn in_memory(lifetime: Lifetime, now: Instant, is_silent: bool) -> Lifetime {
    // Stores lengthen lives: a read that does so asks them.
    let lifetime = match now < lifetime.fresh_until() {
        true => lifetime.ended_by(lifetime.slide_from()),
        false => lifetime,
    };
    match is_silent {
        true => lifetime.ended_by(now.after(UNTOLD)),
        false => lifetime,
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
