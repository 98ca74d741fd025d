//! What can go wrong on the way between a client and a server.

use std::time::Duration;

/// From where to where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

impl Way {
    /// `up` or `down`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What goes wrong. What is read from a socket at once is a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A chunk is sent later by `by`, and by up to `jitter` more or less; the order stays.
    Delay {
        /// How much later.
        by: Duration,
        /// How far it may be off.
        jitter: Duration,
    },
    /// No more bytes than that get through in a second.
    Bandwidth {
        /// How many.
        per_second: u64,
    },
    /// A chunk is sent in slices of so many bytes, each by itself.
    Slices {
        /// Bytes of a slice.
        of: usize,
        /// The time between two of them.
        apart: Duration,
    },
    /// A chunk loses its end, somewhere, and the connection is closed.
    Truncate,
    /// Nothing gets through. What was sent meanwhile arrives when it is lifted.
    Freeze,
    /// What is sent is lost and nobody is told: the connection stays open, and that direction silent for ever.
    HalfOpen,
    /// The connection is reset instead of passing on a chunk.
    Reset,
    /// A chunk has one bit flipped.
    Corrupt,
    /// Two replies of a Redis server that follow each other change places.
    Swap,
    /// The connection is reset when so many bytes have passed it in one direction.
    Cut {
        /// How many.
        after: u64,
    },
    /// Connections are refused, as by a host on which nothing listens; those that are open go on.
    Refuse,
    /// A connection is taken, and nothing more; it goes on when this is lifted.
    Hang,
}

impl Kind {
    /// The names of all kinds.
    pub const NAMES: [&'static str; 12] = [
        "delay",
        "bandwidth",
        "slices",
        "truncate",
        "freeze",
        "half_open",
        "reset",
        "corrupt",
        "swap",
        "cut",
        "refuse",
        "hang",
    ];

    /// The name by which a kind is lifted and counted.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay { .. } => "delay",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Slices { .. } => "slices",
            Self::Truncate => "truncate",
            Self::Freeze => "freeze",
            Self::HalfOpen => "half_open",
            Self::Reset => "reset",
            Self::Corrupt => "corrupt",
            Self::Swap => "swap",
            Self::Cut { .. } => "cut",
            Self::Refuse => "refuse",
            Self::Hang => "hang",
        }
    }
}

/// A fault: what, in which direction, how likely and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) way: Option<Way>,
    pub(crate) chance: f64,
    pub(crate) times: Option<u64>,
}

impl Fault {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            way: None,
            chance: 1.0,
            times: None,
        }
    }

    /// [`Kind::Delay`] without jitter.
    #[must_use]
    pub const fn delay(by: Duration) -> Self {
        Self::of(Kind::Delay {
            by,
            jitter: Duration::ZERO,
        })
    }

    /// [`Kind::Delay`] that is off by up to `jitter`.
    #[must_use]
    pub const fn jitter(by: Duration, jitter: Duration) -> Self {
        Self::of(Kind::Delay { by, jitter })
    }

    /// [`Kind::Bandwidth`]; 0 counts as 1.
    #[must_use]
    pub fn bandwidth(per_second: u64) -> Self {
        Self::of(Kind::Bandwidth {
            per_second: per_second.max(1),
        })
    }

    /// [`Kind::Slices`]; 0 counts as 1.
    #[must_use]
    pub fn slices(of: usize, apart: Duration) -> Self {
        Self::of(Kind::Slices {
            of: of.max(1),
            apart,
        })
    }

    /// [`Kind::Truncate`].
    #[must_use]
    pub const fn truncate() -> Self {
        Self::of(Kind::Truncate)
    }

    /// [`Kind::Freeze`].
    #[must_use]
    pub const fn freeze() -> Self {
        Self::of(Kind::Freeze)
    }

    /// [`Kind::HalfOpen`].
    #[must_use]
    pub const fn half_open() -> Self {
        Self::of(Kind::HalfOpen)
    }

    /// [`Kind::Reset`]. [`Proxy::disconnect`](crate::Proxy::disconnect) does not wait for a chunk.
    #[must_use]
    pub const fn reset() -> Self {
        Self::of(Kind::Reset)
    }

    /// [`Kind::Corrupt`].
    #[must_use]
    pub const fn corrupt() -> Self {
        Self::of(Kind::Corrupt)
    }

    /// [`Kind::Swap`].
    #[must_use]
    pub const fn swap() -> Self {
        Self::of(Kind::Swap).down()
    }

    /// [`Kind::Cut`].
    #[must_use]
    pub const fn cut(after: u64) -> Self {
        Self::of(Kind::Cut { after })
    }

    /// [`Kind::Refuse`]. It has no direction, and neither chance nor times.
    #[must_use]
    pub const fn refuse() -> Self {
        Self::of(Kind::Refuse)
    }

    /// [`Kind::Hang`]. It has no direction.
    #[must_use]
    pub const fn hang() -> Self {
        Self::of(Kind::Hang)
    }

    /// Only from the client to the server.
    #[must_use]
    pub const fn up(mut self) -> Self {
        self.way = Some(Way::Up);
        self
    }

    /// Only from the server to the client.
    #[must_use]
    pub const fn down(mut self) -> Self {
        self.way = Some(Way::Down);
        self
    }

    /// How likely it befalls a chunk, a reply or a connection, from 0 to 1.
    ///
    /// # Panics
    /// If it is no probability.
    #[must_use]
    pub fn chance(mut self, chance: f64) -> Self {
        assert!((0.0..=1.0).contains(&chance), "a chance is from 0 to 1");
        self.chance = chance;
        self
    }

    /// It happens so many times at most.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// What goes wrong.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}
