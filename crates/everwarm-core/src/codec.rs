//! The contract of codecs: a value's bytes and what is known of them, as one envelope that is bound to its key.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::clock::Instant;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::mark::Mark;
use crate::slide::Slide;

/// What an envelope is bound to: found under anything else it is a miss.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The tenant; empty where there is none.
    pub tenant: &'a [u8],
    /// The namespace.
    pub namespace: &'a str,
    /// The name of the function; empty for objects.
    pub function: &'a str,
    /// The schema id of the name it is stored under; empty where there is none.
    pub schema: &'a str,
    /// The canonical bytes of the key, or their digest where they are long.
    pub key: &'a [u8],
}

/// A binding, and what a codec has found out about it, for an envelope that was found there.
#[derive(Clone, Copy, Debug)]
pub struct Under<'a> {
    /// What the envelope is to be bound to.
    pub binding: Binding<'a>,
    /// Of this binding alone, and one codec's.
    pub id: &'a BindingId,
}

/// By which a codec tells a binding from others: it is made once, and kept where the binding is.
#[derive(Debug, Default)]
pub struct BindingId(OnceLock<[u8; 16]>);

impl BindingId {
    /// The id, which is made where there is none yet.
    pub fn get_or_make(&self, make: impl FnOnce() -> [u8; 16]) -> &[u8; 16] {
        self.0.get_or_init(make)
    }
}

/// The stamps of a computation: of one shard, nearly always.
pub type Stamps = SmallVec<[Mark; 1]>;

/// The canonical bytes of a key: few, nearly always.
pub type KeyBytes = SmallVec<[u8; 24]>;

/// What is known of a stored value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// The number of the value's format.
    pub format: u8,
    /// How long it lives, from its writing.
    pub spans: Spans,
    /// How long its computation took. Zero only if the value is [of its write](Self::is_of_its_write).
    pub computed_in: Duration,
    /// The stamps of its computation.
    pub stamps: Stamps,
    /// Its tags, from arguments and result.
    pub tags: Vec<Arc<str>>,
    /// The canonical bytes of its key, where the entry shall be found by scans: names at stores are digests.
    pub key: Option<KeyBytes>,
}

impl Meta {
    /// Whether the value came to be with the write of its envelope, as one that is set by hand does. What was computed began before, and
    /// what was only given another life was there before.
    #[must_use]
    pub const fn is_of_its_write(&self) -> bool {
        self.computed_in.is_zero()
    }

    /// Takes note that the value is from before the write of its envelope.
    pub fn is_from_before(&mut self) {
        self.computed_in = self.computed_in.max(Duration::from_nanos(1));
    }
}

/// The parts of a life, as durations: a stored value knows no instants, since clocks differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// From the writing on: fresh; `None`: without end.
    pub fresh: Option<Duration>,
    /// From the writing on: fresh, and no refresh is due; `None`: as long as it is fresh.
    pub quiet: Option<Duration>,
    /// From the end of freshness on: served while it is computed anew.
    pub stale: Duration,
    /// From the end of freshness on: served if computing it anew fails.
    pub if_error: Duration,
    /// How reads lengthen it; `None`: they do not.
    pub slide: Option<Slide>,
}

impl Spans {
    /// The spans of a life, from its writing on.
    #[must_use]
    pub fn of(lifetime: &Lifetime) -> Self {
        let written = lifetime.written();
        let span = |end: Instant| (end != Instant::NEVER).then(|| end.since(written));
        let after = |end: Instant| end.since(lifetime.fresh_until());
        if lifetime.fresh_until() == Instant::NEVER {
            return Self::default();
        }
        Self {
            fresh: span(lifetime.fresh_until()),
            quiet: span(lifetime.refresh_from()),
            stale: after(lifetime.stale_until()),
            if_error: after(lifetime.keep_until()),
            slide: lifetime.slide(),
        }
    }

