//! Generations beside a model that remembers the whole history instead of two numbers per entry.

use everwarm_core::generation::{LIMIT, Marker, Stamp, outdated_for, valid};
use proptest::collection::vec;
use proptest::prelude::*;

const TAGS: usize = 3;

/// What happens, in order: tag `n` is invalidated, or nothing but a moment passes.
type History = Vec<Option<usize>>;

/// The counter and the markers after each moment of a history.
struct Counted {
    stamps: Vec<Stamp>,
    markers: [Marker; TAGS],
}

fn count(history: &History) -> Counted {
    let mut stamp = Stamp::default();
    let mut counted = Counted {
        stamps: vec![stamp],
        markers: [Marker::default(); TAGS],
    };
    for event in history {
        if let Some(tag) = event {
            let marker = stamp.next().expect("far from the limit");
            counted.markers[*tag] = marker;
            stamp = Stamp::new(marker.get());
        }
        counted.stamps.push(stamp);
    }
    counted
}

fn history() -> BoxedStrategy<History> {
    vec(proptest::option::of(0..TAGS), 1..12).boxed()
}

proptest! {
    #[test]
    fn a_value_counts_if_none_of_its_tags_was_invalidated_since(
        history in history(), began in any::<prop::sample::Index>(), tags in vec(0..TAGS, 0..3),
    ) {
        let counted = count(&history);
        let began = began.index(counted.stamps.len());
        let expected = !history[began..].iter().flatten().any(|tag| tags.contains(tag));
        let markers = tags.iter().map(|tag| counted.markers[*tag]);
        prop_assert_eq!(valid(counted.stamps[began], markers), expected);
    }

    #[test]
    fn no_follower_gets_what_an_invalidation_before_it_outdated(
        history in history(), one in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(),
        tags in vec(0..TAGS, 0..3),
    ) {
        let counted = count(&history);
        let (one, other) = (one.index(counted.stamps.len()), other.index(counted.stamps.len()));
        let (began, joined) = (one.min(other), one.max(other));
        let invalidated =
            |moments: &[Option<usize>]| moments.iter().flatten().any(|tag| tags.contains(tag));
        let markers = tags.iter().map(|tag| counted.markers[*tag]);
        let outdated = outdated_for(counted.stamps[joined], counted.stamps[began], markers);
        prop_assert!(outdated || !invalidated(&history[began..joined]), "an outdated value is handed out");
        prop_assert!(!outdated || invalidated(&history[began..]), "a good value is held back");
        let nothing_between = history[began..joined].iter().flatten().next().is_none();
        prop_assert!(!outdated || !nothing_between, "a caller that was there first is sent away");
    }
}

#[test]
fn a_later_invalidation_hides_no_earlier_one() {
    let (began, first) = (Stamp::new(0), Marker::new(1));
    let joined = Stamp::new(first.get());
    assert!(outdated_for(joined, began, [first]));
    assert!(outdated_for(joined, began, [Marker::new(2)]));
}

#[test]
fn numbers_end_below_the_limit() {
    assert_eq!(Stamp::new(LIMIT - 2).next(), Some(Marker::new(LIMIT - 1)));
    assert_eq!(Stamp::new(LIMIT - 1).next(), None);
    assert_eq!(Stamp::new(u64::MAX).next(), None);
    assert_eq!((LIMIT as f64) as u64, LIMIT);
}
