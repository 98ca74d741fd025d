//! Sweeping: expired entries and markers, dead parts of the log, and files that no entry has.

use std::collections::HashSet;

use everwarm_core::store::Failure;

use crate::error::{Step, Trouble};
use crate::files::Files;
use crate::index::{Read, SLOTS, Use};
use crate::large::large_name;
use crate::writing::Writing;

/// Buckets that are swept before others have their turn.
const BUCKETS: u64 = 128;
/// The age in seconds from which on the file of a value that is in no entry was left by one who ended.
const ABANDONED: i64 = 3600;

/// Takes away what has expired; how many entries.
pub(crate) fn sweep(files: &Files) -> Result<u64, Failure> {
    let mut swept = 0;
    let mut next = Some(0);
    while let Some(from) = next {
        let (more, after) = files.write(|writing| writing.sweep_some(from))?;
        swept += more;
        next = after;
    }
    while !files.write(|writing| writing.compact())? {}
    files.write(|writing| writing.give_room_back())?;
    files.write(|writing| writing.sweep_files())?;
    Ok(swept)
}

impl Writing<'_> {
    fn sweep_some(&mut self, from: u64) -> Step<(u64, Option<u64>)> {
        let to = (from + BUCKETS).min(self.index.buckets);
        let mut swept = 0;
        // What this step changes there, in its midst, are slots that it has passed.
        for bucket in self.index.buckets(from..to)?.ok_or(Trouble::CUT)? {
            for at in 0..SLOTS {
                let slot = match bucket.slot(at) {
                    Read::Free => continue,
                    Read::Damaged => return Err(Trouble::SLOT),
                    Read::Slot(slot) => slot,
                };
                if !slot.is_before(self.head.start) && slot.deadline <= self.now {
                    self.settle(slot.hash)?;
                    self.take_slot(&slot)?;
                    swept += u64::from(slot.is == Use::Entry);
                }
            }
        }
        self.commit_changes()?;
        Ok((swept, (to < self.index.buckets).then_some(to)))
    }

    fn sweep_files(&mut self) -> Step<()> {
        let directory = &self.files.directory;
        let names = directory.names()?;
        let date = i64::try_from(self.files.time.times().date().as_secs()).unwrap_or(i64::MAX);
        for name in names.iter().filter(|name| name.starts_with("new.")) {
            if directory
                .written(name)
                .is_some_and(|written| date - written > ABANDONED)
            {
                directory.remove(name);
            }
        }
        if names.iter().any(|name| name.starts_with("large.")) {
            let used = self.large_names()?;
            for name in names
                .iter()
                .filter(|name| name.starts_with("large.") && !used.contains(*name))
            {
                directory.remove(name);
            }
        }
        crate::anew::clean(directory, &self.head, false);
        Ok(())
    }

    fn large_names(&self) -> Step<HashSet<String>> {
        let slots = self.all_slots()?;
        let large = slots.iter().filter(|slot| slot.is_large);
        large
            .map(|slot| Ok(large_name(self.large_of(slot)?.file)))
            .collect()
    }
}
