//! The open files of a store in one process, and reading them without a lock.
//!
//! Records and large values are never changed, and prove that they are whole and whose they are. So a reader takes what the
//! index says, follows it, and begins again where it finds something else than it was told: a writer came between. What is still
//! unclear when nobody can write is damage.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use everwarm_core::store::{Bytes, Failure, Found};
use parking_lot::{Mutex, RwLock};
use rustix::buffer::spare_capacity;
use twox_hash::XxHash3_64;

use crate::apply::Change;
use crate::buckets::Buckets;
use crate::config::Config;
use crate::directory::Directory;
use crate::error::{Step, Trouble, damaged};
use crate::facets::notify::Own;
use crate::head::{self, HEAD, Head};
use crate::index::{At, Index, Read, SLOTS, Slot, Use, not_in_order};
use crate::large::{Proven, Spare};
use crate::lock::Still;
use crate::markers::Markers;
use crate::recall::{Moment, Recall};
use crate::record::{Header, Kind, LONGEST, Large};
use crate::room::Ahead;
use crate::times::StoreTime;

/// How often a read begins again before it waits for the writers.
const ATTEMPTS: usize = 8;

/// Segments that are kept open; a log has no more.
const OPEN_SEGMENTS: u64 = 160;

/// The files of a store, open.
pub(crate) struct Files {
    pub(crate) directory: Directory,
    pub(crate) head: File,
    pub(crate) last_head: head::Last,
    pub(crate) is_writable: bool,
    /// Who this is among the writers: random.
    pub(crate) writer: u64,
    pub(crate) config: Config,
    pub(crate) time: StoreTime,
    index: RwLock<Arc<Index>>,
    pub(crate) segments: RwLock<BTreeMap<u64, Arc<File>>>,
    pub(crate) seat: Mutex<Seat>,
    pub(crate) still: Still,
    pub(crate) proven: Proven,
    pub(crate) spare: Spare,
    pub(crate) markers: Markers,
    pub(crate) recall: Recall,
    pub(crate) own: Own,
    pub(crate) doubts: Mutex<Vec<String>>,
}

/// The right to write, within a process, and what its last step left.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// The last batch may not be wholly applied.
    pub(crate) is_unsure: bool,
    /// The head as that step wrote it: while it is the same, nobody else wrote.
    pub(crate) head: Option<Head>,
    /// The buckets that are as in the file while the head is the same.
    pub(crate) buckets: Buckets,
    /// What the hand will come by next.
    pub(crate) ahead: Ahead,
    /// The disk had no room for the last batch.
    pub(crate) was_full: bool,
    /// Room for records.
    pub(crate) batch: Vec<u8>,
    /// Room for what a step changes in the index.
    pub(crate) changes: Vec<Change>,
}

/// What a look without a lock found.
pub(crate) enum Look<T> {
    There(T),
    Absent,
    /// Somebody writes, or something is damaged.
    Unclear,
}

/// An entry as it was found.
pub(crate) struct Entry {
    pub(crate) slot: Slot,
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

impl Entry {
    pub(crate) fn found(self, now: u64) -> Found {
        Found {
            remaining: remaining(self.slot.deadline, now),
            version: self.header.version,
            bytes: self.bytes,
        }
    }
}

/// What is left until a deadline.
pub(crate) fn remaining(deadline: u64, now: u64) -> Option<std::time::Duration> {
    (deadline != u64::MAX).then(|| std::time::Duration::from_nanos(deadline.saturating_sub(now)))
}

impl Files {
    pub(crate) fn new(
        directory: Directory,
        head: (File, bool),
        config: Config,
        time: StoreTime,
        index: Index,
    ) -> Self {
        Self {
            directory,
            head: head.0,
            last_head: head::Last::default(),
            is_writable: head.1,
            writer: random(),
            config,
            time,
            index: RwLock::new(Arc::new(index)),
            segments: RwLock::default(),
            seat: Mutex::default(),
            still: Still::default(),
            proven: Proven::default(),
            spare: Spare::default(),
            markers: Markers::default(),
            recall: Recall::default(),
            own: Own::default(),
            doubts: Mutex::default(),
        }
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read())
    }

    pub(crate) fn take_index(&self, index: Arc<Index>) {
        *self.index.write() = index;
    }

    pub(crate) fn now(&self) -> u64 {
        self.time.now().as_nanos()
    }

    /// The head as it is; without the lock it may be half written, so a few looks are taken.
    pub(crate) fn read_head(&self) -> Step<Head> {
        for _ in 0..ATTEMPTS {
            let mut bytes = [0; HEAD];
            let read = head_into(&self.head, &mut bytes)?;
            if let Some(head) = self.last_head.again(&bytes[..read]) {
                return Ok(head);
            }
            if let head::Read::Head(head) = self.last_head.read(&bytes[..read]) {
                return Ok(head);
            }
            std::thread::yield_now();
        }
        Err(Trouble::Damaged("its head"))
    }

