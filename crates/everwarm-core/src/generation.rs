//! Validity without clocks, inside one process: a counter orders invalidations and computations.
//!
//! One counter `G` per cache. An invalidation raises it and leaves the new number as the [`Marker`] of what it
//! invalidated (a tag, a function, the whole cache). A computation takes the counter as its [`Stamp`] before it reads
//! anything; its value counts while no marker of its tags is above that stamp. Equality is valid: the marker was there
//! when the stamp was taken.
//!
//! Numbers stay below [`LIMIT`], which a double can hold exactly, since shared stores keep the same numbers in one.

/// The counter never reaches this.
pub const LIMIT: u64 = 1 << 53;

/// The counter's reading when a computation, or the wait for one, began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

/// The counter's reading when a tag was last invalidated; the default is "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Marker(u64);

impl Stamp {
    /// The stamp of a counter that reads `reading`.
    #[must_use]
    pub const fn new(reading: u64) -> Self {
        Self(reading)
    }

    /// The reading.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What an invalidation leaves when the counter reads this: the next number, which is also the counter's next
    /// reading. None when the numbers have run out, and the cache has to be emptied and counted anew.
    ///
    /// ```
    /// use everwarm_core::generation::{Stamp, valid};
    ///
    /// let began = Stamp::new(7);
    /// let marker = began.next().unwrap();
    /// assert!(!valid(began, [marker]));
    /// assert!(valid(Stamp::new(marker.get()), [marker]));
    /// ```
    #[must_use]
    pub const fn next(self) -> Option<Marker> {
        if self.0 < LIMIT - 1 {
            Some(Marker(self.0 + 1))
        } else {
            None
        }
    }
}

impl Marker {
    /// The marker left by an invalidation that was given `number`.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether something stamped `stamp` began before this invalidation.
    #[inline]
    #[must_use]
    pub const fn outdates(self, stamp: Stamp) -> bool {
        self.0 > stamp.0
    }
}

/// Whether a value whose computation began at `stamp` still counts: no marker of its tags came after.
///
/// ```
/// use everwarm_core::generation::{Marker, Stamp, valid};
///
/// assert!(valid(Stamp::new(3), [Marker::new(3), Marker::default()]));
/// assert!(!valid(Stamp::new(3), [Marker::new(4)]));
/// ```
#[inline]
pub fn valid(stamp: Stamp, markers: impl IntoIterator<Item = Marker>) -> bool {
    !markers.into_iter().any(|marker| marker.outdates(stamp))
}

/// Whether a follower that joined at `joined` may not have a value whose computation began at `began`.
///
/// `markers` are those of the tags that came with the result. Tags known before need no look: a
/// [`seat`](crate::flight::seat) behind a computation that they outdate is not given, and what invalidates them later
/// is no matter to a caller that was waiting already.
///
/// A marker above `began` says that the tag was invalidated since, and not whether an earlier invalidation, hidden by
/// the last one, had returned before the follower came. So the value is outdated for every follower that joined after
/// the counter had moved, and good for those that joined before.
///
/// ```
/// use everwarm_core::generation::{Marker, Stamp, outdated_for};
///
/// let (began, marker) = (Stamp::new(3), Marker::new(5));
/// assert!(!outdated_for(Stamp::new(3), began, [marker]));
/// assert!(outdated_for(Stamp::new(4), began, [marker]));
/// assert!(!outdated_for(Stamp::new(4), began, [Marker::new(2)]));
/// ```
pub fn outdated_for(
    joined: Stamp,
    began: Stamp,
    markers: impl IntoIterator<Item = Marker>,
) -> bool {
    joined > began && !valid(began, markers)
}
