//! Room: the bounds over all processes, and who leaves when they are reached.
//!
//! The log is a queue with a second chance. A hand moves over its oldest records and gives up what is behind it. What was
//! replaced, deleted or has expired is simply passed; an entry that is there is written again at the end if it was read since it
//! was last written, and evicted if it was not. Being read is a byte in the index, written at the first read alone. So the same
//! walk evicts, compacts and lets expired entries go, a little with each write. Who is evicted is so by the place at which the log
//! begins: nothing else is written for it.
//! (The second chance is Corbató's CLOCK of 1968, over a log as in SIEVE's relative FIFO-reinsertion.)

use crate::anew;
use crate::error::{Step, Trouble};
use crate::files::hash_of;
use crate::index::{At, BUCKET, Bucket, FURTHEST, Read, SLOTS, Slot, Use, home};
use crate::record::{HEADER, Header, Kind, LONGEST_NAME};
use crate::writing::Writing;
use everwarm_core::store::{Failure, FailureKind};

/// Records that the hand passes before others have their turn.
const STEPS: usize = 512;
/// Entries that are spared in one go, so that a write finds room even where all were read.
const SPARED: usize = 128;
/// What the hand reads of the log in one go, and what it needs of it for one record.
const AHEAD: usize = 32 << 10;
const NEEDED: usize = HEADER + LONGEST_NAME;
/// Of so many slots, this many are used at most.
const FILL: (u64, u64) = (3, 5);

