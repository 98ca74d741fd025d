//! The index: which record holds a name, in buckets of fifteen slots. It is a file, read a bucket at a time and written a slot
//! at a time; a slot lies within a page, so that the end of a process leaves it whole.
//!
//! A name's bucket is given by the first bits of its hash; when that is full, the next one takes it, and the full one says so
//! for ever. Names are told apart by 64 bits of a hash that is seeded anew in each life; the record has the name itself.
//! The index is cut to nothing when another one takes its place, which is how readers learn of it.
//!
//! Who is evicted is not written out of it: a slot whose record lies before the log begins is as good as free.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::head::Head;

/// The bytes of a bucket.
pub(crate) const BUCKET: usize = 512;
pub(crate) const SLOT: usize = 32;
/// Slots of a bucket.
pub(crate) const SLOTS: usize = BUCKET / SLOT - 1;
/// Where in a slot it is noted that it was read.
const SEEN_AT: u64 = 29;
/// No name is looked for in more buckets.
pub(crate) const FURTHEST: u64 = 64;

/// What a slot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The entry of a name.
    Entry = 1,
    /// Its lease.
    Lease = 2,
    /// The marker of a tag.
    Marker = 3,
}

/// One slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) is: Use,
    pub(crate) hash: u64,
    /// Where its record lies; the number of a marker.
    pub(crate) place: u64,
    /// When it ends.
    pub(crate) deadline: u64,
    /// The bytes of its record.
    pub(crate) length: u32,
    /// Its value is in a file of its own.
    pub(crate) is_large: bool,
    /// It was read since it was written or passed over.
    pub(crate) is_seen: bool,
}

/// What lies where a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Free,
    Slot(Slot),
    Damaged,
}

/// What a slot is to who looks for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing is there, or what was evicted.
    Room,
    /// One of the hash.
    Slot(Slot),
    /// One of another hash.
    Others,
    Damaged,
}

impl Slot {
    /// Whether its record lies before the place at which the log begins: it was evicted.
    pub(crate) fn is_before(&self, start: u64) -> bool {
        self.place < start && self.is != Use::Marker
    }

    /// A slot as it lies in the file.
    pub(crate) fn bytes(&self) -> [u8; SLOT] {
        let mut bytes = [0; SLOT];
        bytes[..8].copy_from_slice(&self.hash.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.place.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.deadline.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.length.to_le_bytes());
        bytes[28] = self.is as u8 | u8::from(self.is_large) << 4;
        bytes[29] = u8::from(self.is_seen);
        let check = check(
            self.hash,
            self.place,
            self.deadline,
            u64::from(self.length) << 8 | u64::from(bytes[28]),
        );
        bytes[30..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; SLOT]) -> Read {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let last = word(24);
        if bytes[28] == 0 {
            return if last >> 48 == 0 {
                Read::Free
            } else {
                Read::Damaged
            };
        }
        let (hash, place, deadline) = (word(0), word(8), word(16));
        let sizes = (last & 0xffff_ffff) << 8 | u64::from(bytes[28]);
        let is = match bytes[28] & 0x0f {
            1 => Use::Entry,
            2 => Use::Lease,
            3 => Use::Marker,
            _ => return Read::Damaged,
        };
        if check(hash, place, deadline, sizes) != (last >> 48) as u16 {
            return Read::Damaged;
        }
        Read::Slot(Self {
            is,
            hash,
            place,
            deadline,
            length: last as u32,
            is_large: bytes[28] & 0x10 != 0,
            is_seen: bytes[29] != 0,
        })
    }
}

/// Two bytes that change with every bit of a slot.
fn check(hash: u64, place: u64, deadline: u64, rest: u64) -> u16 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = [place, deadline, rest]
        .iter()
        .fold(hash.wrapping_mul(ODD), |mixed, word| {
            (mixed.rotate_left(23) ^ word).wrapping_mul(ODD)
        });
    (mixed >> 48) as u16 | 1
}

