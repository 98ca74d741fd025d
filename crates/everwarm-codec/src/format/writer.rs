//! Bytes of the wire, appended.

use std::fmt;

use super::extension::Extension;

/// An extension takes its long header while it is open, the short one if what it holds turns out to be short.
const LONG: usize = 6;
/// What fits behind the short header.
const SHORT_CONTENT: usize = 255;
/// Where the bytes of a tail begin is a multiple of this, counted from the beginning of the value.
const ALIGNED: usize = 64;
/// Tails shorter than this are not aligned.
const ALIGNED_FROM: usize = 1024;

/// Appends one value to what is there already. What goes beyond the limit is not appended, and said at the end.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limit: usize,
    beyond: bool,
}

/// The value is larger than the writer was told that one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "larger than {} bytes", self.limit)
    }
}

impl std::error::Error for Beyond {}

/// An extension whose content is being written; it is given back to [`Writer::close`].
#[derive(Debug)]
#[must_use]
pub struct Opened(usize);

impl<'a> Writer<'a> {
    /// A writer of one value of at most `limit` bytes.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        let limit = limit.min(u32::MAX as usize);
        Self {
            out,
            start,
            limit,
            beyond: false,
        }
    }

    /// Whether what was written is beyond the limit already, so that there is no sense in going on.
    #[inline]
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.beyond || self.out.len() - self.start > self.limit
    }

    /// Ends the value; what is beyond the limit is taken back.
    ///
    /// # Errors
    /// If the value is larger than the limit.
    pub fn finish(self) -> Result<(), Beyond> {
        if self.is_beyond() {
            self.out.truncate(self.start);
            return Err(Beyond { limit: self.limit });
        }
        Ok(())
    }

    /// None.
    #[inline]
    pub fn none(&mut self) {
        self.out.push(0xc0);
    }

    /// A truth value.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.out.push(0xc2 | u8::from(value));
    }

    /// An int, in its shortest form.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if let Ok(value) = u64::try_from(value) {
            return self.uint(value);
        }
        match value {
            -32.. => self.out.push(value as u8),
            -0x80.. => self.headed(0xd0, &(value as i8).to_be_bytes()),
            -0x8000.. => self.headed(0xd1, &(value as i16).to_be_bytes()),
            -0x8000_0000.. => self.headed(0xd2, &(value as i32).to_be_bytes()),
            _ => self.headed(0xd3, &value.to_be_bytes()),
        }
    }

    /// An int that is not negative, in its shortest form.
    #[inline]
    pub fn uint(&mut self, value: u64) {
        match value {
            0..0x80 => self.out.push(value as u8),
            0x80..0x100 => self.headed(0xcc, &[value as u8]),
            0x100..0x1_0000 => self.headed(0xcd, &(value as u16).to_be_bytes()),
            0x1_0000..0x1_0000_0000 => self.headed(0xce, &(value as u32).to_be_bytes()),
            _ => self.headed(0xcf, &value.to_be_bytes()),
        }
    }

    /// An int beyond 64 bits, by its bytes in two's complement, least significant first.
    pub fn big_int(&mut self, bytes: &[u8]) {
        self.raw(Extension::Int, shortest(bytes));
    }

    /// A float, by its bits.
    #[inline]
    pub fn float(&mut self, value: f64) {
        self.headed(0xcb, &value.to_bits().to_be_bytes());
    }

    /// A text, as UTF-8.
    #[inline]
    pub fn text(&mut self, utf8: &[u8]) {
        match utf8.len() {
            len @ 0..32 => self.out.push(0xa0 | len as u8),
            len @ 32..0x100 => self.headed(0xd9, &[len as u8]),
            len => self.count(0xda, len),
        }
        self.append(utf8);
    }

    /// Bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        match bytes.len() {
            len @ 0..0x100 => self.headed(0xc4, &[len as u8]),
            len => self.count(0xc5, len),
        }
        self.append(bytes);
    }

    /// The head of a list; its elements follow.
    #[inline]
    pub fn list(&mut self, count: usize) {
        match count {
            0..16 => self.out.push(0x90 | count as u8),
            _ => self.count(0xdc, count),
        }
    }

    /// The head of a dict; its keys follow, each with its value behind it.
    #[inline]
    pub fn dict(&mut self, count: usize) {
        match count {
            0..16 => self.out.push(0x80 | count as u8),
            _ => self.count(0xde, count),
        }
    }

    /// An extension that is its bytes.
    pub fn raw(&mut self, extension: Extension, bytes: &[u8]) {
        let opened = self.open(extension);
        self.append(bytes);
        self.close(opened);
    }

    /// Opens an extension; what it holds follows.
    #[inline]
    pub fn open(&mut self, extension: Extension) -> Opened {
        self.out
            .extend_from_slice(&[0xc9, 0, 0, 0, 0, extension.number()]);
        Opened(self.out.len())
    }

    /// Ends the bytes that describe a tail, and appends those that are it.
    pub fn tail(&mut self, bytes: &[u8]) {
        let place = self.out.len() - self.start + 1;
        let gap = if bytes.len() < ALIGNED_FROM {
            0
        } else {
            place.next_multiple_of(ALIGNED) - place
        };
        self.out.push(gap as u8);
        self.out.resize(self.out.len() + gap, 0);
        self.append(bytes);
    }

    /// Closes the extension that was opened last.
    #[inline]
    pub fn close(&mut self, opened: Opened) {
        let from = opened.0;
        let len = self.out.len() - from;
        if len <= SHORT_CONTENT {
            self.out[from - LONG] = 0xc7;
            self.out[from - LONG + 1] = len as u8;
            self.out[from - LONG + 2] = self.out[from - 1];
            self.out.copy_within(from.., from - LONG + 3);
            self.out.truncate(from - LONG + 3 + len);
        } else if let Ok(len) = u32::try_from(len) {
            self.out[from - LONG + 1..from - 1].copy_from_slice(&len.to_be_bytes());
        } else {
            self.beyond = true;
        }
    }

    /// A head with a count of two bytes, or of four under the next tag.
    #[inline]
    fn count(&mut self, tag: u8, count: usize) {
        match count {
            0..0x1_0000 => self.headed(tag, &(count as u16).to_be_bytes()),
            _ if count <= self.limit => self.headed(tag + 1, &(count as u32).to_be_bytes()),
            _ => self.beyond = true,
        }
    }

    #[inline]
    fn headed<const N: usize>(&mut self, tag: u8, bytes: &[u8; N]) {
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        // Many references to one long text make a value that is much larger than what it is made of.
        if self.out.len() - self.start + bytes.len() > self.limit {
            self.beyond = true;
        } else {
            self.out.extend_from_slice(bytes);
        }
    }
}

/// A number in two's complement without the bytes at its end that only repeat its sign.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., before, last] = bytes
        && (*last == 0 && *before < 0x80 || *last == 0xff && *before >= 0x80)
    {
        bytes = &bytes[..rest.len() + 1];
    }
    bytes
}
