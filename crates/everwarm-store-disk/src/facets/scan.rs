//! The names, in the order of their hashes: a name keeps its place in it, whatever is written, and however the index grows.

use everwarm_core::store::{Answer, Failure, FailureKind, Page, Scan};

use crate::error::{Step, Trouble};
use crate::files::{Files, Look, hash_of};
use crate::index::{Index, Read, SLOTS, Slot, Use};
use crate::record::{HEADER, Header, Kind, LONGEST_NAME};
use crate::store::Disk;
use crate::writing::Writing;

/// Records that a clear reads before others have their turn.
const CLEARED: usize = 128;

impl Scan for Disk {
    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Page> {
        Answer::Now(self.page_now(prefix, after, limit))
    }
}

impl Disk {
    fn page_now(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Failure> {
        let mut from = match after {
            None => 0,
            Some(after) => u64::from_str_radix(after, 16).map_err(|_| no_place())?,
        };
        let files = self.files()?;
        files.refresh();
        let mut names = Vec::new();
        loop {
            let some = files.look(|index, now| names_from(files, index, (from, now), prefix))?;
            let (more, next) = some.unwrap_or_default();
            names.extend(more);
            let Some(next) = next else {
                return Ok(Page { names, next: None });
            };
            from = next;
            if names.len() >= limit.max(1) {
                return Ok(Page {
                    names,
                    next: Some(format!("{from:016x}")),
                });
            }
        }
    }

    /// Takes away all names that begin with `prefix`, and their leases. Others are told before and after: before, since this may
    /// end half way, and after, since they may have read again in between.
    pub(crate) fn clear_all(&self, prefix: &str) -> Result<u64, Failure> {
        self.check(prefix, 0)?;
        self.files()?
            .write_surely(|writing| tell(writing, prefix))?;
        let mut cleared = 0;
        let mut from = Some(0);
        while let Some(hash) = from {
            let (more, next) = self.write(|writing| clear_some(writing, prefix, hash))?;
            cleared += more;
            from = next;
        }
        self.write(|writing| writing.give_room_back())?;
        self.files()?
            .write_surely(|writing| tell(writing, prefix))?;
        Ok(cleared)
    }
}

fn tell(writing: &mut Writing<'_>, prefix: &str) -> Step<()> {
    let mut header = Header::is(Kind::Clear, writing.files.writer);
    header.is_told = true;
    writing.room_for_log(prefix.len())?;
    writing.append(header, prefix, &[])?;
    writing.commit()
}

/// Clears some names, from a hash on; how many entries, and where to go on.
fn clear_some(writing: &mut Writing<'_>, prefix: &str, from: u64) -> Step<(u64, Option<u64>)> {
    let (mut cleared, mut read) = (0, 0);
    let mut home = writing.index.home(from);
    let index = std::sync::Arc::clone(&writing.index);
    while read < CLEARED && home < index.buckets {
        let Look::There(slots) = slots_of(&index, home)? else {
            return Err(Trouble::BUCKET);
        };
        for slot in slots {
            if slot.is == Use::Marker || slot.is_before(writing.head.start) {
                continue;
            }
            read += 1;
            if !prefix.is_empty() {
                let record = writing.record_at(slot.place)?;
                let (_, name) = Header::read(&record, (index.life, slot.place))
                    .ok_or(Trouble::Damaged("a part of its log"))?;
                if !name.starts_with(prefix) {
                    continue;
                }
            }
            cleared += u64::from(slot.is == Use::Entry && slot.deadline > writing.now);
            // An entry and a lease of one name are two slots, and one step may change both.
            writing.take_slot(&slot)?;
        }
        home += 1;
    }
    writing.commit_changes()?;
    Ok((cleared, first_hash(&index, home)))
}

type Names = (Vec<String>, Option<u64>);

/// The names with a prefix whose home is that of a hash, and where to go on.
fn names_from(
    files: &Files,
    index: &Index,
    (from, now): (u64, u64),
    prefix: &str,
) -> Step<Look<Names>> {
    let home = index.home(from);
    let slots = match slots_of(index, home)? {
        Look::There(slots) => slots,
        Look::Absent | Look::Unclear => return Ok(Look::Unclear),
    };
    let mut names = Vec::new();
    for slot in slots {
        let is_there = slot.is == Use::Entry && !slot.is_before(index.start());
        if !is_there || slot.deadline <= now || slot.hash < from {
            continue;
        }
        let Some(record) = files.record(
            index,
            slot.place,
            (slot.length as usize).min(HEADER + LONGEST_NAME),
        )?
        else {
            return Ok(Look::Unclear);
        };
        let Some((_, name)) = Header::read(&record, (index.life, slot.place)) else {
            return Ok(Look::Unclear);
        };
        if name.starts_with(prefix) && hash_of(index.life, name) == slot.hash {
            names.push(name.to_owned());
        }
    }
    Ok(Look::There((names, first_hash(index, home + 1))))
}

/// The least hash whose home is this bucket, if there is such a bucket.
fn first_hash(index: &Index, home: u64) -> Option<u64> {
    (home < index.buckets).then(|| ((u128::from(home) << 64) / u128::from(index.buckets)) as u64)
}

/// The slots of all hashes whose home is this bucket.
fn slots_of(index: &Index, home: u64) -> Step<Look<Vec<Slot>>> {
    let mut slots = Vec::new();
    let first = first_hash(index, home).unwrap_or(0);
    for number in index.ways(first) {
        let Some(bucket) = index.bucket(number)? else {
            return Ok(Look::Unclear);
        };
        for at in 0..SLOTS {
            match bucket.slot(at) {
                Read::Slot(slot) if index.home(slot.hash) == home => slots.push(slot),
                Read::Damaged => return Ok(Look::Unclear),
                _ => {}
            }
        }
        match bucket.is_full(index.life, number) {
            Some(true) => {}
            Some(false) => break,
            None => return Ok(Look::Unclear),
        }
    }
    Ok(Look::There(slots))
}

fn no_place() -> Failure {
    Failure::new(
        FailureKind::Permanent,
        "a scan cannot go on from what no page of this store gave",
        "begin with `None`, and go on with `next`",
    )
}
