//! The table of markers: the larger number wins, another epoch ends what is known, and a reply that was asked for before that stays
//! out.

use std::collections::hash_map::RandomState;
use std::time::Duration;

use everwarm_core::bus::table::{ROOM, Table};
use everwarm_core::clock::Instant;
use everwarm_core::mark::{Mark, Reading, Tag};

const NOW: Instant = Instant::ZERO;

fn tag(byte: u8) -> Tag {
    Tag([byte; 16])
}

fn mark(epoch: u64, number: u64) -> Mark {
    Mark {
        shard: 0,
        epoch,
        number,
    }
}

fn reading(shard: Mark, marker: Mark) -> Reading {
    Reading {
        shards: vec![shard],
        markers: vec![Some(marker)],
    }
}

fn known() -> Table {
    let mut markers = Table::<RandomState>::default();
    let asked = markers.asked();
    markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
    markers.confirm(NOW);
    markers
}

#[test]
fn the_larger_number_wins() {
    let mut markers = known();
    markers.hear(tag(1), mark(1, 6));
    let asked = markers.asked();
    markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
    assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(1, 6)]));
}

#[test]
fn a_message_is_kept_for_a_reply_that_was_read_before_it() {
    let mut markers = known();
    let late = markers.asked();
    markers.hear(tag(2), mark(1, 7));
    assert_eq!(
        markers.of(&[tag(2)], NOW),
        None,
        "others may have come since"
    );
    markers.feed(late, &[tag(2)], &reading(mark(1, 5), mark(1, 3)));
    assert_eq!(markers.of(&[tag(2)], NOW), Some(vec![mark(1, 7)]));
}

#[test]
fn what_was_known_of_a_marker_is_kept_while_it_is_said_to_be_gone() {
    let mut markers = known();
    let asked = markers.asked();
    let gone = Reading {
        shards: vec![mark(1, 5)],
        markers: vec![None],
    };
    markers.feed(asked, &[tag(1)], &gone);
    assert_eq!(markers.of(&[tag(1)], NOW), None);
    markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(1, 2)));
    assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(1, 4)]));
}

#[test]
fn of_too_many_messages_none_is_kept_and_late_replies_stay_out() {
    let mut markers = known();
    let late = markers.asked();
    for number in 0..5_000_u32 {
        let mut bytes = [9; 16];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        markers.hear(Tag(bytes), mark(1, 7));
    }
    markers.feed(late, &[tag(2)], &reading(mark(1, 5), mark(1, 3)));
    assert_eq!(markers.of(&[tag(2)], NOW), None);
    let asked = markers.asked();
    markers.feed(asked, &[tag(2)], &reading(mark(1, 7), mark(1, 3)));
    assert_eq!(markers.of(&[tag(2)], NOW), Some(vec![mark(1, 3)]));
}

#[test]
fn what_is_unknown_or_not_confirmed_is_asked_for() {
    let markers = known();
    assert_eq!(markers.of(&[tag(1), tag(2)], NOW), None);
    assert_eq!(
        markers.of(&[tag(1)], NOW.after(Duration::from_secs(3))),
        None
    );
}

#[test]
fn another_epoch_ends_what_is_known_and_late_replies_stay_out() {
    let mut markers = known();
    let late = markers.asked();
    let asked = markers.asked();
    markers.feed(asked, &[tag(2)], &reading(mark(2, 0), mark(2, 0)));
    assert!(markers.take_upset());
    markers.feed(late, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
    markers.confirm(NOW);
    assert_eq!(markers.of(&[tag(1)], NOW), None);
    assert_eq!(markers.of(&[tag(2)], NOW), Some(vec![mark(2, 0)]));
    assert!(!markers.take_upset());
}

#[test]
fn a_reply_from_before_the_first_epoch_was_known_stays_out() {
    let mut markers = Table::<RandomState>::default();
    let late = markers.asked();
    markers.hear(tag(2), mark(2, 1));
    markers.feed(late, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
    markers.confirm(NOW);
    assert_eq!(markers.of(&[tag(1)], NOW), None);
    assert!(!markers.take_upset());
}

#[test]
fn a_message_raises_what_is_known_and_makes_nothing_known() {
    let mut markers = known();
    markers.hear(tag(1), mark(1, 6));
    markers.hear(tag(2), mark(1, 7));
    assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(1, 6)]));
    assert_eq!(markers.of(&[tag(2)], NOW), None);
    // A message from before an invalidation of this process, which was forgotten with all else, comes late.
    markers.forget();
    markers.confirm(NOW);
    markers.hear(tag(1), mark(1, 5));
    assert_eq!(markers.of(&[tag(1)], NOW), None);
}

#[test]
fn nothing_smaller_than_ones_own_invalidation_counts() {
    let mut markers = known();
    let invalidating = markers.asked();
    markers.forget();
    let reading_before = markers.asked();
    markers.invalidated(invalidating, &[tag(1)], &reading(mark(1, 6), mark(1, 6)));
    markers.feed(reading_before, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
    markers.confirm(NOW);
    assert_eq!(markers.of(&[tag(1)], NOW), None);
    let mut lost = known();
    let invalidating = lost.asked();
    let none = Reading {
        shards: vec![mark(1, 6)],
        markers: vec![None],
    };
    lost.invalidated(invalidating, &[tag(1)], &none);
    assert_eq!(lost.of(&[tag(1)], NOW), None);
}

#[test]
fn a_marker_of_a_lost_epoch_is_none() {
    let mut markers = known();
    let asked = markers.asked();
    markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(9, 4)));
    assert_eq!(markers.of(&[tag(1)], NOW), None);
}

#[test]
fn the_table_is_bounded() {
    let mut markers = known();
    for number in 0..=ROOM as u64 {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        let asked = markers.asked();
        let reading = reading(mark(1, 5), mark(1, number));
        markers.feed(asked, &[Tag(bytes)], &reading);
    }
    assert!(markers.take_overflown());
    assert!(markers.all().count() <= ROOM);
}

#[test]
fn a_reply_of_before_the_beginning_that_comes_late_upsets_all() {
    let mut markers = known();
    markers.begins(mark(1, 5));
    assert!(!markers.take_upset());
    assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(1, 4)]));
    let asked = markers.asked();
    markers.feed(asked, &[tag(2)], &reading(mark(1, 4), mark(1, 3)));
    assert!(markers.take_upset() && markers.of(&[tag(2)], NOW).is_none());
}

#[test]
fn a_beginning_at_another_number_upsets_all() {
    for at in [mark(1, 6), mark(2, 5)] {
        let mut markers = known();
        markers.begins(at);
        assert!(markers.take_upset() && markers.all().next().is_none());
    }
}
