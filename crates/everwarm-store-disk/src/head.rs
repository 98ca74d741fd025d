//! The head: one small file that says what the others hold. It is written whole, and never replaced or cut.

use parking_lot::RwLock;
use twox_hash::XxHash3_64;

use crate::record::LONGEST;

/// The bytes of a head.
pub(crate) const HEAD: usize = 8 * WORDS;
const WORDS: usize = 20;

/// What the file begins with; the last byte is the layout.
const MAGIC: u64 = u64::from_le_bytes(*b"EVRWARM\x01");
const MAGIC_OF_ANY_LAYOUT: u64 = !(0xff << 56);

/// Where the word lies that tells of messages.
pub(crate) const TOLD_AT: u64 = 8;
/// Where the word lies that says where the log ends.
pub(crate) const END_AT: u64 = 7 * 8;

/// What the head says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where the last record lies that others are told of.
    pub(crate) told: u64,
    /// Which life of the store this is: random, and another one whenever it began anew. It is the epoch, too.
    pub(crate) life: u64,
    /// The name of the index.
    pub(crate) index: u64,
    /// How many buckets the index has: a power of two.
    pub(crate) buckets: u64,
    /// The bytes of a segment.
    pub(crate) segment: u64,
    /// Where the log begins: what lies before is gone.
    pub(crate) start: u64,
    /// Where the next record goes.
    pub(crate) end: u64,
    /// Where the last batch begins: it may have to be applied again.
    pub(crate) last: u64,
    /// Who wrote it.
    pub(crate) writer: u64,
    /// Entries that are there, expired ones included.
    pub(crate) entries: u64,
    /// Bytes of the log that are in use.
    pub(crate) live: u64,
    /// Bytes of large values.
    pub(crate) large: u64,
    /// The counter of invalidations.
    pub(crate) number: u64,
    /// Slots of the index in use.
    pub(crate) slots: u64,
    /// The start of the machine at which this was written.
    pub(crate) boot: u64,
    /// What is added to the machine's clock.
    pub(crate) added: u64,
    /// The store's time when this was written.
    pub(crate) floor: u64,
    /// Nothing was written since all was made to survive a loss of power.
    pub(crate) hardened: bool,
    /// The files of the life or index before may still be there.
    pub(crate) moving: bool,
    /// Slots are being freed of which no record tells: who finds this so counts anew.
    pub(crate) freeing: bool,
}

/// The head as it was last read or written: the same bytes need not be proven again.
#[derive(Debug)]
pub(crate) struct Last(RwLock<([u8; HEAD], Head)>);

impl Default for Last {
    fn default() -> Self {
        // No head has these bytes.
        Self(RwLock::new(([0; HEAD], Head::default())))
    }
}

impl Last {
    /// The head of these bytes, if they are the last that were read.
    #[inline]
    pub(crate) fn again(&self, bytes: &[u8]) -> Option<Head> {
        let last = self.0.read();
        (last.0 == bytes).then_some(last.1)
    }

    /// What these bytes say.
    pub(crate) fn read(&self, bytes: &[u8]) -> Read {
        if let Some(head) = self.again(bytes) {
            return Read::Head(head);
        }
        let read = Head::read(bytes);
        if let (Read::Head(head), Ok(bytes)) = (&read, bytes.try_into()) {
            self.note(bytes, head);
        }
        read
    }

    /// Takes note of what was written.
    pub(crate) fn note(&self, bytes: [u8; HEAD], head: &Head) {
        *self.0.write() = (bytes, *head);
    }
}

/// What a file holds where a head should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Head(Head),
    /// Nothing yet.
    New,
    /// What another layout wrote.
    Other(u8),
    /// What no store wrote.
    Foreign,
    Damaged,
}

impl Head {
    pub(crate) fn bytes(&self) -> [u8; HEAD] {
        let flags =
            u64::from(self.hardened) | u64::from(self.moving) << 1 | u64::from(self.freeing) << 2;
        let words = [
            MAGIC,
            self.told,
            self.life,
            self.index,
            self.buckets,
            self.segment,
            self.start,
            self.end,
            self.last,
            self.writer,
            self.entries,
            self.live,
            self.large,
            self.number,
            self.slots,
            self.boot,
            self.added,
            self.floor,
            flags,
        ];
        let mut bytes = [0; HEAD];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let check = XxHash3_64::oneshot(&bytes[..HEAD - 8]);
        bytes[HEAD - 8..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Read {
        if bytes.is_empty() {
            return Read::New;
        }
        let Ok(bytes) = <&[u8; HEAD]>::try_from(bytes) else {
            return Read::Damaged;
        };
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        if word(WORDS - 1) != XxHash3_64::oneshot(&bytes[..HEAD - 8]) {
            return match word(0) {
                MAGIC | 0 => Read::Damaged,
                other if other & MAGIC_OF_ANY_LAYOUT == MAGIC & MAGIC_OF_ANY_LAYOUT => {
                    Read::Other((other >> 56) as u8)
                }
                _ => Read::Foreign,
            };
        }
        let head = Self {
            told: word(1),
            life: word(2),
            index: word(3),
            buckets: word(4),
            segment: word(5),
            start: word(6),
            end: word(7),
            last: word(8),
            writer: word(9),
            entries: word(10),
            live: word(11),
            large: word(12),
            number: word(13),
            slots: word(14),
            boot: word(15),
            added: word(16),
            floor: word(17),
            hardened: word(18) & 1 != 0,
            moving: word(18) & 2 != 0,
            freeing: word(18) & 4 != 0,
        };
        if head.is_possible() {
            Read::Head(head)
        } else {
            Read::Damaged
        }
    }

    /// Whether a store may have written it: nothing that is computed from it leaves 64 bits, and no part is longer than the whole.
    fn is_possible(&self) -> bool {
        const MOST: u64 = 1 << 63;
        let sizes = [
            self.entries,
            self.live,
            self.large,
            self.slots,
            self.buckets,
        ];
        self.buckets.is_power_of_two()
            && self.segment.is_power_of_two()
            && self.segment >= LONGEST as u64
            && self.start <= self.last
            && self.last <= self.end
            && self.end < MOST
            && sizes.iter().all(|&size| size < MOST >> 10)
    }
}
