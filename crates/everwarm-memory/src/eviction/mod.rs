//! In which order entries leave a full memory.
//!
//! An order is one file with a type that implements [`Order`], and one line of [`orders!`]. It sees slots and their
//! [`Seat`]s only, never keys or payloads, so that it can be tested on a plain array of seats.

mod chain;
mod sieve;

use std::num::NonZeroU8;

use crate::slab::NONE;

/// What an order keeps in each entry: neighbours in its queue, and a count of uses.
pub(crate) struct Seat {
    newer: u32,
    older: u32,
    used: Used,
}

impl Seat {
    pub(crate) fn new() -> Self {
        Self {
            newer: NONE,
            older: NONE,
            used: Used::NEVER,
        }
    }
}

impl Seat {
    /// Counts one use.
    #[inline(always)]
    pub(crate) fn mark(&mut self) {
        self.used = self.used.again();
    }
}

/// How often an entry was used since its order last looked, up to 254.
///
/// One more than the count is kept: the zero that never occurs marks a vacant slot, which then needs no byte for it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Used(NonZeroU8);

impl Used {
    const NEVER: Self = Self(NonZeroU8::MIN);

    #[inline]
    fn again(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Where an order finds the seats of the entries.
pub(crate) trait Seats {
    fn seat(&self, at: u32) -> &Seat;
    fn seat_mut(&mut self, at: u32) -> &mut Seat;
}

/// An order of leaving.
trait Order: Default {
    /// Whether a use is counted by [`Seat::mark`] and nothing else.
    const MARKED_ONLY: bool;

    /// The entry in slot `at` is in, as the newest.
    fn admitted(&mut self, seats: &mut impl Seats, at: u32);

    /// The entry in slot `at` was used: one saturating byte, unless an order must do more.
    #[inline]
    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        seats.seat_mut(at).mark();
    }

    /// The entry in slot `at` is about to leave, for whatever reason.
    fn left(&mut self, seats: &mut impl Seats, at: u32);

    /// The slot whose entry should leave next, which stays until `left` is called for it; none if there are no entries.
    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32>;

    /// Whether exactly the `entries` entries that were admitted and did not leave are queued.
    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String>;
}

/// Declares [`Eviction`]: one variant for each order.
macro_rules! orders {
    ($($name:ident($order:ty)),+ $(,)?) => {
        /// The order a memory uses.
        pub(crate) enum Eviction {
            $($name($order)),+
        }

        impl Eviction {
            pub(crate) fn admitted(&mut self, seats: &mut impl Seats, at: u32) {
                match self { $(Self::$name(order) => order.admitted(seats, at)),+ }
            }

            #[inline(always)]
            pub(crate) fn is_marked_only(&self) -> bool {
                match self { $(Self::$name(_) => <$order>::MARKED_ONLY),+ }
            }

            #[inline]
            pub(crate) fn touched(&mut self, seats: &mut impl Seats, at: u32) {
                match self { $(Self::$name(order) => order.touched(seats, at)),+ }
            }

            pub(crate) fn left(&mut self, seats: &mut impl Seats, at: u32) {
                match self { $(Self::$name(order) => order.left(seats, at)),+ }
            }

            pub(crate) fn victim(&mut self, seats: &mut impl Seats) -> Option<u32> {
                match self { $(Self::$name(order) => order.victim(seats)),+ }
            }

            pub(crate) fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String> {
                match self { $(Self::$name(order) => order.check(seats, entries)),+ }
            }
        }
    };
}

orders! {
    Sieve(sieve::Sieve),
}

impl Default for Eviction {
    fn default() -> Self {
        Self::Sieve(sieve::Sieve::default())
    }
}
