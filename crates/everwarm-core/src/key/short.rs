//! Keys of a few scalars, made and compared in registers: the way of nearly every hit.
//!
//! A [`Writer`](super::Writer) can write anything, and pays for it: its bytes go through memory, are hashed by a loop and compared
//! by another. A [`Short`] is at most 22 bytes in three words, to which each scalar is added by a shift. It is looked up
//! as it is; a miss of a function writes the key again, with a writer.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;

use super::owned::{INLINE, Key, words};
use super::tag;
use super::writer::{float_bytes, small_int};

/// A key that takes no memory, in the making. What does not fit is given up.
///
/// ```
/// use everwarm_core::key::{Equivalent, Key, Short, Writer};
///
/// let short = Short::for_scope(7).int(-3).text(b"sku").complete().unwrap();
/// let mut writer = Writer::for_scope(7);
/// writer.int(-3);
/// writer.str("sku");
/// assert!(short.equivalent(&Key::from(writer.seal()?)));
/// # Ok::<(), everwarm_core::key::Limit>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Short {
    low: u128,
    high: u64,
    bits: u32,
}

/// Up to eight bytes of a key, kept to be added at once.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    word: u64,
    count: u32,
}

impl Part {
    /// The part of these bytes, if they are few enough.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut word = [0; 8];
        word.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            word: u64::from_le_bytes(word),
            count: bytes.len() as u32,
        })
    }

    /// The part of an integer, by its sign and magnitude, if it takes seven bytes at most.
    #[inline(always)]
    #[must_use]
    pub fn signed(negative: bool, magnitude: u64) -> Option<Self> {
        let (tag, magnitude, count) = small_int(negative, magnitude);
        Self::tagged(tag, magnitude, count)
    }

    /// The part of a text of seven bytes at most.
    #[inline(always)]
    #[must_use]
    pub fn text(text: &[u8]) -> Option<Self> {
        if text.len() > 7 {
            return None;
        }
        Self::tagged(tag::STR + text.len() as u8, word(text), text.len() as u32)
    }

    #[inline(always)]
    fn tagged(tag: u8, word: u64, count: u32) -> Option<Self> {
        (count < 8).then_some(Self {
            word: u64::from(tag) | word << 8,
            count: count + 1,
        })
    }
}

const ROOM: u32 = INLINE as u32 * 8;
/// More bits than there is room for, by which a key is given up.
const GIVEN_UP: u32 = 1 << 16;

impl Short {
    /// A key within a scope.
    #[inline(always)]
    pub const fn for_scope(scope: u32) -> Self {
        Self {
            low: scope as u128,
            high: 0,
            bits: u32::BITS,
        }
    }

    /// The key, if all of it fitted.
    #[inline(always)]
    #[must_use]
    pub fn complete(self) -> Option<Self> {
        (self.bits <= ROOM).then_some(self)
    }

    /// Adds the lowest `count` bytes of a word; the others are zero.
    #[inline(always)]
    fn add(mut self, word: u64, count: u32) -> Self {
        let at = self.bits;
        self.bits += count * 8;
        if self.bits <= u128::BITS {
            self.low |= u128::from(word) << at;
            return self;
        }
        if at < u128::BITS {
            self.low |= u128::from(word) << at;
            // What is left of it, if it began in the upper half.
            self.high |= (u128::from(word) >> (u128::BITS - at)) as u64;
        } else if at < ROOM {
            self.high |= word << (at - u128::BITS);
        }
        self
    }

    /// Adds a tag and the lowest `count` bytes of a word, at once where both fit into one.
    #[inline(always)]
    fn add_tagged(self, tag: u8, word: u64, count: u32) -> Self {
        match Part::tagged(tag, word, count) {
            Some(part) => self.part(part),
            None => self.add(tag.into(), 1).add(word, count),
        }
    }

