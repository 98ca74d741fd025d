//! Writing: one process at a time, one step at a time.
//!
//! A step appends its records to the log, writes the head, and then changes the index. With the head it is done: what of the
//! index is missing, because the process ended there, the next writer applies again from the records of the last batch. What
//! was appended without a head lies beyond the end and is overwritten. Markers alone are changed before the head, whose number
//! readers keep them by.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::MutexGuard;

use crate::anew;
use crate::apply::{Change, Probe};
use crate::error::{Step, Trouble};
use crate::files::{Files, Seat, segment_name};
use crate::head::{self, Head};
use crate::index::Index;
use crate::large::large_name;
use crate::lock::Locked;
use crate::record::{HEADER, Header, Kind, LONGEST, LONGEST_NAME, Large};

/// The right to write, held.
pub(crate) struct Writing<'f> {
    pub(crate) files: &'f Files,
    // Given back before the seat: else another thread of this process would take the lock that this one is about to end.
    _lock: Locked<'f>,
    pub(crate) seat: MutexGuard<'f, Seat>,
    /// What will be written with the next step.
    pub(crate) head: Head,
    pub(crate) index: Arc<Index>,
    pub(crate) now: u64,
    /// Where the records go that are not in the log.
    batch_at: u64,
    /// Where the records of this step begin, and the log did before it.
    step_at: u64,
    step_start: u64,
    /// The last message before this step.
    step_told: u64,
    gone: Vec<u64>,
    /// The slots of a hash, while nothing was written into the index since they were read.
    pub(crate) probed: Option<(u64, Probe)>,
    /// The first segment that is given up is to be the next one.
    pub(crate) is_reused: bool,
    /// Segments that are given up are cut, so that no other process that has them open keeps their room.
    is_cut: bool,
}

impl<'f> Writing<'f> {
    pub(crate) fn begin(
        files: &'f Files,
        seat: MutexGuard<'f, Seat>,
        lock: Locked<'f>,
    ) -> Step<Self> {
        let (head, index) = match files.look_at_head()? {
            head::Read::Head(head) => match files.follow(&head) {
                Ok(index) => (head, index),
                Err(Trouble::Damaged(what)) => return Err(anew_from(files, Some(&head), what)),
                Err(trouble) => return Err(trouble),
            },
            _ => return Err(anew_from(files, None, "its head")),
        };
        let mut writing = Self {
            files,
            seat,
            _lock: lock,
            now: files.now().max(head.floor),
            index,
            batch_at: head.end,
            step_at: head.end,
            step_start: head.start,
            step_told: head.told,
            gone: Vec::new(),
            probed: None,
            is_reused: false,
            is_cut: false,
            head,
        };
        writing.seat.batch.clear();
        writing.seat.changes.clear();
        if writing.seat.head != Some(writing.head) {
            writing.seat.buckets.clear();
        }
        if writing.head.writer != files.writer || writing.seat.is_unsure {
            match writing.redo() {
                Err(Trouble::Damaged(what)) => {
                    return Err(match writing.begin_anew(what) {
                        Ok(what) => Trouble::Damaged(what),
                        Err(trouble) => trouble,
                    });
                }
                other => other?,
            }
        }
        Ok(writing)
    }

    /// The record at a place, as far as header and name go, and the value if it is short.
    pub(crate) fn record_at(&self, place: u64) -> Step<Vec<u8>> {
        const MOST: usize = HEADER + LONGEST_NAME + 64;
        let record = self.files.record(&self.index, place, MOST.min(LONGEST))?;
        record.ok_or(Trouble::Damaged("a part of its log is gone"))
    }

    /// Notes a change of the index, to be done with the step.
    pub(crate) fn change(&mut self, change: Change) {
        self.seat.changes.push(change);
    }

    /// Sees to it that what the index says of this hash is what this step began with.
    pub(crate) fn settle(&mut self, hash: u64) -> Step<()> {
        if self.seat.changes.iter().any(|change| change.hash() == hash) {
            self.commit()?;
        }
        Ok(())
    }

