//! In which order entries leave a full memory.
//!
//! One order, one file; `orders!` below names them all. An order sees [`Seats`] only, never keys or payloads, so that it
//! can be tested on a plain array of seats. It is told of no capacity: it knows how many entries there are when it is
//! asked for a victim, which is all that a memory bounded by weight could say.

mod adaptive;
mod chain;
mod duel;
mod fifo;
mod lfu;
mod lru;
mod part;
mod s3_fifo;
mod segments;
mod shadows;
mod sieve;
mod sketch;
#[cfg(test)]
mod textbook;
mod ttl;

pub(crate) use part::Part;

use std::num::NonZeroU8;
use std::str::FromStr;

use everwarm_core::clock::Instant;
use everwarm_core::error::{Error, nearest};

use crate::slab::NONE;

/// What an order keeps in each entry: neighbours in its queue, in which of its queues, and a count of uses.
pub(crate) struct Seat {
    newer: u32,
    older: u32,
    used: Used,
    /// What `used` was when the order last looked, for one that leaves the count standing then.
    seen: Used,
    queue: u8,
    /// When it was last put where it is, for an order that does not do so on each use.
    era: u8,
}

impl Seat {
    pub(crate) fn new() -> Self {
        Self {
            newer: NONE,
            older: NONE,
            used: Used::NEVER,
            seen: Used::NEVER,
            queue: 0,
            era: 0,
        }
    }

    /// Counts one use.
    #[inline(always)]
    pub(crate) fn mark(&mut self) {
        self.used = self.used.again();
    }

    /// Whether a mark tells its order all of a use.
    #[inline(always)]
    pub(crate) fn is_quiet(&self) -> bool {
        segments::is_quiet(self)
    }

    /// Whether it was used since its order last looked.
    fn is_marked(&self) -> bool {
        self.used != self.seen
    }

    /// Its order has looked, and leaves so many of its uses for later.
    fn carry(&mut self, most: u8) {
        self.used = Used::exactly(self.used.times().min(most));
        self.seen = self.used;
    }

    /// Takes its uses, as if it had never been used.
    fn take_uses(&mut self) -> u8 {
        self.seen = Used::NEVER;
        std::mem::replace(&mut self.used, Used::NEVER).times()
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

    fn times(self) -> u8 {
        self.0.get() - 1
    }

    /// So many times; at most 254.
    fn exactly(times: u8) -> Self {
        Self(NonZeroU8::MIN.saturating_add(times))
    }
}

/// Where an order finds the seats of the entries, and what else it may know of them.
pub(crate) trait Seats {
    fn seat(&self, at: u32) -> &Seat;
    fn seat_mut(&mut self, at: u32) -> &mut Seat;
    fn hash(&self, at: u32) -> u32;
    /// Both, of one entry.
    #[inline]
    fn hash_and_seat(&mut self, at: u32) -> (u32, &mut Seat) {
        (self.hash(at), self.seat_mut(at))
    }
    fn deadline(&self, at: u32) -> Instant;
}

/// An order of leaving.
trait Order: Default {
    /// The order of this shard, which has no entries yet.
    fn of(_part: Part) -> Self {
        Self::default()
    }

    /// Which shard it is of, where it was told.
    fn part(&self) -> Part {
        Part::default()
    }

    /// Whether a use is counted by [`Seat::mark`] and nothing else.
    const MARKED_ONLY: bool;

    /// The entry in slot `at` is in, as the newest.
    fn admitted(&mut self, seats: &mut impl Seats, at: u32);

    /// The entry in slot `at` was used: one saturating byte, unless an order must do more.
    #[inline]
    fn touched(&mut self, seats: &mut impl Seats, at: u32) {
        seats.seat_mut(at).mark();
    }

    /// The entry in slot `at` has another deadline from here on.
    fn rescheduled(&mut self, _seats: &impl Seats, _at: u32) {}

    /// The entry in slot `at` is about to leave, for whatever reason.
    fn left(&mut self, seats: &mut impl Seats, at: u32);

    /// The slot whose entry should leave next, which stays until `left` is called for it; none if there are no entries.
    fn victim(&mut self, seats: &mut impl Seats) -> Option<u32>;

    /// Whether exactly the `entries` entries that were admitted and did not leave are queued.
    fn check(&self, seats: &impl Seats, entries: usize) -> Result<(), String>;
}

/// Declares [`Eviction`] and [`Leaving`]: one variant for each order.
macro_rules! orders {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $order:ty,)+) => {
        /// In which order entries leave a full memory. Expired ones always go first.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Eviction {
            $($(#[$doc])* $name),+
        }

        impl Eviction {
            /// All of them, the default first.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The name in configurations.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }

        /// The state of the order that a shard uses.
        #[expect(clippy::large_enum_variant, reason = "there is one for each shard, and a hit reaches it at once")]
        pub(crate) enum Leaving {
            $($name($order)),+
        }

        impl Leaving {
            pub(crate) fn new(eviction: Eviction, part: Part) -> Self {
                match eviction { $(Eviction::$name => Self::$name(<$order>::of(part))),+ }
            }

            /// The same order of the same shard, without entries.
            pub(crate) fn anew(&self) -> Self {
                match self { $(Self::$name(order) => Self::$name(<$order>::of(order.part()))),+ }
            }

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

            pub(crate) fn rescheduled(&mut self, seats: &impl Seats, at: u32) {
                match self { $(Self::$name(order) => order.rescheduled(seats, at)),+ }
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
    /// LRU, W-TinyLFU or between them: as would have served best lately.
    #[default]
    Adaptive = "adaptive": adaptive::Adaptive,
    /// SIEVE: the oldest first, but those that were used since a hand last came by are spared.
    Sieve = "sieve": sieve::Sieve,
    /// S3-FIFO: newcomers wait in a small queue, and only those used there stay longer.
    S3Fifo = "s3_fifo": s3_fifo::S3Fifo,
    /// The least recently used first.
    Lru = "lru": lru::Lru,
    /// The least often used first, of equals the least recently used.
    Lfu = "lfu": lfu::Lfu,
    /// The oldest first.
    Fifo = "fifo": fifo::Fifo,
    /// The one that would expire soonest first; those that never expire last, the oldest first.
    Ttl = "ttl": ttl::Ttl,
}

impl Leaving {
    /// Whether the order is the default one, to which a mark and the [trail](Self::trail) tell all of a use.
    #[inline(always)]
    pub(crate) fn leaves_a_trail(&self) -> bool {
        matches!(self, Self::Adaptive(_))
    }

    /// Has the default order know of a use that is marked, of an entry that is not [quiet](Seat::is_quiet).
    #[inline(always)]
    pub(crate) fn trail(&mut self, at: u32) {
        if let Self::Adaptive(order) = self {
            order.trail(at);
        }
    }
}

impl FromStr for Eviction {
    type Err = Error;

    /// The order of this name.
    ///
    /// ```
    /// use everwarm_memory::Eviction;
    ///
    /// assert_eq!("lru".parse(), Ok(Eviction::Lru));
    /// assert_eq!("siev".parse::<Eviction>().unwrap_err().hint(), "did you mean \"sieve\"?");
    /// ```
    fn from_str(name: &str) -> Result<Self, Error> {
        if let Some(&eviction) = Self::ALL.iter().find(|known| known.name() == name) {
            return Ok(eviction);
        }
        let names = || Self::ALL.iter().map(|known| known.name());
        let hint = match nearest(name, names()) {
            Some(candidate) => format!("did you mean {candidate:?}?"),
            None => format!("the orders are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Err(Error::config("eviction is no order that is known", hint))
    }
}