impl Writing<'_> {
    /// The bytes that log and large values may take: all but the index and what the segments take beside the log.
    fn budget(&self) -> u64 {
        budget(
            self.files.config.max_bytes,
            self.head.segment,
            self.index.bytes(),
        )
    }

    fn max_entries(&self) -> u64 {
        self.files.config.max_entries
    }

    /// Makes room for so many more entries, with so many bytes of name and value in the log and in a file.
    pub(crate) fn room(&mut self, short: usize, large: u64, entries: u64) -> Step<()> {
        self.room_in_index()?;
        let log = record_bytes(short);
        self.reuse(log)?;
        if log + large > self.budget() / 2 {
            return Err(too_large(log + large, self.budget() / 2).into());
        }
        self.free(log + large, entries)
    }

    /// Makes room for a record that leaves nothing behind.
    pub(crate) fn room_for_log(&mut self, short: usize) -> Step<()> {
        self.free(record_bytes(short), 0)
    }

    fn free(&mut self, bytes: u64, entries: u64) -> Step<()> {
        let mut hand = Hand::wanting(bytes, entries);
        while self.is_over(&hand) && self.head.start < self.head.end {
            if hand.steps == STEPS {
                self.commit()?;
                return Err(Trouble::Again);
            }
            self.pass(&mut hand)?;
        }
        // What is set next needs as much room again, and pages that are at hand.
        self.is_reused |= hand.steps > 0;
        Ok(())
    }

    fn is_over(&self, hand: &Hand) -> bool {
        let taken = self.head.end - self.head.start + self.head.large;
        taken + hand.bytes > self.budget() || self.head.entries + hand.entries > self.max_entries()
    }

    /// Whether what is there must become less, and not only what was there.
    fn is_crowded(&self, hand: &Hand) -> bool {
        self.head.live + self.head.large + hand.bytes > self.budget() / 4 * 3
            || self.head.entries + hand.entries > self.max_entries()
    }

    /// Gives up the oldest segment with all that is in it: that needs no room, and gives some back.
    pub(crate) fn give_up_oldest(&mut self) -> Step<()> {
        let mut hand = Hand::wanting(self.budget(), 0);
        hand.spared = SPARED;
        let first = self.head.start / self.head.segment;
        while self.head.start / self.head.segment == first && self.head.start < self.head.end {
            self.pass(&mut hand)?;
        }
        if self.head.start == self.head.end {
            return self.begin_segment();
        }
        self.commit()
    }

    /// Gives back what dead records take, if they are more than those alive, so many records at most; whether that was all.
    pub(crate) fn compact(&mut self) -> Step<bool> {
        let mut hand = Hand::wanting(0, 0);
        while self.head.end - self.head.start > 2 * self.head.live + self.head.segment {
            if hand.steps == STEPS {
                self.commit()?;
                return Ok(false);
            }
            self.pass(&mut hand)?;
        }
        self.commit()?;
        Ok(true)
    }

    /// Moves the hand over one record.
    fn pass(&mut self, hand: &mut Hand) -> Step<()> {
        hand.steps += 1;
        let place = self.head.start;
        let left = self.head.segment - place % self.head.segment;
        if left < HEADER as u64 {
            self.head.start += left;
            return Ok(());
        }
        if self.is_waiting(place) {
            self.commit()?;
        }
        let (header, hash) = {
            let life = self.head.life;
            let record = self.read_ahead(place)?;
            let (header, name) =
                Header::read(record, (life, place)).ok_or(Trouble::Damaged("a part of its log"))?;
            (header, hash_of(life, name))
        };
        self.seat.ahead.is_sparse = header.length() > AHEAD / 8;
        self.settle(hash)?;
        if matches!(header.kind, Kind::Entry | Kind::Lease)
            && let Some((at, slot, is_fresh)) = self.slot_of(hash, place)?
        {
            self.spare_or_evict((at, &slot), is_fresh, hand)?;
        }
        self.head.start = place
            + if header.kind == Kind::Pad {
                left
            } else {
                header.length() as u64
            };
        Ok(())
    }

    /// Decides about what a slot holds; unless that was read just now, the slot may have been seen since.
    fn spare_or_evict(
        &mut self,
        (at, slot): (At, &Slot),
        is_fresh: bool,
        hand: &mut Hand,
    ) -> Step<()> {
        let is_crowded = self.is_crowded(hand);
        let is_spared = !is_crowded
            || hand.spared < SPARED
                && (slot.is == Use::Lease
                    || slot.is_seen
                    || !is_fresh && self.index.is_seen(at)?);
        if slot.deadline <= self.now || !is_spared {
            // The log will begin behind it: nothing needs to be written for that.
            return self.leave_index(slot);
        }
        hand.spared += usize::from(is_crowded);
        self.move_on(slot)
    }

    /// Writes what a slot holds again, at the end of the log.
    pub(crate) fn move_on(&mut self, slot: &Slot) -> Step<()> {
        let record = self
            .files
            .record(&self.index, slot.place, slot.length as usize)?;
        let record = record.ok_or(Trouble::Damaged("a part of its log is gone"))?;
        let whole = Header::read(&record, (self.head.life, slot.place));
        let whole = whole.and_then(|(header, name)| Some((header, name, header.value(&record)?)));
        let (mut header, name, value) = whole.ok_or(Trouble::Damaged("a part of its log"))?;
        header.is_told = false;
        header.ends_lease = false;
        header.deadline = slot.deadline;
        self.move_record(header, name, value, slot)
    }

    fn move_record(&mut self, header: Header, name: &str, value: &[u8], slot: &Slot) -> Step<()> {
        let place = self.append(header, name, value)?;
        self.change(crate::apply::Change::Put {
            slot: Slot {
                place,
                is_seen: false,
                ..*slot
            },
            ends_lease: false,
        });
        if self.is_long() {
            self.commit()?;
        }
        Ok(())
    }

    /// Makes the index twice as large if it is full, and leaves out what has expired.
    fn room_in_index(&mut self) -> Step<()> {
        let capacity = self.index.buckets * SLOTS as u64;
        if self.head.slots + 2 <= capacity * FILL.0 / FILL.1 {
            return Ok(());
        }
        self.commit()?;
        let slots = self.all_slots()?;
        let mut buckets = self.index.buckets;
        while slots.len() as u64 * 2 > buckets * SLOTS as u64 {
            buckets *= 2;
        }
        let most = self.files.config.max_bytes / 4;
        if buckets * BUCKET as u64 > most {
            return self.evict_half();
        }
        let image = image_of(self.head.life, buckets, &slots)?;
        self.head.slots = slots.len() as u64;
        self.head.entries = slots.iter().filter(|slot| slot.is == Use::Entry).count() as u64;
        let index = anew::make_index(
            &self.files.directory,
            (self.head.life, self.head.segment, self.head.start),
            &image,
        )?;
        self.exchange(index)
    }

    /// Evicts what is oldest until the index is half empty: entries so small that their bytes do not bound them.
    fn evict_half(&mut self) -> Step<()> {
        let enough = self.index.buckets * SLOTS as u64 / 2;
        let mut hand = Hand::wanting(0, self.max_entries());
        hand.spared = SPARED;
        while self.head.slots > enough && self.head.start < self.head.end {
            if hand.steps == STEPS {
                self.commit()?;
                return Err(Trouble::Again);
            }
            self.pass(&mut hand)?;
        }
        Ok(())
    }

    /// All slots that are of use; large values of those that are not are left to the sweep.
    pub(crate) fn all_slots(&self) -> Step<Vec<Slot>> {
        let mut slots = Vec::new();
        for number in 0..self.index.buckets {
            let bucket = self.index.bucket(number)?.ok_or(Trouble::CUT)?;
            for at in 0..SLOTS {
                match bucket.slot(at) {
                    Read::Free => {}
                    Read::Damaged => return Err(Trouble::SLOT),
                    Read::Slot(slot) if slot.is_before(self.head.start) => {}
                    Read::Slot(slot) if slot.is == Use::Marker && slot.deadline <= self.now => {}
                    Read::Slot(slot) => slots.push(slot),
                }
            }
        }
        Ok(slots)
    }
}

