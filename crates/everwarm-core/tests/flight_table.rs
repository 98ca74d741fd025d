//! Every event in every state of a flight, and who may follow it.

use everwarm_core::flight::Event::{Doom, Fail, Leave, Settle, TakeOver};
use everwarm_core::flight::State::{Doomed, Failed, Flying, Gone, Landed};
use everwarm_core::flight::{Effects, Event, Seat, State, next, seat};
use everwarm_core::generation::{Marker, Stamp};
use proptest::prelude::*;

const NOTHING: Effects = Effects {
    keep: false,
    wake: false,
};
const WAKE: Effects = Effects {
    keep: false,
    wake: true,
};
const KEEP_AND_WAKE: Effects = Effects {
    keep: true,
    wake: true,
};
const EVENTS: [Event; 5] = [Settle, Fail, Leave, Doom, TakeOver];

#[test]
fn a_flight_that_may_be_kept() {
    assert_eq!(next(Flying, Settle), (Landed, KEEP_AND_WAKE));
    assert_eq!(next(Flying, Fail), (Failed, KEEP_AND_WAKE));
    assert_eq!(next(Flying, Leave), (Gone, WAKE));
    assert_eq!(next(Flying, TakeOver), (Gone, WAKE));
    assert_eq!(next(Flying, Doom), (Doomed, NOTHING));
}

#[test]
fn a_doomed_flight_goes_on_for_its_callers_and_is_not_kept() {
    assert_eq!(next(Doomed, Settle), (Landed, WAKE));
    assert_eq!(next(Doomed, Fail), (Failed, WAKE));
    assert_eq!(next(Doomed, Leave), (Gone, WAKE));
    assert_eq!(next(Doomed, TakeOver), (Gone, WAKE));
    assert_eq!(next(Doomed, Doom), (Doomed, NOTHING));
}

#[test]
fn an_ended_flight_stays_as_it_is() {
    for state in [Landed, Failed, Gone] {
        assert!(state.ended());
        for event in EVENTS {
            assert_eq!(next(state, event), (state, NOTHING), "{event:?}");
        }
    }
    assert!(!Flying.ended() && !Doomed.ended());
}

#[test]
fn only_a_flight_that_still_counts_is_followed() {
    let began = Stamp::new(5);
    let rows = [
        (None, 0, Seat::Lead),
        (Some(Flying), 4, Seat::Follow),
        (Some(Flying), 5, Seat::Follow),
        (Some(Flying), 6, Seat::Lead),
        (Some(Doomed), 0, Seat::Lead),
        (Some(Landed), 0, Seat::Lead),
        (Some(Failed), 0, Seat::Lead),
        (Some(Gone), 0, Seat::Lead),
    ];
    for (state, marker, expected) in rows {
        let flight = state.map(|state: State| (state, began));
        let found = seat(flight, [Marker::default(), Marker::new(marker)]);
        assert_eq!(found, expected, "{state:?} with a marker of {marker}");
    }
}

proptest! {
    #[test]
    fn followers_are_woken_once_and_nothing_is_kept_after_doom(
        events in proptest::collection::vec(prop::sample::select(EVENTS.to_vec()), 0..12),
    ) {
        let (mut state, mut wakes, mut doomed) = (Flying, 0, false);
        for event in events {
            let (after, effects) = next(state, event);
            prop_assert!(!effects.keep || !doomed, "{event:?} keeps after doom");
            prop_assert!(!effects.keep || effects.wake);
            prop_assert_eq!(effects.wake, after.ended() && !state.ended());
            wakes += u32::from(effects.wake);
            doomed |= event == Doom;
            state = after;
        }
        prop_assert_eq!(wakes, u32::from(state.ended()));
    }
}