    /// What the file of the head holds.
    pub(crate) fn look_at_head(&self) -> io::Result<head::Read> {
        let mut bytes = [0; HEAD];
        let read = head_into(&self.head, &mut bytes)?;
        Ok(self.last_head.read(&bytes[..read]))
    }

    /// Whether the index is still the one that a head names, and the time is that of the head.
    pub(crate) fn follows(&self, head: &Head) -> bool {
        let index = self.index.read();
        index.is_of(head) && self.time.is_added(head.added)
    }

    /// Follows to the index of now, if another one took the place of this.
    pub(crate) fn follow(&self, head: &Head) -> Step<Arc<Index>> {
        self.time.follow(head.added);
        let index = self.index();
        if index.is_of(head) {
            return Ok(index);
        }
        let index = Arc::new(open_index(&self.directory, head, self.is_writable)?);
        self.take_index(Arc::clone(&index));
        Ok(index)
    }

    /// Reads the head, which says where the log begins: what is evicted lies in the index as before.
    pub(crate) fn refresh(&self) -> Option<Head> {
        let head = self.read_head().ok()?;
        self.follow(&head).ok()?;
        Some(head)
    }

    /// What is under the name.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Found>, Failure> {
        match self.refresh() {
            Some(head) => self.get_after(&head, name),
            None => self.get_at(name, None),
        }
    }

    /// As [`get`](Self::get), after a head was read that is still followed: what the index says needs not be asked twice.
    pub(crate) fn get_after(&self, head: &Head, name: &str) -> Result<Option<Found>, Failure> {
        let is_last = head.writer == self.writer;
        let moment = is_last.then(|| self.recall.moment()).flatten();
        let recalled = moment.and_then(|moment| self.recalled(name, moment));
        recalled.map_or_else(|| self.get_at(name, moment), |found| Ok(Some(found)))
    }

    /// The entry of a name whose slot is known; `None` if it takes a look.
    fn recalled(&self, name: &str, moment: Moment) -> Option<Found> {
        let index = self.index();
        let slot = self.recall.find(moment, hash_of(index.life, name))?;
        let now = self.now();
        let entry = match self.entry(&index, &slot, name) {
            Ok(Look::There(entry)) if slot.deadline > now => entry,
            _ => return None,
        };
        Some(entry.found(now))
    }

    fn get_at(&self, name: &str, moment: Option<Moment>) -> Result<Option<Found>, Failure> {
        self.look(|index, now| {
            let look = self.look_for(index, name, now)?;
            Ok(match look {
                Look::There((at, entry)) => {
                    if !entry.slot.is_seen && self.is_writable {
                        index.mark_seen(at);
                    }
                    if let Some(moment) = moment {
                        let slot = Slot {
                            is_seen: true,
                            ..entry.slot
                        };
                        self.recall.note(moment, slot);
                    }
                    Look::There(entry.found(now))
                }
                Look::Absent => Look::Absent,
                Look::Unclear => Look::Unclear,
            })
        })
    }

    /// Looks until it is clear, at last with the writers shut out.
    pub(crate) fn look<T>(
        &self,
        attempt: impl Fn(&Index, u64) -> Step<Look<T>>,
    ) -> Result<Option<T>, Failure> {
        for _ in 0..ATTEMPTS {
            let index = self.index();
            match attempt(&index, self.now()) {
                Ok(Look::There(found)) => return Ok(Some(found)),
                Ok(Look::Absent) => return Ok(None),
                Ok(Look::Unclear) | Err(Trouble::Damaged(_)) => {
                    // What is wrong with the head is seen to under the lock.
                    self.refresh();
                }
                Err(Trouble::Failed(failure)) => return Err(failure),
                Err(Trouble::Again) => {}
            }
            std::thread::yield_now();
        }
        if !self.is_writable {
            return Err(damaged("an entry cannot be read"));
        }
        self.write(|writing| match attempt(&writing.index, writing.now)? {
            Look::There(found) => Ok(Some(found)),
            Look::Absent => Ok(None),
            Look::Unclear => Err(Trouble::Damaged("an entry is not what its index says")),
        })
    }

    /// Where the name's entry is, and the entry.
    pub(crate) fn look_for(&self, index: &Index, name: &str, now: u64) -> Step<Look<(At, Entry)>> {
        let hash = hash_of(index.life, name);
        let (at, slot) = match slot_of(index, hash, Use::Entry)? {
            Look::There(found) => found,
            Look::Absent => return Ok(Look::Absent),
            Look::Unclear => return Ok(Look::Unclear),
        };
        if slot.deadline <= now {
            return Ok(Look::Absent);
        }
        Ok(match self.entry(index, &slot, name)? {
            Look::There(entry) => Look::There((at, entry)),
            Look::Absent => Look::Absent,
            Look::Unclear => Look::Unclear,
        })
    }

    /// The entry of a name that a slot points to.
    pub(crate) fn entry(&self, index: &Index, slot: &Slot, name: &str) -> Step<Look<Entry>> {
        let Some(record) = self.record(index, slot.place, slot.length as usize)? else {
            return Ok(Look::Unclear);
        };
        let place = (index.life, slot.place);
        let Some((header, found)) = Header::read_named(&record, place) else {
            return Ok(Look::Unclear);
        };
        if header.kind != Kind::Entry || header.is_large != slot.is_large {
            return Ok(Look::Unclear);
        }
        let is_other = found != name.as_bytes();
        let Some(value) = header.value(&record) else {
            return Ok(Look::Unclear);
        };
        if is_other {
            // Another name with the same hash: it took this one's place.
            return Ok(Look::Absent);
        }
        let bytes = if header.is_large {
            match Large::read(value) {
                Some(large) => self.large(large)?,
                None => None,
            }
        } else {
            Some(Bytes::from(record).slice(header.value_in()))
        };
        Ok(bytes.map_or(Look::Unclear, |bytes| {
            Look::There(Entry {
                slot: *slot,
                header,
                bytes,
            })
        }))
    }

    /// So many bytes of the log; `None` if they are not there.
    pub(crate) fn record(&self, index: &Index, place: u64, length: usize) -> Step<Option<Vec<u8>>> {
        if length > LONGEST {
            return Ok(None);
        }
        let Some(file) = self.segment(place / index.segment, false)? else {
            return Ok(None);
        };
        let mut record = Vec::with_capacity(length);
        rustix::io::pread(&*file, spare_capacity(&mut record), place % index.segment)?;
        record.truncate(length);
        Ok(Some(record))
    }

    /// A segment of the log; `None` if it is not there, unless it is to be made.
    pub(crate) fn segment(&self, number: u64, is_made: bool) -> Step<Option<Arc<File>>> {
        if let Some(file) = self.segments.read().get(&number) {
            return Ok(Some(Arc::clone(file)));
        }
        let name = segment_name(number);
        let file = if is_made {
            self.directory.write(&name)?
        } else {
            match self.directory.there(&name, self.is_writable)? {
                Some(file) => file,
                None => return Ok(None),
            }
        };
        let file = Arc::new(file);
        let mut segments = self.segments.write();
        segments.insert(number, Arc::clone(&file));
        while segments.len() as u64 > OPEN_SEGMENTS {
            segments.pop_first();
        }
        Ok(Some(file))
    }

    /// Forgets the segments of which `is_gone` says so.
    pub(crate) fn drop_segments(&self, is_gone: impl Fn(u64) -> bool) {
        let mut dropped = Vec::new();
        self.segments.write().retain(|&number, file| {
            let keep = !is_gone(number);
            if !keep {
                dropped.push(Arc::clone(file));
            }
            keep
        });
    }
}

