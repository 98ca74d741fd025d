//! The names of the tags that this process has seen, by the digests under which others invalidate them.
//!
//! A digest that is not among them belongs to no entry in this process's memory. There are two generations: the younger takes in
//! what is seen, and takes the elder's place when it is full; if names had to go by that, everything has to be taken as changed.
//!
//! It may belong to a value that is being computed, whose tags follow from the result: so unknown digests are remembered, too,
//! with the order in which they were heard.

use std::collections::HashMap;
use std::sync::Arc;

use everwarm_core::mark::{Tag, TagKind};
use foldhash::fast::RandomState;

use super::found::Event;
use crate::shim::Mutex;

/// How many names a generation takes.
const ROOM: usize = 32_768;

/// How many strangers are remembered.
const STRANGERS: usize = 4_096;

/// Names by digest.
#[derive(Debug)]
pub(super) struct Known(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    younger: HashMap<Tag, Arc<str>, RandomState>,
    elder: HashMap<Tag, Arc<str>, RandomState>,
    /// The functions: as many as there are in the program.
    functions: HashMap<Arc<str>, Tag, RandomState>,
    forgot: bool,
    /// Unknown digests that were invalidated, each with its number among all of them.
    strangers: HashMap<Tag, u64>,
    heard: u64,
    /// Of strangers up to this one, those that had to go are not known.
    floor: u64,
}

impl Known {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Generations::default()))
    }

    pub(super) fn note(&self, tag: Tag, name: &Arc<str>) {
        let mut generations = self.0.lock();
        if generations.younger.contains_key(&tag) {
            return;
        }
        if generations.younger.len() >= ROOM {
            let younger = std::mem::take(&mut generations.younger);
            let elder = std::mem::replace(&mut generations.elder, younger);
            generations.forgot |= !elder.is_empty();
        }
        generations.younger.insert(tag, Arc::clone(name));
    }

    /// What the invalidation of a tag is for this process; `None` if it has not seen the tag.
    pub(super) fn hear(&self, tag: Tag) -> Option<Event> {
        let mut generations = self.0.lock();
        let younger = generations.younger.get(&tag);
        let named = younger.or_else(|| generations.elder.get(&tag));
        let named = named.map(|name| Event::Tag(Arc::clone(name)));
        let known = named.or_else(|| {
            let mut functions = generations.functions.iter();
            let function = functions.find(|(_, function)| **function == tag);
            function.map(|(name, _)| Event::Function(Arc::clone(name)))
        });
        if known.is_none() {
            generations.heard += 1;
            if generations.strangers.len() >= STRANGERS {
                generations.strangers.clear();
                generations.floor = generations.heard - 1;
            }
            let heard = generations.heard;
            generations.strangers.insert(tag, heard);
        }
        known
    }

    /// How many strangers were heard of.
    pub(super) fn heard(&self) -> u64 {
        self.0.lock().heard
    }

    /// Whether one of these tags may have been heard of as a stranger after `since`.
    pub(super) fn overtook(&self, tags: &[Tag], since: u64) -> bool {
        let generations = self.0.lock();
        let after = |tag: &Tag| generations.strangers.get(tag).is_some_and(|at| *at > since);
        generations.floor > since || tags.iter().any(after)
    }

    /// The tag of a function, which is known from here on.
    pub(super) fn function(&self, namespace: &str, name: &Arc<str>) -> Tag {
        let mut generations = self.0.lock();
        if let Some(tag) = generations.functions.get(name) {
            return *tag;
        }
        let tag = Tag::of(namespace, TagKind::Function, name);
        generations.functions.insert(Arc::clone(name), tag);
        tag
    }

    /// The functions that were seen.
    pub(super) fn functions(&self) -> Vec<Arc<str>> {
        self.0.lock().functions.keys().map(Arc::clone).collect()
    }

    /// Whether names had to go since the last time this was asked.
    pub(super) fn take_forgot(&self) -> bool {
        std::mem::take(&mut self.0.lock().forgot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: usize) -> Tag {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Tag(bytes)
    }

    #[test]
    fn names_go_only_after_a_whole_generation_and_that_is_said() {
        let known = Known::new();
        let name: Arc<str> = "t".into();
        for number in 0..2 * ROOM {
            known.note(tag(number), &name);
        }
        assert!(known.hear(tag(0)).is_some());
        assert!(!known.take_forgot());
        known.note(tag(2 * ROOM), &name);
        assert!(known.hear(tag(0)).is_none());
        assert!(known.hear(tag(ROOM)).is_some());
        assert!(known.take_forgot() && !known.take_forgot());
        let function = known.function("shop", &name);
        assert_eq!(known.functions(), [Arc::clone(&name)]);
        assert_eq!(known.hear(function), Some(Event::Function(name)));
    }

    #[test]
    fn strangers_overtake_what_began_before() {
        let known = Known::new();
        let since = known.heard();
        assert_eq!(known.hear(tag(1)), None);
        assert!(known.overtook(&[tag(1)], since) && !known.overtook(&[tag(2)], since));
        let later = known.heard();
        assert!(!known.overtook(&[tag(1)], later));
        for number in 0..=STRANGERS {
            known.hear(tag(2 + number));
        }
        assert!(
            known.overtook(&[tag(1)], later),
            "what is forgotten overtakes"
        );
    }
}