    /// Notes that a large value is not used any more.
    pub(crate) fn leave(&mut self, large: Large) {
        self.head.large = self.head.large.saturating_sub(large.length);
        self.gone.push(large.file);
    }

    /// Appends a record; where it lies. What is waiting to be written lies within one segment.
    pub(crate) fn append(&mut self, mut header: Header, name: &str, value: &[u8]) -> Step<u64> {
        let length = (HEADER + name.len() + value.len()).next_multiple_of(8) as u64;
        let left = self.head.segment - self.head.end % self.head.segment;
        if length > left {
            if left >= HEADER as u64 {
                let place = (self.head.life, self.head.end);
                Header::is(Kind::Pad, self.files.writer).write(
                    place,
                    "",
                    &[],
                    &mut self.seat.batch,
                );
            }
            self.write_batch()?;
            self.head.end += left;
            self.batch_at = self.head.end;
        }
        let place = self.head.end;
        if header.version == 0 {
            header.version = place;
        }
        if header.is_told {
            header.told_before = self.head.told;
            self.head.told = place;
        }
        header.write((self.head.life, place), name, value, &mut self.seat.batch);
        self.head.end += length;
        if length == left {
            self.write_batch()?;
        }
        Ok(place)
    }

    /// Whether so many records are waiting that they should be written.
    pub(crate) fn is_long(&self) -> bool {
        self.seat.batch.len() > 1 << 20 || self.seat.changes.len() > 256
    }

    /// Whether the record at a place is among those that are waiting.
    pub(crate) const fn is_waiting(&self, place: u64) -> bool {
        place >= self.step_at
    }

    /// How many bytes of the log from a place on are those of earlier steps.
    pub(crate) const fn written_from(&self, place: u64) -> u64 {
        self.step_at.saturating_sub(place)
    }

    fn write_batch(&mut self) -> Step<()> {
        if self.seat.batch.is_empty() {
            return Ok(());
        }
        let segment = self.batch_at / self.head.segment;
        let from = self.batch_at % self.head.segment;
        debug_assert!(from + self.seat.batch.len() as u64 <= self.head.segment);
        let file = self.files.segment(segment, true)?;
        let file = file.ok_or(Trouble::Damaged("a part of its log is gone"))?;
        if let Err(error) = file.write_all_at(&self.seat.batch, from) {
            use std::io::ErrorKind::{QuotaExceeded, StorageFull};
            self.seat.was_full = matches!(error.kind(), StorageFull | QuotaExceeded);
            return Err(error.into());
        }
        let is_first = self.batch_at.is_multiple_of(self.head.segment);
        self.batch_at += self.seat.batch.len() as u64;
        self.seat.batch.clear();
        self.seat.batch.shrink_to(LONGEST);
        if self.is_hard() && is_first {
            self.files.directory.harden()?;
        }
        self.harden(&file)
    }

    /// Has the log go on at a place where a segment begins; nothing waits to be written, and all before it is given up with this step.
    pub(crate) fn go_on_at(&mut self, place: u64) {
        debug_assert!(self.seat.batch.is_empty() && self.seat.changes.is_empty());
        self.head.end = place;
        self.batch_at = place;
        self.step_at = place;
        self.seat.was_full = false;
        self.is_cut = true;
    }

