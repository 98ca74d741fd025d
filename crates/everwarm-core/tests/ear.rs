//! What an ear concludes from numbered messages, heartbeats, and their absence.

use std::time::Duration;

use everwarm_core::bus::CONFIRMED_FOR;
use everwarm_core::bus::ear::{Ear, Event, GRACE, Report};
use everwarm_core::bus::inbox::Inbox;
use everwarm_core::bus::silence::Silence;
use everwarm_core::clock::Instant;
use everwarm_core::mark::Mark;
use everwarm_core::shard::JUMP;
use everwarm_core::store::Message;
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const GAP: Report = Report {
    gap: true,
    failover: false,
};

const FAILOVER: Report = Report {
    gap: true,
    failover: true,
};

fn mark(number: u64) -> Mark {
    Mark {
        shard: 0,
        epoch: 9,
        number,
    }
}

fn beat(number: u64, asked: Instant) -> Event {
    Event::Beat {
        at: mark(number),
        asked,
    }
}

/// An ear that has heard everything up to number 4.
fn ear() -> Ear {
    let mut ear = Ear::new(1);
    ear.hear(beat(4, NOW));
    assert_eq!(ear.report(), GAP);
    ear
}

#[test]
fn a_new_ear_has_missed_everything_and_has_confirmed_nothing() {
    let mut ear = Ear::new(2);
    assert_eq!((ear.confirmed(), ear.report()), (None, GAP));
    ear.hear(beat(4, NOW));
    assert_eq!((ear.confirmed(), ear.report()), (None, GAP));
    let other = Mark {
        shard: 1,
        ..mark(7)
    };
    ear.hear(Event::Beat {
        at: other,
        asked: NOW,
    });
    assert_eq!(ear.confirmed(), Some(NOW));
}

#[test]
fn a_message_that_is_missing_is_a_gap_and_a_late_one_is_none() {
    let mut ear = ear();
    ear.hear(Event::Message(mark(6)));
    assert_eq!(ear.report(), GAP);
    ear.hear(beat(6, NOW));
    assert!(!ear.hear(Event::Message(mark(4))));
    assert!(ear.hear(Event::Message(mark(7))));
    assert_eq!(ear.report(), Report::default());
}

#[test]
fn a_heartbeat_confirms_or_waits_for_what_it_is_ahead_of() {
    let mut ear = ear();
    let (later, too_late) = (NOW.after(GRACE / 2), NOW.after(GRACE * 2));
    ear.hear(beat(4, later));
    assert_eq!(ear.confirmed(), Some(later));
    ear.hear(beat(5, later));
    assert_eq!(ear.report(), Report::default());
    let mut patient = ear.clone();
    ear.hear(Event::Message(mark(5)));
    ear.hear(beat(5, too_late));
    assert_eq!(
        (ear.confirmed(), ear.report()),
        (Some(too_late), Report::default())
    );
    patient.hear(beat(5, too_late));
    assert_eq!(patient.report(), GAP);
}

#[test]
fn overflow_and_reconnection_are_gaps() {
    for event in [Event::Overflow, Event::Reconnected] {
        let mut ear = ear();
        ear.hear(event);
        assert_eq!(ear.report(), GAP);
    }
    let mut ear = ear();
    ear.hear(Event::Reconnected);
    assert_eq!(ear.report(), GAP);
    assert_eq!(ear.confirmed(), None);
    ear.hear(beat(6, NOW));
    assert_eq!((ear.report(), ear.confirmed()), (GAP, Some(NOW)));
}

#[test]
fn another_epoch_is_a_gap_and_a_jump_a_failover() {
    let mut lost = ear();
    let other = Mark {
        epoch: 8,
        ..mark(0)
    };
    lost.hear(Event::Message(other));
    assert_eq!(lost.report(), GAP);
    let failover = Report {
        gap: true,
        failover: true,
    };
    // The one that took over had heard up to number 2 alone.
    for event in [beat(JUMP + 2, NOW), Event::Message(mark(JUMP + 3))] {
        let mut ear = ear();
        ear.hear(event);
        assert_eq!(ear.report(), failover);
    }
}

#[test]
fn what_came_before_a_gap_is_not_handed_over_after_it() {
    let key = |name: &str| Some(Message::Key(name.into()));
    let mut inbox = Inbox::new(1, 2);
    inbox.hear(beat(4, NOW));
    let seen = inbox.messages(0).up_to;
    inbox.message(mark(5), key("before"));
    inbox.message(mark(7), key("after"));
    let news = inbox.messages(seen);
    assert!(news.gap);
    assert_eq!(news.messages, [Message::Key("after".into())]);
    assert_eq!(inbox.messages(news.up_to).messages, []);
    for number in 8..=9 {
        inbox.message(mark(number), key("room"));
    }
    assert!(!inbox.messages(news.up_to).gap);
    inbox.message(mark(10), key("no room"));
    assert!(inbox.messages(news.up_to).gap);
    let up_to = inbox.messages(news.up_to).up_to;
    inbox.message(mark(6), key("late"));
    let late = inbox.messages(up_to);
    assert!(late.gap && late.messages.is_empty());
}