/// A bucket that was read.
#[derive(Clone, Debug)]
pub(crate) struct Bucket(pub(crate) [u8; BUCKET]);

impl Default for Bucket {
    /// One that is to be filled in.
    fn default() -> Self {
        Self([0; BUCKET])
    }
}

impl Bucket {
    /// An empty bucket.
    pub(crate) fn empty(life: u64, number: u64) -> Self {
        let mut bucket = Self::default();
        bucket.set_header(life, number, false);
        bucket
    }

    pub(crate) fn set_header(&mut self, life: u64, number: u64, is_full: bool) {
        let full = u64::from(is_full);
        self.0[..8].copy_from_slice(&full.to_le_bytes());
        let check = header_check(life, number, full);
        self.0[8..16].copy_from_slice(&check.to_le_bytes());
    }

    /// Whether names were turned away from it; `None` if it is no bucket.
    pub(crate) fn is_full(&self, life: u64, number: u64) -> Option<bool> {
        let full = u64::from_le_bytes(self.0[..8].try_into().ok()?);
        let check = u64::from_le_bytes(self.0[8..16].try_into().ok()?);
        (full < 2 && check == header_check(life, number, full)).then_some(full == 1)
    }

    fn slot_bytes(&self, at: usize) -> &[u8; SLOT] {
        let (slots, _) = self.0.as_chunks::<SLOT>();
        &slots[at + 1]
    }

    /// What is at slot `at`.
    pub(crate) fn slot(&self, at: usize) -> Read {
        Slot::read(self.slot_bytes(at))
    }

    /// Whether slot `at` may be that of this hash, without a check.
    pub(crate) fn is_of(&self, at: usize, hash: u64) -> bool {
        let bytes = self.slot_bytes(at);
        bytes[..8] == hash.to_le_bytes() && bytes[28] != 0
    }

    /// What is of use at slot `at`, in a log that begins at `start`: only what is of this hash is looked at closely, and what is to
    /// make room.
    pub(crate) fn look(&self, at: usize, hash: u64, start: u64) -> Seen {
        let bytes = self.slot_bytes(at);
        let (words, _) = bytes.as_chunks::<8>();
        let is_before = u64::from_le_bytes(words[1]) < start;
        if bytes[28] != 0 && !is_before && words[0] != hash.to_le_bytes() {
            return Seen::Others;
        }
        match self.slot(at) {
            Read::Free => Seen::Room,
            Read::Damaged => Seen::Damaged,
            Read::Slot(slot) if slot.is_before(start) => Seen::Room,
            Read::Slot(slot) if slot.hash == hash => Seen::Slot(slot),
            Read::Slot(_) => Seen::Others,
        }
    }

    /// Puts the bytes of a slot.
    pub(crate) fn put(&mut self, at: usize, bytes: [u8; SLOT]) {
        self.0[SLOT * (at + 1)..][..SLOT].copy_from_slice(&bytes);
    }
}

fn header_check(life: u64, number: u64, full: u64) -> u64 {
    (life ^ number.rotate_left(32) ^ full << 63).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

/// Which slot of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) bucket: u64,
    pub(crate) slot: usize,
}

impl At {
    const fn offset(self) -> u64 {
        self.bucket * BUCKET as u64 + (SLOT * (self.slot + 1)) as u64
    }
}

/// The open file of an index, and what of the head does not change as long as it is the index.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) file: File,
    pub(crate) name: u64,
    pub(crate) life: u64,
    pub(crate) buckets: u64,
    pub(crate) segment: u64,
    /// Where the log began by the latest head that was read: it only moves on.
    start: AtomicU64,
}

impl Index {
    /// The index in this file, for a log of this life, with such segments, that begins there.
    pub(crate) fn new(
        (file, name): (File, u64),
        buckets: u64,
        (life, segment, start): (u64, u64, u64),
    ) -> Self {
        Self {
            file,
            name,
            life,
            buckets,
            segment,
            start: AtomicU64::new(start),
        }
    }

