//! Owned and borrowed keys.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Bytes of a scope.
const SCOPE: usize = size_of::<u32>();
/// The longest key that needs no memory of its own.
pub(super) const INLINE: usize = 22;

/// An owned key: the bytes of a scope and of the arguments.
///
/// It takes 24 bytes, and short keys take no others.
#[derive(Clone)]
pub struct Key(Form);

#[derive(Clone)]
enum Form {
    Inline { len: u8, bytes: [u8; INLINE] },
    Boxed(Box<[u8]>),
}

impl Key {
    /// An inline key as three words, the zeros behind it included, and its length.
    #[inline(always)]
    pub(super) fn inline_words(&self) -> Option<([u64; 3], u8)> {
        match &self.0 {
            Form::Inline { len, bytes } => Some((as_words(bytes), *len)),
            Form::Boxed(_) => None,
        }
    }

    /// The inline key of these words and this length.
    #[inline(always)]
    pub(super) fn from_words(words: [u64; 3], len: u8) -> Self {
        let mut bytes = [0; INLINE];
        bytes[..8].copy_from_slice(&words[0].to_le_bytes());
        bytes[8..16].copy_from_slice(&words[1].to_le_bytes());
        bytes[16..].copy_from_slice(&words[2].to_le_bytes()[..INLINE - 16]);
        Self(Form::Inline { len, bytes })
    }

    /// The canonical bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Form::Boxed(bytes) => bytes,
        }
    }

    /// The scope that the key was written within ([`Writer::for_scope`](super::Writer::for_scope)).
    #[must_use]
    #[inline]
    pub fn scope(&self) -> u32 {
        let (scope, _) = self.parts();
        u32::from_le_bytes(scope)
    }

    /// The encoding of the arguments: all but the scope.
    #[must_use]
    pub fn arguments(&self) -> &[u8] {
        self.parts().1
    }

    #[inline]
    fn parts(&self) -> ([u8; SCOPE], &[u8]) {
        let (scope, arguments) = self
            .as_bytes()
            .split_first_chunk()
            .expect("a key within a scope begins with it");
        (*scope, arguments)
    }

    /// The same key, borrowed.
    #[must_use]
    #[inline]
    pub fn borrowed(&self) -> KeyRef<'_> {
        KeyRef(self.as_bytes())
    }

    /// Bytes that this key takes beyond its own 24.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Inline { .. } => 0,
            Form::Boxed(bytes) => bytes.len(),
        }
    }
}

impl From<KeyRef<'_>> for Key {
    #[inline]
    fn from(key: KeyRef<'_>) -> Self {
        match u8::try_from(key.0.len()) {
            Ok(len) if key.0.len() <= INLINE => {
                let mut bytes = [0; INLINE];
                bytes[..key.0.len()].copy_from_slice(key.0);
                Self(Form::Inline { len, bytes })
            }
            _ => Self(Form::Boxed(key.0.into())),
        }
    }
}

/// The bytes of an inline key as words, the first one lowest.
#[inline(always)]
fn as_words(bytes: &[u8; INLINE]) -> [u64; 3] {
    // The last word is read from where eight bytes are left, and the two that it shares are shifted out.
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    [word(0), word(8), word(INLINE - 8) >> 16]
}

/// Hashes the words of an inline key. Most have no third one, and keys that differ by zeros at the end do not occur.
#[inline(always)]
pub(super) fn words<H: Hasher>(words: [u64; 3], state: &mut H) {
    let [first, second, third] = words;
    state.write_u64(first);
    state.write_u64(second);
    if third != 0 {
        state.write_u64(third);
    }
}

impl PartialEq for Key {
    /// A key has one form only, and behind an inline key there are zeros: so short keys are compared as whole words.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (
                Form::Inline { len, bytes },
                Form::Inline {
                    len: others,
                    bytes: other,
                },
            ) => len == others && bytes == other,
            (Form::Boxed(bytes), Form::Boxed(other)) => bytes == other,
            _ => false,
        }
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    /// Hashes an inline key as three words, the zeros behind it included.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Form::Inline { bytes, .. } => words(as_words(bytes), state),
            Form::Boxed(bytes) => state.write(bytes),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(out)
    }
}

/// A borrowed key: what a table is searched with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRef<'a>(&'a [u8]);

impl<'a> KeyRef<'a> {
    /// A key of these canonical bytes, as [`Writer::seal`](super::Writer::seal) gave them.
    #[must_use]
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The canonical bytes.
    #[must_use]
    #[inline]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl Hash for KeyRef<'_> {
    /// Hashes as the [`Key`] of these bytes does.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        if self.0.len() > INLINE {
            return state.write(self.0);
        }
        let mut bytes = [0; INLINE];
        bytes[..self.0.len()].copy_from_slice(self.0);
        words(as_words(&bytes), state);
    }
}

impl hashbrown::Equivalent<Key> for KeyRef<'_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.as_bytes()
    }
}

impl fmt::Debug for KeyRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(")?;
        self.0
            .iter()
            .try_for_each(|byte| write!(out, "{byte:02x}"))?;
        out.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_takes_three_words() {
        assert_eq!(size_of::<Key>(), 24);
        assert_eq!(size_of::<Option<Key>>(), 24);
    }

    #[test]
    fn bytes_survive_on_both_sides_of_the_inline_bound() {
        for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 255, 256, 300] {
            let bytes: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[0]).collect();
            let key = Key::from(KeyRef::new(&bytes));
            assert_eq!(key.as_bytes(), bytes);
            assert_eq!(key.heap_bytes(), if len > INLINE { len } else { 0 });
            assert_eq!(key.clone(), key);
            assert!(hashbrown::Equivalent::equivalent(
                &KeyRef::new(&bytes),
                &key
            ));
        }
    }

    #[test]
    fn owned_and_borrowed_keys_hash_alike() {
        use std::hash::BuildHasher;
        let state = std::hash::RandomState::new();
        for bytes in [&b"short"[..], &[7; 100]] {
            let borrowed = KeyRef::new(bytes);
            assert_eq!(
                state.hash_one(borrowed),
                state.hash_one(Key::from(borrowed))
            );
        }
    }
}
