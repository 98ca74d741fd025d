//! One computation of one key and its life: who computes, who follows, and what its end means to them.

use crate::generation::{Marker, Stamp, valid};

/// The number of a lead; no two leads of a process have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeadId(pub u64);

/// Where a flight is. The last three are its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Computing, for whoever comes.
    Flying,
    /// Computing for those who joined before its key was invalidated; its outcome is not kept.
    Doomed,
    /// Ended with a value, for all its followers.
    Landed,
    /// Ended with an error, for all its followers.
    Failed,
    /// Ended with nothing: its followers look again, and the first that does takes the seat.
    Gone,
}

impl State {
    /// Whether no event can change this flight.
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Landed | Self::Failed | Self::Gone)
    }
}

/// What happens to a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its leader brings a value.
    Settle,
    /// Its leader brings an error.
    Fail,
    /// Its leader goes without an outcome: cancelled, interrupted, forgotten.
    Leave,
    /// Its key is invalidated, written or computed anew by force.
    Doom,
    /// A follower takes the work over from a leader that is late or cannot come.
    TakeOver,
}

/// What the engine has to do after an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effects {
    /// The outcome may be kept, if `settle` says so too. Otherwise it goes to the flight's own callers only.
    pub keep: bool,
    /// The followers are woken.
    pub wake: bool,
}

/// The state after `event`, and what has to be done.
///
/// Whatever comes after the end changes nothing: a superseded leader that settles gives its value to its own caller.
///
/// ```
/// use everwarm_core::flight::{Effects, Event, State, next};
///
/// let (state, effects) = next(State::Flying, Event::Doom);
/// assert_eq!((state, effects), (State::Doomed, Effects::default()));
/// let (state, effects) = next(state, Event::Settle);
/// assert_eq!((state, effects), (State::Landed, Effects { keep: false, wake: true }));
/// ```
#[must_use]
pub const fn next(state: State, event: Event) -> (State, Effects) {
    let keep = match state {
        State::Flying => true,
        State::Doomed => false,
        State::Landed | State::Failed | State::Gone => {
            return (
                state,
                Effects {
                    keep: false,
                    wake: false,
                },
            );
        }
    };
    match event {
        Event::Settle => (State::Landed, Effects { keep, wake: true }),
        Event::Fail => (State::Failed, Effects { keep, wake: true }),
        Event::Leave | Event::TakeOver => (
            State::Gone,
            Effects {
                keep: false,
                wake: true,
            },
        ),
        Event::Doom => (
            State::Doomed,
            Effects {
                keep: false,
                wake: false,
            },
        ),
    }
}

/// What a caller that missed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seat {
    /// Compute: there is no flight, or none that this caller may follow, and its own takes the place.
    Lead,
    /// Wait for the flight that is there.
    Follow,
}

/// Whether a caller that missed leads or follows.
///
/// `flight` is the key's flight, if there is one, with the stamp it began at; `markers` are those of its tags, at this
/// moment. A caller never joins a computation that began before an invalidation it could have seen return.
///
/// ```
/// use everwarm_core::flight::{Seat, State, seat};
/// use everwarm_core::generation::{Marker, Stamp};
///
/// let flight = Some((State::Flying, Stamp::new(3)));
/// assert_eq!(seat(flight, [Marker::new(2)]), Seat::Follow);
/// assert_eq!(seat(flight, [Marker::new(4)]), Seat::Lead);
/// ```
pub fn seat(flight: Option<(State, Stamp)>, markers: impl IntoIterator<Item = Marker>) -> Seat {
    match flight {
        Some((State::Flying, began)) if valid(began, markers) => Seat::Follow,
        _ => Seat::Lead,
    }
}