    /// Where the log begins, as far as this process knows.
    pub(crate) fn start(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Whether a head names this index; if so, takes note of where the log begins by it.
    pub(crate) fn is_of(&self, head: &Head) -> bool {
        let is_named = self.name == head.index && self.life == head.life;
        if is_named {
            self.begins_at(head.start);
        }
        is_named
    }

    /// Takes note of where the log begins by a head of this life.
    pub(crate) fn begins_at(&self, start: u64) {
        if self.start() < start {
            self.start.fetch_max(start, Ordering::Relaxed);
        }
    }

    /// The bucket in which a hash is looked for first.
    pub(crate) const fn home(&self, hash: u64) -> u64 {
        home(self.buckets, hash)
    }

    /// The buckets in which a hash is looked for, in order.
    pub(crate) fn ways(&self, hash: u64) -> impl Iterator<Item = u64> + use<> {
        let (home, mask) = (self.home(hash), self.buckets - 1);
        (0..FURTHEST.min(self.buckets)).map(move |step| (home + step) & mask)
    }

    /// A bucket; `None` if the file ends before it.
    pub(crate) fn bucket(&self, number: u64) -> io::Result<Option<Bucket>> {
        let mut bucket = Bucket::default();
        Ok(self.read_into(number, &mut bucket)?.then_some(bucket))
    }

    /// These buckets, read in one go; `None` if the file ends before the last.
    pub(crate) fn buckets(&self, numbers: Range<u64>) -> io::Result<Option<Vec<Bucket>>> {
        let count = numbers.end.saturating_sub(numbers.start) as usize;
        let mut bytes = vec![0; count * BUCKET];
        let read = self
            .file
            .read_at(&mut bytes, numbers.start * BUCKET as u64)?;
        let (buckets, _) = bytes.as_chunks::<BUCKET>();
        Ok((read == bytes.len()).then(|| buckets.iter().map(|&bucket| Bucket(bucket)).collect()))
    }

    /// Fills in a bucket; not all of it if the file ends before.
    pub(crate) fn read_into(&self, number: u64, bucket: &mut Bucket) -> io::Result<bool> {
        let read = self.file.read_at(&mut bucket.0, number * BUCKET as u64)?;
        Ok(read == BUCKET)
    }

    pub(crate) fn write_slot(&self, at: At, bytes: [u8; SLOT]) -> io::Result<()> {
        self.file.write_all_at(&bytes, at.offset())
    }

    /// Whether the slot was read since it was written or passed over.
    pub(crate) fn is_seen(&self, at: At) -> io::Result<bool> {
        let mut seen = [0];
        self.file.read_at(&mut seen, at.offset() + SEEN_AT)?;
        Ok(seen != [0])
    }

    /// Notes that the slot was read. That another one is there by now does no harm.
    pub(crate) fn mark_seen(&self, at: At) {
        let _ = self.file.write_at(&[1], at.offset() + SEEN_AT);
    }

    pub(crate) fn write_header(&self, number: u64, bucket: &Bucket) -> io::Result<()> {
        self.file
            .write_all_at(&bucket.0[..SLOT], number * BUCKET as u64)
    }

    /// The bytes of the file.
    pub(crate) const fn bytes(&self) -> u64 {
        self.buckets * BUCKET as u64
    }
}

/// Tells the system that a file is read here and there, so that it fetches no more than is asked for.
pub(crate) fn not_in_order(file: &File) {
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}

/// The bucket, of so many, in which a hash is looked for first: its first bits, so that buckets are in the order of hashes.
pub(crate) const fn home(buckets: u64, hash: u64) -> u64 {
    ((hash as u128 * buckets as u128) >> 64) as u64
}

/// A slot with nothing in it.
pub(crate) const FREE: [u8; SLOT] = [0; SLOT];