/// The bytes that log and large values may take: beside them are the index, what is dead of the first segment, what is not written yet
/// of the last one, and one that is kept to be the next.
pub(crate) const fn budget(max_bytes: u64, segment: u64, index: u64) -> u64 {
    max_bytes.saturating_sub(3 * segment + index)
}

const fn record_bytes(short: usize) -> u64 {
    (HEADER + short).next_multiple_of(8) as u64
}

fn too_large(bytes: u64, most: u64) -> Failure {
    Failure::new(
        FailureKind::Capacity,
        format!("a value of {bytes} bytes is too large for the store: it takes up to {most}"),
        "raise max_bytes, or store less under one name",
    )
}

fn image_of(life: u64, buckets: u64, slots: &[Slot]) -> Step<Vec<u8>> {
    let mut image: Vec<Bucket> = (0..buckets)
        .map(|number| Bucket::empty(life, number))
        .collect();
    'slots: for slot in slots {
        let first = home(buckets, slot.hash);
        for step in 0..FURTHEST.min(buckets) {
            let number = (first + step) & (buckets - 1);
            let bucket = &mut image[number as usize];
            if let Some(free) = (0..SLOTS).find(|&at| bucket.slot(at) == Read::Free) {
                bucket.put(free, slot.bytes());
                continue 'slots;
            }
            bucket.set_header(life, number, true);
        }
        return Err(Trouble::Damaged("its index is crowded"));
    }
    Ok(image.iter().flat_map(|bucket| bucket.0).collect())
}

/// The hand on its way: what it is to free.
struct Hand {
    bytes: u64,
    entries: u64,
    steps: usize,
    spared: usize,
}

impl Hand {
    const fn wanting(bytes: u64, entries: u64) -> Self {
        Self {
            bytes,
            entries,
            steps: 0,
            spared: 0,
        }
    }
}

/// A part of the log that the hand read ahead. It stays from step to step, since what was written never changes.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    life: u64,
    at: u64,
    bytes: Vec<u8>,
    /// Records are so long that it is not worth while to read on behind a name.
    is_sparse: bool,
}

impl Ahead {
    /// What is there from a place on, if that is enough for any header and name.
    fn from(&self, life: u64, place: u64) -> Option<usize> {
        let at = usize::try_from(place.checked_sub(self.at)?).ok()?;
        let is_there = self.life == life && self.bytes.len() >= at + NEEDED;
        is_there.then_some(at)
    }
}

impl Writing<'_> {
    /// The header and the name of the record at a place, at least.
    fn read_ahead(&mut self, place: u64) -> Step<&[u8]> {
        let life = self.head.life;
        if let Some(at) = self.seat.ahead.from(life, place) {
            return Ok(&self.seat.ahead.bytes[at..]);
        }
        let segment = self.head.segment;
        let left = (segment - place % segment) as usize;
        let is_sparse = self.seat.ahead.is_sparse;
        let wanted = if is_sparse { NEEDED } else { AHEAD };
        let record = self.files.record(&self.index, place, left.min(wanted))?;
        let mut bytes = record.ok_or(Trouble::Damaged("a part of its log is gone"))?;
        // What lies beyond is not written yet, and will be another thing when the hand comes there.
        let written = self.written_from(place);
        bytes.truncate(usize::try_from(written).unwrap_or(usize::MAX));
        self.seat.ahead = Ahead {
            life,
            at: place,
            bytes,
            is_sparse,
        };
        Ok(&self.seat.ahead.bytes)
    }
}