    /// Does the step: from here on it is done, whatever ends the process.
    pub(crate) fn commit(&mut self) -> Step<()> {
        if self.head.hardened && !self.is_hard() {
            self.soften()?;
        }
        self.write_batch()?;
        self.head.last = self.step_at;
        self.head.writer = self.files.writer;
        self.head.floor = self.now;
        self.seat.is_unsure = true;
        self.files.recall.begin();
        self.seat.head = None;
        let mut changes = std::mem::take(&mut self.seat.changes);
        // A marker that is newer than the head makes a miss at worst; an older one would be taken for that of the head's number.
        for &change in changes.iter().filter(|change| change.is_of_marker()) {
            self.apply(change)?;
        }
        self.write_head()?;
        self.files.own.add(self.step_told, &self.head);
        self.step_told = self.head.told;
        self.harden(&self.files.head)?;
        for &change in changes.iter().filter(|change| !change.is_of_marker()) {
            self.apply(change)?;
        }
        changes.clear();
        self.seat.changes = changes;
        if self.is_hard() {
            self.harden(&self.index.file)?;
        }
        if self.head.freeing {
            self.head.freeing = false;
            self.write_head()?;
        }
        self.seat.is_unsure = false;
        self.files.recall.end();
        for file in self.gone.drain(..) {
            self.files.directory.remove(&large_name(file));
        }
        let segment = self.head.segment;
        let (from, to) = (self.step_start / segment, self.head.start / segment);
        for number in from..to {
            self.give_back(number);
        }
        if from < to {
            self.files.drop_segments(|number| number < to);
        }
        self.step_at = self.head.end;
        self.step_start = self.head.start;
        self.harden_if_asked()?;
        self.seat.head = Some(self.head);
        Ok(())
    }

    fn write_head(&self) -> Step<()> {
        let bytes = self.head.bytes();
        self.files.head.write_all_at(&bytes, 0)?;
        self.files.last_head.note(bytes, &self.head);
        self.index.begins_at(self.head.start);
        Ok(())
    }

    /// Takes the file of a segment away, or makes it the next one: its pages are at hand, and nothing of what they hold proves itself
    /// in another place.
    fn give_back(&mut self, number: u64) {
        let (directory, name) = (&self.files.directory, segment_name(number));
        let next = segment_name(self.head.end / self.head.segment + 1);
        if self.is_cut
            && let Ok(Some(file)) = directory.there(&name, true)
        {
            let _ = file.set_len(0);
        }
        let is_kept = std::mem::take(&mut self.is_reused) && directory.rename(&name, &next).is_ok();
        if !is_kept {
            directory.remove(&name);
        }
    }

    /// Does the step if there is anything to do.
    pub(crate) fn commit_changes(&mut self) -> Step<()> {
        if self.seat.changes.is_empty() && self.seat.batch.is_empty() {
            return Ok(());
        }
        self.commit()
    }

    /// Lets go of the segments that a step has begun which was not done: others may take their files away, and begin them again.
    pub(crate) fn abandon(&self) {
        let last = self.step_at / self.head.segment;
        self.files.drop_segments(|number| number > last);
    }

    /// Takes another index in the place of this one.
    pub(crate) fn exchange(&mut self, index: Index) -> Step<()> {
        let old = std::mem::replace(&mut self.index, Arc::new(index));
        if self.is_hard() {
            self.index.file.sync_data()?;
            self.files.directory.harden()?;
        }
        self.head.index = self.index.name;
        self.head.buckets = self.index.buckets;
        self.head.moving = true;
        self.seat.buckets.clear();
        self.probed = None;
        self.commit()?;
        self.files.take_index(Arc::clone(&self.index));
        old.file.set_len(0)?;
        anew::clean(&self.files.directory, &self.head, false);
        self.head.moving = false;
        self.commit()
    }

    /// Sets all aside and begins anew; says why.
    pub(crate) fn begin_anew(&mut self, what: &'static str) -> Step<&'static str> {
        match anew_from(self.files, Some(&self.head), what) {
            Trouble::Damaged(what) => Ok(what),
            trouble => Err(trouble),
        }
    }
}

/// Begins anew while the lock is held; the damage that was met, if that could be done.
fn anew_from(files: &Files, head: Option<&Head>, what: &'static str) -> Trouble {
    let begun = anew::begin(
        &files.directory,
        &files.head,
        &files.config,
        (&files.time, head),
    );
    match begun {
        Ok((head, index)) => {
            files.time.follow(head.added);
            files.take_index(Arc::new(index));
            files.drop_segments(|_| true);
            files
                .doubts
                .lock()
                .push(format!("it was damaged ({what}), and began anew, empty"));
            Trouble::Damaged(what)
        }
        Err(trouble) => trouble,
    }
}
