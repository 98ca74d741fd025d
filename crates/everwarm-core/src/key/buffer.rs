//! The memory of a writer: a short array, and the heap once that is full.

use super::MAX_ENCODING;

/// Bytes that are held before memory is taken.
const INLINE: usize = 96;

/// Bytes that are only ever added to.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    inline: [u8; INLINE],
    len: usize,
    /// All of the bytes once they have outgrown `inline`; empty before that.
    spill: Vec<u8>,
    full: bool,
}

impl Buffer {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            inline: [0; INLINE],
            len: 0,
            spill: Vec::new(),
            full: false,
        }
    }

    /// Forgets all but the first `len` bytes, which were never more than fit inline.
    pub(super) fn truncate(&mut self, len: usize) {
        if !self.spill.is_empty() {
            self.inline[..len].copy_from_slice(&self.spill[..len]);
            self.spill.clear();
        }
        self.len = len;
        self.full = false;
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        if self.spill.is_empty() {
            &self.inline[..self.len]
        } else {
            &self.spill
        }
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        if self.spill.is_empty() {
            &mut self.inline[..self.len]
        } else {
            &mut self.spill
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        if self.spill.is_empty() {
            self.len
        } else {
            self.spill.len()
        }
    }

    /// Takes no more: what is held is of no use.
    pub(super) fn refuse(&mut self) {
        self.full = true;
    }

    /// Whether bytes were refused.
    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if self.spill.is_empty()
            && let Some(room) = self.inline.get_mut(self.len)
        {
            *room = byte;
            self.len += 1;
        } else {
            self.spilled(&[byte]);
        }
    }

    /// A tag and the bytes that follow it.
    #[inline]
    pub(super) fn tagged(&mut self, tag: u8, bytes: &[u8]) {
        if self.spill.is_empty()
            && let Some([first, rest @ ..]) = self.inline.get_mut(self.len..=self.len + bytes.len())
        {
            *first = tag;
            copy_short(bytes, rest);
            self.len += 1 + bytes.len();
        } else {
            self.spilled(&[tag]);
            self.spilled(bytes);
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if self.spill.is_empty()
            && let Some(room) = self.inline.get_mut(self.len..self.len + bytes.len())
        {
            copy_short(bytes, room);
            self.len += bytes.len();
        } else {
            self.spilled(bytes);
        }
    }

    /// A tag and the first `count` bytes of a word. The word is stored whole, which is one instruction; what follows
    /// its first bytes is written over.
    #[inline]
    pub(super) fn word(&mut self, tag: u8, word: [u8; 8], count: usize) {
        if self.spill.is_empty()
            && let Some([first, rest @ ..]) = self.inline.get_mut(self.len..self.len + 9)
        {
            *first = tag;
            rest.copy_from_slice(&word);
            self.len += 1 + count;
        } else {
            self.byte(tag);
            self.bytes(&word[..count]);
        }
    }

    #[cold]
    fn spilled(&mut self, bytes: &[u8]) {
        if self.spill.is_empty() {
            self.spill.reserve(4 * INLINE + bytes.len());
            self.spill.extend_from_slice(&self.inline[..self.len]);
        }
        if self.spill.len() + bytes.len() > MAX_ENCODING {
            self.full = true;
        } else {
            self.spill.extend_from_slice(bytes);
        }
    }
}

/// Copies between slices of one length; short ones, which most are, without a call.
#[inline]
fn copy_short(from: &[u8], to: &mut [u8]) {
    if !copy_ends::<16>(from, to) && !copy_ends::<8>(from, to) && !copy_ends::<4>(from, to) {
        if from.len() > 4 {
            to.copy_from_slice(from);
        } else {
            from.iter().zip(to).for_each(|(from, to)| *to = *from);
        }
    }
}

/// Copies slices of `N` to twice `N` bytes as their first and last `N`, which may overlap.
#[inline]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> bool {
    if from.len() < N || from.len() > 2 * N {
        return false;
    }
    if let (Some(head), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut()) {
        *to = *head;
    }
    if let (Some(tail), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut()) {
        *to = *tail;
    }
    true
}