    /// The spans of the same value after a read at this age, if that lengthens its life.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::codec::Spans;
    /// use everwarm_core::slide::Slide;
    ///
    /// let minute = Duration::from_secs(60);
    /// let slide = Slide { by: minute, ahead: minute / 2, most: 10 * minute };
    /// let spans = Spans { fresh: Some(minute), slide: Some(slide), ..Spans::default() };
    /// assert_eq!(spans.slid(minute / 3), None);
    /// assert_eq!(spans.slid(minute / 2).and_then(|spans| spans.fresh), Some(minute / 2 * 3));
    /// ```
    #[must_use]
    pub fn slid(&self, age: Duration) -> Option<Self> {
        self.slide?;
        let lifetime = self.lifetime(Instant::ZERO);
        lifetime
            .slid(Instant::ZERO.after(age))
            .map(|life| Self::of(&life))
    }

    /// Whether it is fresh at this age, and no refresh is due.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::codec::Spans;
    ///
    /// let minute = Duration::from_secs(60);
    /// let spans = Spans { fresh: Some(minute), quiet: Some(minute / 2), ..Spans::default() };
    /// assert!(spans.is_quiet(minute / 3) && !spans.is_quiet(minute / 2));
    /// assert!(Spans::default().is_quiet(Duration::MAX));
    /// ```
    #[must_use]
    pub fn is_quiet(&self, age: Duration) -> bool {
        self.fresh
            .is_none_or(|fresh| age < fresh && self.quiet.is_none_or(|quiet| age < quiet))
    }

    /// How long a store keeps it; `None`: without end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::codec::Spans;
    ///
    /// let minute = Duration::from_secs(60);
    /// let spans = Spans { fresh: Some(minute), if_error: 2 * minute, ..Spans::default() };
    /// assert_eq!(spans.kept(), Some(3 * minute));
    /// ```
    #[must_use]
    pub fn kept(&self) -> Option<Duration> {
        self.fresh
            .map(|fresh| fresh.saturating_add(self.stale.max(self.if_error)))
    }

    /// What is left of the life of what is so old, on a clock that shows `now`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::codec::Spans;
    ///
    /// let minute = Duration::from_secs(60);
    /// let spans = Spans { fresh: Some(minute), stale: 2 * minute, ..Spans::default() };
    /// let life = spans.remaining(Instant::ZERO, 2 * minute);
    /// assert_eq!(life.fresh_until(), Instant::ZERO);
    /// assert_eq!(life.keep_until(), Instant::ZERO.after(minute));
    /// ```
    #[must_use]
    pub fn remaining(&self, now: Instant, age: Duration) -> Lifetime {
        let Some(fresh) = self.fresh else {
            return Lifetime::endless(now);
        };
        let left = |span: Duration| span.saturating_sub(age);
        let after = |window: Duration| left(fresh.saturating_add(window)) - left(fresh);
        let spans = crate::lifetime::Spans {
            fresh: left(fresh),
            quiet: left(self.quiet.unwrap_or(fresh)),
            stale: after(self.stale),
            if_error: after(self.if_error),
            slide: self.slide.map(|slide| slide.aged(age)),
        };
        Lifetime::spanning(now, spans)
    }

    /// The life of what was written then.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::clock::Instant;
    /// use everwarm_core::codec::Spans;
    ///
    /// let minute = Duration::from_secs(60);
    /// let life = Spans { fresh: Some(minute), ..Spans::default() }.lifetime(Instant::ZERO);
    /// assert_eq!(life.keep_until(), Instant::ZERO.after(minute));
    /// assert_eq!(Spans::default().lifetime(Instant::ZERO).keep_until(), Instant::NEVER);
    /// ```
    #[must_use]
    pub fn lifetime(&self, written: Instant) -> Lifetime {
        let Some(fresh) = self.fresh else {
            return Lifetime::endless(written);
        };
        let spans = crate::lifetime::Spans {
            fresh,
            quiet: self.quiet.unwrap_or(fresh),
            stale: self.stale,
            if_error: self.if_error,
            slide: self.slide,
        };
        Lifetime::spanning(written, spans)
    }
}

/// An envelope that was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// What is known of the value.
    pub meta: Meta,
    /// The value's bytes in its format.
    pub payload: Bytes,
}

/// A value of which nothing is known that takes room of its own, as most are: it has one stamp at most, no tags, and no read lengthens its
/// life.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plain {
    /// The number of the value's format.
    pub format: u8,
    /// How long it lives, from its writing.
    pub spans: Spans,
    /// The stamp of its computation.
    pub stamp: Option<Mark>,
    /// The value's bytes in its format.
    pub payload: Bytes,
}

