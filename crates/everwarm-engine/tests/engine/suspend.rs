//! Suspended tags in memory: nothing is stored under them, and what was is gone.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_engine::{
    Ask, Bounds, Cache, Caller, DefaultLock, Key, ManualHand, Scope, Settle, Ticker, Turn,
};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Only(u32);

impl Key for Only {
    type Lock = DefaultLock;

    fn scope(&self) -> u32 {
        self.0
    }
}

struct Place {
    cache: Arc<Cache<Only, u8, ()>>,
    scope: Arc<Scope>,
    hand: ManualHand,
    tags: Vec<Arc<str>>,
}

impl Place {
    fn new() -> Self {
        let hand = ManualHand::new(Instant::ZERO);
        let ticker = Ticker::frozen_by(&hand);
        let cache = Cache::new(Bounds::entries(NonZeroUsize::new(8).unwrap()), ticker);
        Self {
            scope: cache.scope(),
            cache,
            hand,
            tags: vec!["red".into()],
        }
    }

    fn begin(&self) -> Turn<Only, u8, ()> {
        let ask = Ask {
            scope: &self.scope,
            hash: 0,
            key: &Only(self.scope.id()),
            tags: &self.tags,
            caller: Caller::default(),
            again: false,
        };
        self.cache.begin(ask).expect("no wait for itself")
    }

    /// Whether a computation is stored.
    fn stores(&self) -> bool {
        match self.begin() {
            Turn::Lead(lead) => lead.settle(1, Settle::default()).stored,
            _ => panic!("something is there"),
        }
    }
}

const SPAN: Duration = Duration::from_secs(30);

#[test]
fn nothing_is_stored_until_all_have_resumed() {
    let place = Place::new();
    assert!(place.stores());
    place.cache.suspend_tags(&place.tags, SPAN);
    assert!(!place.stores());
    place.cache.suspend_tags(&place.tags, SPAN);
    place.cache.resume_tags(&place.tags);
    place.cache.invalidate_tags(&place.tags);
    assert!(!place.stores());
    let Turn::Lead(lead) = place.begin() else {
        panic!("nothing is there")
    };
    place.cache.resume_tags(&place.tags);
    assert!(!lead.settle(1, Settle::default()).stored, "it began before");
    assert!(place.stores());
    assert!(matches!(place.begin(), Turn::Hit(1)));
}

#[test]
fn a_tag_of_the_result_counts() {
    let place = Place::new();
    let late: Vec<Arc<str>> = vec!["late".into()];
    place.cache.suspend_tags(&late, SPAN);
    let Turn::Lead(lead) = place.begin() else {
        panic!("nothing is there")
    };
    let settle = Settle {
        tags: &late,
        ..Settle::default()
    };
    assert!(!lead.settle(1, settle).stored);
}

#[test]
fn its_time_ends_it_as_an_invalidation_does() {
    let place = Place::new();
    place.cache.suspend_tags(&place.tags, SPAN);
    let Turn::Lead(before) = place.begin() else {
        panic!("nothing is there")
    };
    place.hand.advance(SPAN);
    assert!(!before.settle(1, Settle::default()).stored);
    assert!(place.stores());
}

#[test]
fn many_other_tags_do_not_end_it() {
    let place = Place::new();
    place.cache.suspend_tags(&place.tags, SPAN);
    for number in 0..100_000 {
        place
            .cache
            .invalidate_tags(&[format!("tag:{number}").into()]);
    }
    assert!(!place.stores());
}