    /// `None`.
    #[inline(always)]
    pub fn none(self) -> Self {
        self.add(tag::NONE.into(), 1)
    }

    /// A truth value.
    #[inline(always)]
    pub fn bool(self, value: bool) -> Self {
        self.add(if value { tag::TRUE } else { tag::FALSE }.into(), 1)
    }

    /// An integer of a machine word.
    #[inline(always)]
    pub fn int(self, value: i64) -> Self {
        self.signed(value < 0, value.unsigned_abs())
    }

    /// An integer by its sign and magnitude; zero is not negative.
    #[inline(always)]
    pub fn signed(self, negative: bool, magnitude: u64) -> Self {
        let (tag, magnitude, count) = small_int(negative, magnitude);
        self.add_tagged(tag, magnitude, count)
    }

    /// A float by its bits.
    #[inline(always)]
    pub fn float(self, value: f64) -> Self {
        self.add(tag::FLOAT.into(), 1)
            .add(u64::from_le_bytes(float_bytes(value)), 8)
    }

    /// A text in generalized UTF-8.
    #[inline(always)]
    pub fn text(self, text: &[u8]) -> Self {
        self.content(tag::STR, text)
    }

    /// A byte string.
    #[inline(always)]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.content(tag::BYTES, bytes)
    }

    /// An object of this process, by its address.
    #[inline(always)]
    pub fn identity(self, address: u64) -> Self {
        self.add(tag::IDENTITY.into(), 1).add(address, 8)
    }

    /// An encoding that was made before, as it is.
    #[inline(always)]
    pub fn encoded(self, bytes: &[u8]) -> Self {
        match bytes {
            [] => self,
            [one] => self.add((*one).into(), 1),
            [first, rest @ ..] => self.content_after(*first, rest),
        }
    }

    /// A part that was made before.
    #[inline(always)]
    pub fn part(self, part: Part) -> Self {
        self.add(part.word, part.count)
    }

    #[inline(always)]
    const fn words(&self) -> [u64; 3] {
        [self.low as u64, (self.low >> 64) as u64, self.high]
    }

    /// Gives the key up.
    #[inline(always)]
    pub fn refuse(mut self) -> Self {
        self.bits = GIVEN_UP;
        self
    }

    #[inline(always)]
    fn content(self, tag: u8, content: &[u8]) -> Self {
        self.content_after(tag.wrapping_add(content.len() as u8), content)
    }

    #[inline(always)]
    fn content_after(self, first: u8, content: &[u8]) -> Self {
        let count = content.len() as u32;
        match (content.first_chunk(), content.last_chunk()) {
            (Some(head), Some(tail)) if content.len() < 16 => {
                // Seven bytes go with the tag; the others are the last of the last eight.
                let rest = count - 7;
                let head = u64::from(first) | u64::from_le_bytes(*head) << 8;
                let tail = u64::from_le_bytes(*tail) >> (64 - rest * 8);
                self.add(head, 8).add(tail, rest)
            }
            (Some(_), _) => self.refuse(),
            (None, _) => self.add_tagged(first, word(content), count),
        }
    }
}

/// Up to seven bytes as a word, the first one lowest.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    let count = bytes.len();
    let shift = |word: u64, bytes: usize| word << (bytes * 8);
    if let [one] = bytes {
        u64::from(*one)
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*head)) | shift(u32::from_le_bytes(*tail).into(), count - 4)
    } else if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        // Of one to three bytes these are the first, the middle and the last, whichever coincide.
        u64::from(*first)
            | shift(bytes[count / 2].into(), count / 2)
            | shift((*last).into(), count - 1)
    } else {
        0
    }
}

impl From<Short> for Key {
    /// The key of a [`complete`](Short::complete) short one, to be stored.
    #[inline(always)]
    fn from(short: Short) -> Self {
        debug_assert!(short.bits <= ROOM, "a key that was given up");
        Self::from_words(short.words(), (short.bits / 8) as u8)
    }
}

