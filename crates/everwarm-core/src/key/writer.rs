//! The writer of canonical encodings.
//!
//! It knows one method per kind of value and makes the one encoding of each. Containers are opened with their count
//! and closed after their elements; the elements of sets and maps are parts, which closing puts in order.

use super::buffer::Buffer;
use super::parts::sort_parts;
use super::{KeyRef, MAX_DEPTH, MAX_ENCODING, MAX_INLINE_CONTENT, MAX_KEY, tag};

/// The one NaN.
const NAN: u64 = 0x7ff8_0000_0000_0000;

/// A limit that an encoding went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Containers are nested deeper than [`MAX_DEPTH`], or one contains itself.
    Depth,
    /// The encoding takes more than [`MAX_ENCODING`] bytes.
    Size,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Depth => write!(
                out,
                "nested deeper than {MAX_DEPTH} levels, or contains itself"
            ),
            Self::Size => write!(out, "larger than {} MiB once encoded", MAX_ENCODING >> 20),
        }
    }
}

impl std::error::Error for Limit {}

/// Writes canonical encodings; short ones without taking memory.
///
/// After an error the encoding is of no use; [`Writer::clear`] starts another in the same memory.
///
/// ```
/// use everwarm_core::key::Writer;
///
/// let mut writer = Writer::new();
/// writer.open_dict(2)?;
/// writer.str("b");
/// writer.int(1);
/// writer.part();
/// writer.str("a");
/// writer.float(0.5);
/// writer.part();
/// writer.close_sorted();
/// assert_eq!(writer.seal()?.as_bytes(), b"\xd2\x02\x41a\x03\x3f\xe0\0\0\0\0\0\0\x41b\x11\x01");
/// # Ok::<(), everwarm_core::key::Limit>(())
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    buffer: Buffer,
    /// Ends of the parts of the open sets and maps, with the start of each container below its own.
    parts: Vec<usize>,
    /// Where in `parts` each open set or map begins.
    sorted: Vec<usize>,
    depth: usize,
    scope: usize,
    bound: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// A writer of bare encodings.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self {
            buffer: Buffer::new(),
            parts: Vec::new(),
            sorted: Vec::new(),
            depth: 0,
            scope: 0,
            bound: false,
        }
    }

    /// A writer of keys within a scope.
    #[must_use]
    #[inline]
    pub fn for_scope(scope: u32) -> Self {
        let mut writer = Self::new();
        writer.buffer.bytes(&scope.to_le_bytes());
        writer.scope = 4;
        writer
    }

    /// Forgets what was written, but for the scope.
    pub fn clear(&mut self) {
        self.buffer.truncate(self.scope);
        self.parts.clear();
        self.sorted.clear();
        self.depth = 0;
        self.bound = false;
    }

    /// What was written so far, the scope included.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_bytes()
    }

    /// Ends the encoding: one above [`MAX_KEY`] bytes is replaced by its digest.
    ///
    /// # Errors
    ///
    /// [`Limit::Size`] if it was too large to be written at all.
    #[inline]
    pub fn seal(&mut self) -> Result<KeyRef<'_>, Limit> {
        debug_assert!(self.depth == 0, "a container is still open");
        if self.buffer.len() > MAX_KEY + self.scope || self.buffer.is_full() {
            self.seal_long()?;
        }
        Ok(KeyRef::new(self.as_bytes()))
    }

    #[cold]
    fn seal_long(&mut self) -> Result<(), Limit> {
        if self.buffer.is_full() {
            return Err(Limit::Size);
        }
        let content = &self.buffer.as_bytes()[self.scope..];
        let (len, digest, bound) = (content.len(), blake3::hash(content), self.bound);
        self.clear();
        self.bound = bound;
        self.tag_and_len(tag::KEY_DIGEST, len);
        self.buffer.bytes(digest.as_bytes());
        Ok(())
    }

    /// Appends an encoding that another writer made, as it is.
    pub fn encoded(&mut self, bytes: &[u8]) {
        self.buffer.bytes(bytes);
    }

    /// Gives the encoding up: sealing it will fail.
    pub fn refuse(&mut self) {
        self.buffer.refuse();
    }

    /// Says that the encoding names something by a number that only this process knows.
    pub fn bind_to_process(&mut self) {
        self.bound = true;
    }

    /// Whether the key means nothing outside of this process, so that no store may have it.
    #[must_use]
    pub const fn is_process_bound(&self) -> bool {
        self.bound
    }

    /// `None`.
    #[inline]
    pub fn none(&mut self) {
        self.buffer.byte(tag::NONE);
    }

    /// A truth value.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.buffer.byte(if value { tag::TRUE } else { tag::FALSE });
    }

    /// `Ellipsis`.
    pub fn ellipsis(&mut self) {
        self.buffer.byte(tag::ELLIPSIS);
    }

    /// An object of this process, by its address: for keys in memory, whose owner sees to it that they go with the object.
    #[inline]
    pub fn identity(&mut self, address: u64) {
        self.buffer.word(tag::IDENTITY, address.to_le_bytes(), 8);
    }

    /// An integer of a machine word.
    #[inline]
    pub fn int(&mut self, value: i64) {
        self.small(
            if value < 0 { tag::NEGATIVE } else { tag::INT },
            value.unsigned_abs(),
        );
    }

    /// A non-negative integer of a machine word.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        self.small(tag::INT, value);
    }

    #[inline]
    fn small(&mut self, base: u8, magnitude: u64) {
        let count = magnitude_bytes(magnitude) as usize;
        self.buffer
            .word(base + count as u8, magnitude.to_le_bytes(), count);
    }

    /// An integer of any size, from its magnitude, least significant byte first.
    pub fn big_int(&mut self, negative: bool, magnitude: &[u8]) {
        let count = magnitude.len()
            - magnitude
                .iter()
                .rev()
                .take_while(|byte| **byte == 0)
                .count();
        let magnitude = &magnitude[..count];
        if count <= 8 {
            let mut word = [0; 8];
            word[..count].copy_from_slice(magnitude);
            let base = if negative && count > 0 {
                tag::NEGATIVE
            } else {
                tag::INT
            };
            return self.small(base, u64::from_le_bytes(word));
        }
        self.tag_and_len(
            if negative {
                tag::NEGATIVE_LONG
            } else {
                tag::INT_LONG
            },
            count,
        );
        self.buffer.bytes(magnitude);
    }

    /// A float by its bits; every NaN is the same one, and `-0.0` is not `0.0`.
    #[inline]
    pub fn float(&mut self, value: f64) {
        self.buffer.word(tag::FLOAT, float_bytes(value), 8);
    }

    /// A complex number by the bits of its parts.
    pub fn complex(&mut self, real: f64, imag: f64) {
        self.buffer.byte(tag::COMPLEX);
        self.buffer.bytes(&float_bytes(real));
        self.buffer.bytes(&float_bytes(imag));
    }

    /// A text, as it is: nothing is normalized.
    #[inline]
    pub fn str(&mut self, text: &str) {
        self.text(text.as_bytes());
    }

    /// A text in generalized UTF-8, in which a lone surrogate takes three bytes.
    #[inline]
    pub fn text(&mut self, text: &[u8]) {
        if text.len() <= tag::STR_SHORT {
            self.buffer.tagged(tag::STR + text.len() as u8, text);
        } else {
            self.content(tag::STR_LONG, tag::STR_DIGEST, text);
        }
    }

    /// A byte string.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() <= tag::BYTES_SHORT {
            self.buffer.tagged(tag::BYTES + bytes.len() as u8, bytes);
        } else {
            self.content(tag::BYTES_LONG, tag::BYTES_DIGEST, bytes);
        }
    }

    /// A mutable byte string.
    pub fn bytearray(&mut self, bytes: &[u8]) {
        self.content(tag::BYTEARRAY, tag::BYTEARRAY_DIGEST, bytes);
    }

    fn content(&mut self, plain: u8, digest: u8, bytes: &[u8]) {
        if bytes.len() <= MAX_INLINE_CONTENT {
            self.tag_and_len(plain, bytes.len());
            self.buffer.bytes(bytes);
        } else {
            self.digest(digest, bytes.len(), blake3::hash(bytes).as_bytes());
        }
    }

    /// Content above the limit, already digested.
    pub(super) fn digest(&mut self, tag: u8, len: usize, digest: &[u8; 32]) {
        self.tag_and_len(tag, len);
        self.buffer.bytes(digest);
    }

    /// Opens a tuple of `count` elements.
    ///
    /// # Errors
    ///
    /// As for every opening: [`Limit`] when the nesting or the encoding is beyond what a key may be.
    #[inline]
    pub fn open_tuple(&mut self, count: usize) -> Result<(), Limit> {
        self.sequence(tag::TUPLE, tag::TUPLE_LONG, count)
    }

    /// Opens a list of `count` elements.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    #[inline]
    pub fn open_list(&mut self, count: usize) -> Result<(), Limit> {
        self.sequence(tag::LIST, tag::LIST_LONG, count)
    }

    #[inline]
    fn sequence(&mut self, short: u8, long: u8, count: usize) -> Result<(), Limit> {
        self.enter()?;
        if count <= tag::SEQUENCE_SHORT {
            self.buffer.byte(short + count as u8);
        } else {
            self.tag_and_len(long, count);
        }
        Ok(())
    }

    /// Opens a set of `count` elements; [`Writer::part`] ends each, [`Writer::close_sorted`] the set.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_set(&mut self, count: usize) -> Result<(), Limit> {
        self.sorted(tag::SET, count)
    }

    /// Opens a frozen set of `count` elements; see [`Writer::open_set`].
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_frozenset(&mut self, count: usize) -> Result<(), Limit> {
        self.sorted(tag::FROZENSET, count)
    }

    /// Opens a map of `count` pairs; [`Writer::part`] ends each pair, [`Writer::close_sorted`] the map.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_dict(&mut self, count: usize) -> Result<(), Limit> {
        self.sorted(tag::DICT, count)
    }

    fn sorted(&mut self, tag: u8, count: usize) -> Result<(), Limit> {
        self.enter()?;
        self.tag_and_len(tag, count);
        self.sorted.push(self.parts.len());
        self.parts.push(self.buffer.len());
        Ok(())
    }

    /// Ends an element of the innermost open set, or a pair of the innermost open map.
    #[inline]
    pub fn part(&mut self) {
        self.parts.push(self.buffer.len());
    }

    /// Opens content of the type that the specification knows as `number`: exactly one value follows.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_known(&mut self, number: u8) -> Result<(), Limit> {
        self.enter()?;
        self.buffer.bytes(&[tag::KNOWN, number]);
        Ok(())
    }

    /// Opens an object of `count` fields: each is a name as text and a value.
    ///
    /// `class` is an encoded name: two texts, module and qualified name; or, for a class that no name leads to, an
    /// integer that no other class of the process has and its qualified name (see [`Writer::bind_to_process`]).
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_record(&mut self, class: &[u8], count: usize) -> Result<(), Limit> {
        self.enter()?;
        self.tag_and_class(tag::RECORD, class);
        self.varint(count);
        Ok(())
    }

    /// Opens an object known by the key it declares: exactly one value follows.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_declared(&mut self, class: &[u8]) -> Result<(), Limit> {
        self.enter()?;
        self.tag_and_class(tag::DECLARED, class);
        Ok(())
    }

    /// Opens a member of an enumeration: its name as text follows.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_member(&mut self, class: &[u8]) -> Result<(), Limit> {
        self.enter()?;
        self.tag_and_class(tag::MEMBER, class);
        Ok(())
    }

    /// Opens a combination of flags: its value as an integer follows.
    ///
    /// # Errors
    ///
    /// [`Limit`], as [`Writer::open_tuple`].
    pub fn open_flags(&mut self, class: &[u8]) -> Result<(), Limit> {
        self.enter()?;
        self.tag_and_class(tag::FLAGS, class);
        Ok(())
    }

    /// A class itself.
    pub fn class(&mut self, class: &[u8]) {
        self.tag_and_class(tag::CLASS, class);
    }

    /// The default of the parameter `name`, where that default has no encoding.
    pub fn default_of(&mut self, name: &str) {
        self.buffer.byte(tag::DEFAULT);
        self.str(name);
    }

    fn tag_and_class(&mut self, tag: u8, class: &[u8]) {
        self.buffer.byte(tag);
        self.buffer.bytes(class);
    }

    /// Closes the innermost container whose elements keep their order.
    #[inline]
    pub fn close(&mut self) {
        self.depth -= 1;
    }

    /// Closes the innermost set or map and puts its parts in order.
    pub fn close_sorted(&mut self) {
        let Some(first) = self.sorted.pop() else {
            return;
        };
        self.depth -= 1;
        // What did not fit was not written, so its parts have no bytes to put in order.
        if !self.buffer.is_full() {
            sort_parts(self.buffer.as_mut(), &mut self.parts[first..]);
        }
        self.parts.truncate(first);
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Limit> {
        if self.depth >= MAX_DEPTH || self.buffer.is_full() {
            return Err(if self.buffer.is_full() {
                Limit::Size
            } else {
                Limit::Depth
            });
        }
        self.depth += 1;
        Ok(())
    }

    fn tag_and_len(&mut self, tag: u8, len: usize) {
        self.buffer.byte(tag);
        self.varint(len);
    }

    /// A length: seven bits a byte, least significant first, the high bit set on all but the last.
    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.buffer.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.byte(value as u8);
    }
}

/// An integer of a machine word: its tag, its magnitude, and the bytes of that which are written.
#[inline]
pub(super) fn small_int(negative: bool, magnitude: u64) -> (u8, u64, u32) {
    let count = magnitude_bytes(magnitude);
    let base = if negative { tag::NEGATIVE } else { tag::INT };
    (base + count as u8, magnitude, count)
}

#[inline]
fn magnitude_bytes(magnitude: u64) -> u32 {
    8 - magnitude.leading_zeros() / 8
}

#[inline]
pub(super) fn float_bytes(value: f64) -> [u8; 8] {
    if value.is_nan() {
        NAN.to_be_bytes()
    } else {
        value.to_bits().to_be_bytes()
    }
}