/// Why bytes are no value of this key: a miss, counted by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// These are no envelope of ours.
    Foreign,
    /// An envelope of a version that this one does not know: left to expire.
    Version,
    /// Sealed in a way that the configuration does not allow.
    Suite,
    /// Sealed with a key that the keyring lacks: left to expire.
    KeyId,
    /// Damaged or cut off.
    Damaged,
    /// Sealed, and changed afterwards or not by a holder of the key.
    Tampered,
    /// The envelope of another key, function, namespace, schema or tenant.
    Misplaced,
    /// Larger than a value may be.
    TooLarge,
    /// The value's bytes are not of its format.
    Unreadable,
    /// The value is of a class that this process does not know.
    UnknownClass,
}

impl Refusal {
    /// All classes, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Foreign,
        Self::Version,
        Self::Suite,
        Self::KeyId,
        Self::Damaged,
        Self::Tampered,
        Self::Misplaced,
        Self::TooLarge,
        Self::Unreadable,
        Self::UnknownClass,
    ];

    /// The name users see, and counters carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Suite => "suite",
            Self::KeyId => "key_id",
            Self::Damaged => "damaged",
            Self::Tampered => "tampered",
            Self::Misplaced => "misplaced",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::UnknownClass => "unknown_class",
        }
    }

    /// Whether the bytes may be those of somebody with another configuration or version: they are left where they are.
    #[must_use]
    pub const fn is_left_alone(self) -> bool {
        matches!(self, Self::Version | Self::KeyId | Self::UnknownClass)
    }
}

/// Bytes in, bytes out.
pub trait Codec: Send + Sync {
    /// The envelope of a value.
    ///
    /// # Errors
    /// If the value is larger than one may be, or there is no randomness to be had.
    fn seal(&self, binding: &Binding<'_>, meta: &Meta, payload: &[u8]) -> Result<Bytes, Error>;

    /// The value of an envelope that was found under this key.
    ///
    /// # Errors
    /// If it is none, for whichever reason.
    fn open(&self, binding: &Binding<'_>, envelope: &Bytes) -> Result<Opened, Refusal> {
        let mut opened = Opened::default();
        let under = Under {
            binding: *binding,
            id: &BindingId::default(),
        };
        self.open_into(&under, envelope, false, &mut opened)?;
        Ok(opened)
    }

    /// As [`open`](Self::open), into an empty `opened` where it is to stay: it is large. If a store has just
    /// [proven](crate::store::Store::proves) that the envelope `is_whole`, a codec need not check it for damage once more. That it
    /// belongs under this key, and that nobody tampered with it, is checked all the same.
    ///
    /// # Errors
    /// As `open`; then what `opened` says means nothing.
    fn open_into(
        &self,
        under: &Under<'_>,
        envelope: &Bytes,
        is_whole: bool,
        opened: &mut Opened,
    ) -> Result<(), Refusal>;

    /// As [`open_into`](Self::open_into), of a value that is [plain](Plain), which takes its payload from the envelope; whatever `plain` was
    /// before. Whether the codec saw that it is: otherwise nothing is found out about it, and the envelope stays as it is.
    ///
    /// # Errors
    /// As `open`.
    fn open_plain(
        &self,
        under: &Under<'_>,
        envelope: &mut Bytes,
        is_whole: bool,
        plain: &mut Plain,
    ) -> Result<bool, Refusal> {
        let _ = (under, envelope, is_whole, plain);
        Ok(false)
    }

    /// What moves envelopes elsewhere, where they say what they are to who does not know their keys.
    fn carrier(&self) -> Option<&dyn Carrier> {
        None
    }
}

/// Takes envelopes from one store to another, whose keys are not known: what they are bound to, and the bytes of their values, stay as they
/// are. It is for who trusts whoever can write to the store they come from.
pub trait Carrier: Send + Sync {
    /// What is known of the value of an undamaged envelope, and its bytes as they lie there, which may be compressed.
    ///
    /// # Errors
    /// If it is none, for whichever reason.
    fn look(&self, envelope: &Bytes) -> Result<Opened, Refusal>;

    /// The same envelope, of which this is known instead.
    ///
    /// # Errors
    /// If it is none, or more is to be known of it than may be.
    fn carried(&self, envelope: &Bytes, meta: &Meta) -> Result<Bytes, Refusal>;
}