/// The slot of a hash, without a lock.
pub(crate) fn slot_of(index: &Index, hash: u64, wanted: Use) -> Step<Look<(At, Slot)>> {
    for bucket in index.ways(hash) {
        let Some(read) = index.bucket(bucket)? else {
            return Ok(Look::Unclear);
        };
        for slot in (0..SLOTS).filter(|&slot| read.is_of(slot, hash)) {
            match read.slot(slot) {
                Read::Slot(found) if found.is == wanted && !found.is_before(index.start()) => {
                    return Ok(Look::There((At { bucket, slot }, found)));
                }
                Read::Damaged => return Ok(Look::Unclear),
                _ => {}
            }
        }
        match read.is_full(index.life, bucket) {
            Some(true) => {}
            Some(false) => return Ok(Look::Absent),
            None => return Ok(Look::Unclear),
        }
    }
    Ok(Look::Absent)
}

/// What the file of the head holds.
pub(crate) fn read_head(file: &File) -> io::Result<head::Read> {
    let mut bytes = [0; HEAD];
    let read = head_into(file, &mut bytes)?;
    Ok(Head::read(&bytes[..read]))
}

/// Reads the bytes of the head; how many there are.
fn head_into(file: &File, bytes: &mut [u8; HEAD]) -> io::Result<usize> {
    let mut read = 0;
    while read < HEAD {
        match file.read_at(&mut bytes[read..], read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// The index that a head names.
pub(crate) fn open_index(directory: &Directory, head: &Head, is_writable: bool) -> Step<Index> {
    let name = index_name(head.index);
    let file = directory.there(&name, is_writable)?;
    let file = file.ok_or(Trouble::Damaged("its index is gone"))?;
    not_in_order(&file);
    let log = (head.life, head.segment, head.start);
    Ok(Index::new((file, head.index), head.buckets, log))
}

pub(crate) fn hash_of(life: u64, name: &str) -> u64 {
    XxHash3_64::oneshot_with_seed(life, name.as_bytes())
}

pub(crate) fn segment_name(number: u64) -> String {
    format!("log.{number:016x}")
}

pub(crate) fn index_name(name: u64) -> String {
    format!("index.{name:016x}")
}

/// A random number that is not 0.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    loop {
        // Fails only where there is no such system call; then the address space and the time must do.
        if rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).is_err() {
            use std::hash::{BuildHasher, RandomState};
            bytes = RandomState::new()
                .hash_one(std::process::id())
                .to_le_bytes();
        }
        match u64::from_le_bytes(bytes) {
            0 => {}
            number => return number,
        }
    }
}