#[test]
fn silence_lets_memory_go_every_two_seconds_and_closes_nearer_tiers() {
    let second = Duration::from_secs(1);
    let mut silence = Silence::new(NOW, true);
    let early = silence.look(NOW.after(second), None);
    assert!(!early.let_go && early.nearer);
    let silent = silence.look(NOW.after(CONFIRMED_FOR), None);
    assert!(silent.let_go && !silent.nearer);
    let still = silence.look(NOW.after(3 * second), Some(NOW.after(second / 2)));
    assert!(!still.let_go && !still.nearer);
    assert!(silence.look(NOW.after(4 * second), None).let_go);
    let heard = silence.look(NOW.after(9 * second), Some(NOW.after(8 * second)));
    assert!(!heard.let_go && heard.nearer);
    let mut deaf = Silence::new(NOW, false);
    assert!(!deaf.look(NOW, None).nearer);
}

proptest! {
    /// Of messages that come in order, some of them lost, none is lost unnoticed once a later one or a second heartbeat came.
    #[test]
    fn no_lost_message_goes_unnoticed(kept in prop::collection::vec(any::<bool>(), 1..30)) {
        let mut ear = ear();
        let mut noticed = false;
        for (number, kept) in (5..).zip(&kept) {
            if *kept {
                ear.hear(Event::Message(mark(number)));
                noticed |= ear.report().gap;
            }
        }
        let last = 4 + kept.len() as u64;
        for asked in [NOW, NOW.after(GRACE)] {
            ear.hear(beat(last, asked));
            noticed |= ear.report().gap;
        }
        prop_assert_eq!(noticed, kept.contains(&false));
        prop_assert!(ear.confirmed().is_some());
    }
}

#[test]
fn a_number_that_comes_twice_was_not_given_by_the_server_both_times() {
    let mut ear = ear();
    assert!(ear.hear(Event::Message(mark(5))), "it may be the false one");
    assert_eq!(ear.report(), Report::default());
    assert!(!ear.hear(Event::Message(mark(5))));
    assert_eq!(ear.report(), GAP, "what the other one said is let go of");
    assert!(ear.hear(Event::Message(mark(6))));
    assert_eq!(ear.report(), Report::default());
}

#[test]
fn what_comes_late_after_it_was_let_go_of_is_no_sign_of_anything() {
    let mut ear = ear();
    ear.hear(Event::Message(mark(7)));
    for event in [Event::Overflow, Event::Reconnected] {
        ear.hear(beat(7, NOW));
        ear.hear(event);
        assert_eq!(ear.report(), GAP);
        assert!(!ear.hear(Event::Message(mark(7))));
        assert!(!ear.hear(Event::Message(mark(5))));
        assert_eq!(ear.report(), Report::default());
    }
}

#[test]
fn what_was_skipped_and_comes_is_let_go_of_again() {
    let mut ear = ear();
    ear.hear(Event::Message(mark(7)));
    assert_eq!(ear.report(), GAP);
    for number in 5..=7 {
        // The first seventh may have been nobody's, and these what the server told after it.
        assert!(!ear.hear(Event::Message(mark(number))));
        assert_eq!(ear.report(), GAP, "number {number}");
    }
}

#[test]
fn a_number_beyond_what_the_shard_reads_afterwards_is_not_believed_for_long() {
    let mut ear = ear();
    ear.hear(Event::Message(mark(1_000)));
    assert_eq!(ear.report(), GAP);
    assert!(!ear.hear(Event::Message(mark(5))), "it hides what is true");
    // This one may have been on its way while the thousand came.
    ear.hear(beat(5, NOW));
    ear.hear(beat(5, NOW));
    assert_eq!(ear.report(), FAILOVER, "what was hidden is let go of");
    assert!(ear.hear(Event::Message(mark(6))));
    assert_eq!(ear.report(), Report::default());
}

#[test]
fn a_number_that_goes_back_is_a_failover() {
    let mut ear = ear();
    for number in 5..8 {
        assert!(ear.hear(Event::Message(mark(number))));
    }
    ear.hear(beat(7, NOW));
    assert_eq!(ear.report(), Report::default());
    // The server has an older copy now.
    ear.hear(beat(6, NOW));
    assert_eq!(ear.report(), FAILOVER);
    assert!(ear.hear(Event::Message(mark(7))), "it is another one");
    assert_eq!(ear.report(), Report::default());
}

#[test]
fn a_beginning_is_no_gap_and_what_follows_it_is_heard() {
    let mut inbox = Inbox::new(1, 10);
    let seen = inbox.messages(0).up_to;
    inbox.hear(Event::Reconnected);
    let begins = || Message::Begins {
        space: "shop".into(),
        at: mark(4),
    };
    inbox.beat(mark(4), NOW, begins);
    inbox.beat(mark(4), NOW, || panic!("it has begun"));
    let news = inbox.messages(seen);
    assert_eq!((news.messages, news.gap), (vec![begins()], false));
    assert_eq!(inbox.silence(NOW), Duration::ZERO);
    inbox.message(mark(6), None);
    assert!(inbox.messages(news.up_to).gap);
    let mut late = Inbox::new(1, 10);
    let seen = late.messages(0).up_to;
    late.message(mark(5), None);
    assert!(late.messages(seen).gap, "before it began");
}