impl Equivalent<Key> for Short {
    /// Word by word: a comparison of both as arrays would put this key into memory first.
    #[inline(always)]
    fn equivalent(&self, key: &Key) -> bool {
        key.inline_words().is_some_and(|(words, len)| {
            let own = self.words();
            let differs = |at: usize| words[at] ^ own[at];
            (differs(0) | differs(1) | differs(2) | u64::from((u32::from(len) * 8) ^ self.bits))
                == 0
        })
    }
}

impl Hash for Short {
    /// Hashes as the [`Key`] of the same bytes does.
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        words(self.words(), state);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use proptest::prelude::*;

    use super::super::Writer;
    use super::*;

    #[derive(Clone, Debug)]
    enum Scalar {
        None,
        Bool(bool),
        Int(i64),
        Float(f64),
        Text(String),
        Bytes(Vec<u8>),
        Identity(u64),
        Encoded(i64),
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::None),
            any::<bool>().prop_map(Scalar::Bool),
            any::<i64>().prop_map(Scalar::Int),
            (-300_i64..300).prop_map(Scalar::Int),
            any::<f64>().prop_map(Scalar::Float),
            ".{0,12}".prop_map(Scalar::Text),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Scalar::Bytes),
            any::<u64>().prop_map(Scalar::Identity),
            any::<i64>().prop_map(Scalar::Encoded),
        ]
        .boxed()
    }

    fn short(scope: u32, scalars: &[Scalar]) -> Option<Short> {
        let write = |short: Short, scalar: &Scalar| match scalar {
            Scalar::None => short.none(),
            Scalar::Bool(value) => short.bool(*value),
            Scalar::Int(value) => short.int(*value),
            Scalar::Float(value) => short.float(*value),
            Scalar::Text(text) => short.text(text.as_bytes()),
            Scalar::Bytes(bytes) => short.bytes(bytes),
            Scalar::Identity(address) => short.identity(*address),
            Scalar::Encoded(value) => {
                let mut writer = Writer::new();
                writer.int(*value);
                match Part::of(writer.as_bytes()) {
                    Some(part) => short.part(part),
                    None => short.encoded(writer.as_bytes()),
                }
            }
        };
        scalars
            .iter()
            .fold(Short::for_scope(scope), write)
            .complete()
    }

    fn whole(scope: u32, scalars: &[Scalar]) -> Key {
        let mut writer = Writer::for_scope(scope);
        for scalar in scalars {
            match scalar {
                Scalar::None => writer.none(),
                Scalar::Bool(value) => writer.bool(*value),
                Scalar::Int(value) | Scalar::Encoded(value) => writer.int(*value),
                Scalar::Float(value) => writer.float(*value),
                Scalar::Text(text) => writer.str(text),
                Scalar::Bytes(bytes) => writer.bytes(bytes),
                Scalar::Identity(address) => writer.identity(*address),
            }
        }
        writer.seal().unwrap().into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn a_short_key_is_the_writers_or_given_up(
            scope: u32,
            scalars in prop::collection::vec(scalar(), 0..5),
            others in prop::collection::vec(scalar(), 0..3),
        ) {
            let (key, other) = (whole(scope, &scalars), whole(scope, &others));
            let hasher = BuildHasherDefault::<DefaultHasher>::default();
            let Some(short) = short(scope, &scalars) else {
                let longest = scalars.iter().any(|scalar| match scalar {
                    Scalar::Text(text) => text.len() > 15,
                    Scalar::Bytes(bytes) => bytes.len() > 15,
                    _ => false,
                });
                prop_assert!(longest || key.as_bytes().len() > INLINE);
                return Ok(());
            };
            prop_assert!(short.equivalent(&key));
            prop_assert_eq!(hasher.hash_one(short), hasher.hash_one(&key));
            prop_assert_eq!(short.equivalent(&other), key == other);
        }
    }
}
