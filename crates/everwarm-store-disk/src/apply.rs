//! Changing the index: what a step notes is applied once its head is written, by its writer or by the next one; markers just before.

use std::sync::Arc;

use crate::anew;
use crate::error::{Step, Trouble};
use crate::files::hash_of;
use crate::index::{At, Bucket, FREE, Read, SLOTS, Seen, Slot, Use};
use crate::record::{HEADER, Header, Kind};
use crate::writing::Writing;

/// What a step changes in the index.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Put { slot: Slot, ends_lease: bool },
    Take { hash: u64, is: Use },
}

impl Change {
    pub(crate) const fn hash(&self) -> u64 {
        match self {
            Self::Put { slot, .. } => slot.hash,
            Self::Take { hash, .. } => *hash,
        }
    }

    pub(crate) fn is_of_marker(&self) -> bool {
        matches!(self, Self::Put { slot, .. } if slot.is == Use::Marker)
    }
}

/// Where the slots of a hash are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probe {
    pub(crate) entry: Option<(At, Slot)>,
    pub(crate) lease: Option<(At, Slot)>,
    pub(crate) marker: Option<(At, Slot)>,
    free: Option<At>,
    /// All of it was read from the file just now.
    pub(crate) is_fresh: bool,
}

impl Probe {
    /// The same without what lies before the log, which begins at `start` now.
    pub(crate) fn after(mut self, start: u64) -> Self {
        for place in [&mut self.entry, &mut self.lease] {
            *place = place.filter(|(_, slot)| !slot.is_before(start));
        }
        self
    }
}

impl Writing<'_> {
    /// Applies the last batch again: whoever wrote it may have ended before it was in the index.
    pub(crate) fn redo(&mut self) -> Step<()> {
        if self.head.moving {
            anew::clean(&self.files.directory, &self.head, false);
            self.files.drop_segments(|number| self.head.is_gone(number));
        }
        let mut place = self.head.last;
        while place < self.head.end {
            let segment = self.head.segment;
            let left = segment - place % segment;
            if left < HEADER as u64 {
                place += left;
                continue;
            }
            let record = self.record_at(place)?;
            let (header, name) = Header::read(&record, (self.head.life, place))
                .ok_or(Trouble::Damaged("the end of its log"))?;
            for change in self.changes_of(&header, name, &record, place)? {
                self.apply(change)?;
            }
            place += if header.kind == Kind::Pad {
                left
            } else {
                header.length() as u64
            };
        }
        if self.head.freeing {
            self.recount()?;
        } else if !self.head.moving {
            self.seat.is_unsure = false;
            self.files.recall.end();
            return Ok(());
        }
        self.head.moving = false;
        self.commit()
    }

    /// Counts what the index holds.
    fn recount(&mut self) -> Step<()> {
        let slots = self.all_slots()?;
        self.head.slots = slots.len() as u64;
        (self.head.entries, self.head.live, self.head.large) = (0, 0, 0);
        for slot in slots.iter().filter(|slot| slot.is != Use::Marker) {
            self.head.entries += u64::from(slot.is == Use::Entry);
            self.head.live += u64::from(slot.length);
            if slot.is_large {
                self.head.large += self.large_of(slot)?.length;
            }
        }
        self.head.freeing = false;
        Ok(())
    }

    fn changes_of(
        &self,
        header: &Header,
        name: &str,
        record: &[u8],
        place: u64,
    ) -> Step<Vec<Change>> {
        let hash = hash_of(self.head.life, name);
        let slot = |is| Slot {
            is,
            hash,
            place,
            deadline: header.deadline,
            length: header.length() as u32,
            is_large: header.is_large,
            is_seen: false,
        };
        let ends_lease = header.ends_lease;
        Ok(match header.kind {
            Kind::Pad | Kind::Clear => Vec::new(),
            Kind::Entry => vec![Change::Put {
                slot: slot(Use::Entry),
                ends_lease,
            }],
            Kind::Lease => vec![Change::Put {
                slot: slot(Use::Lease),
                ends_lease,
            }],
            Kind::Delete => vec![
                Change::Take {
                    hash,
                    is: Use::Entry,
                },
                Change::Take {
                    hash,
                    is: Use::Lease,
                },
            ],
            Kind::Invalidate => {
                let value = header
                    .value(record)
                    .ok_or(Trouble::Damaged("the end of its log"))?;
                crate::facets::generations::change_of(self.head.life, name, value, header.deadline)
                    .into_iter()
                    .collect()
            }
        })
    }

    /// The slots of a hash. Whether they were read since they were written may be told too late.
    pub(crate) fn probe(&mut self, hash: u64) -> Step<Probe> {
        let mut probe = Probe {
            is_fresh: true,
            ..Probe::default()
        };
        let (life, start) = (self.head.life, self.head.start);
        for number in self.index.ways(hash) {
            let (bucket, is_fresh) = self.bucket(number)?;
            probe.is_fresh &= is_fresh;
            let Some(is_full) = bucket.is_full(life, number) else {
                return Err(Trouble::BUCKET);
            };
            for slot in 0..SLOTS {
                let here = At {
                    bucket: number,
                    slot,
                };
                match bucket.look(slot, hash, start) {
                    Seen::Others => {}
                    Seen::Room => {
                        probe.free.get_or_insert(here);
                    }
                    Seen::Damaged => return Err(Trouble::SLOT),
                    Seen::Slot(slot) => match slot.is {
                        Use::Entry => probe.entry = Some((here, slot)),
                        Use::Lease => probe.lease = Some((here, slot)),
                        Use::Marker => probe.marker = Some((here, slot)),
                    },
                }
            }
            if !is_full {
                break;
            }
        }
        Ok(probe)
    }

    /// The slot of a hash whose record lies at a place, if that is of use, and whether it was read from the file just now.
    pub(crate) fn slot_of(&mut self, hash: u64, place: u64) -> Step<Option<(At, Slot, bool)>> {
        let life = self.head.life;
        for number in self.index.ways(hash) {
            let (bucket, is_fresh) = self.bucket(number)?;
            let Some(is_full) = bucket.is_full(life, number) else {
                return Err(Trouble::BUCKET);
            };
            for slot in (0..SLOTS).filter(|&slot| bucket.is_of(slot, hash)) {
                match bucket.slot(slot) {
                    Read::Slot(found) if found.place == place && found.is != Use::Marker => {
                        let here = At {
                            bucket: number,
                            slot,
                        };
                        return Ok(Some((here, found, is_fresh)));
                    }
                    Read::Damaged => return Err(Trouble::SLOT),
                    Read::Slot(_) | Read::Free => {}
                }
            }
            if !is_full {
                break;
            }
        }
        Ok(None)
    }

    /// A bucket, and whether it was read from the file just now.
    fn bucket(&mut self, number: u64) -> Step<(&mut Bucket, bool)> {
        let index = &self.index;
        self.seat.buckets.find_or(number, |bucket| {
            let is_whole = index.read_into(number, bucket)?;
            is_whole.then_some(()).ok_or(Trouble::CUT)
        })
    }

    pub(crate) fn write_slot(&mut self, at: At, bytes: [u8; 32]) -> Step<()> {
        self.probed = None;
        if let Err(error) = self.index.write_slot(at, bytes) {
            self.seat.buckets.clear();
            return Err(error.into());
        }
        self.seat.buckets.put(at, bytes);
        Ok(())
    }

    /// Changes a slot in place, where nothing but the slot changes. The step before is over then: to apply it again would undo this.
    pub(crate) fn change_slot(&mut self, at: At, slot: &Slot) -> Step<()> {
        self.commit()?;
        let is_seen = self.index.is_seen(at)?;
        self.files.recall.begin();
        self.write_slot(at, Slot { is_seen, ..*slot }.bytes())?;
        self.files.recall.end();
        self.harden(&self.index.file)
    }

    pub(crate) fn apply(&mut self, change: Change) -> Step<()> {
        let hash = change.hash();
        let probe = match self.probed.take() {
            Some((probed, probe)) if probed == hash => probe,
            _ => self.probe(hash)?,
        };
        match change {
            Change::Put { slot, ends_lease } => {
                let old = match slot.is {
                    Use::Entry => probe.entry,
                    Use::Lease => probe.lease,
                    Use::Marker => probe.marker,
                };
                match old {
                    Some((_, old)) if old.place == slot.place && old.deadline == slot.deadline => {}
                    Some((at, _)) => self.write_slot(at, slot.bytes())?,
                    None => self.write_new(&slot, probe.free)?,
                }
                if let (true, Some((at, _))) = (ends_lease, probe.lease) {
                    self.write_slot(at, FREE)?;
                }
            }
            Change::Take { is, .. } => {
                let old = match is {
                    Use::Entry => probe.entry,
                    Use::Lease => probe.lease,
                    Use::Marker => probe.marker,
                };
                if let Some((at, _)) = old {
                    self.write_slot(at, FREE)?;
                }
            }
        }
        Ok(())
    }

    fn write_new(&mut self, slot: &Slot, free: Option<At>) -> Step<()> {
        let at = match free {
            Some(at) => at,
            None => self.further(slot.hash)?,
        };
        self.write_slot(at, slot.bytes())
    }

    /// A free slot beyond the buckets that are known to be full; those on the way turn names away from then on.
    fn further(&mut self, hash: u64) -> Step<At> {
        let (index, start) = (Arc::clone(&self.index), self.head.start);
        for number in index.ways(hash) {
            let (bucket, _) = self.bucket(number)?;
            if let Some(slot) = (0..SLOTS).find(|&at| bucket.look(at, hash, start) == Seen::Room) {
                return Ok(At {
                    bucket: number,
                    slot,
                });
            }
            bucket.set_header(index.life, number, true);
            if let Err(error) = index.write_header(number, bucket) {
                self.seat.buckets.clear();
                return Err(error.into());
            }
        }
        Err(Trouble::Damaged("its index is crowded"))
    }
}
