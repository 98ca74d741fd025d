//! Large values: each in a file of its own, written before the lock is taken and named when its entry is put.
//!
//! To check a megabyte takes as long as to read it. So a process checks a file once, and again when the file system says that it
//! was changed since.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, SystemTime};

use everwarm_core::store::{Bytes, Durability, Failure};
use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use twox_hash::XxHash3_64;

use crate::error::{Step, refused_at};
use crate::files::{Files, random};
use crate::record::{LARGE_FROM, Large};

/// Files that a process remembers to have checked.
const REMEMBERED: usize = 4096;
/// Values of more bytes leave their room to nobody.
const SPARED: usize = 4 << 20;
/// Two changes within less may carry the same time: by the ticks of the system, or on file systems that keep seconds alone.
const COARSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The files that were found whole, and when they had been changed last.
#[derive(Debug, Default)]
pub(crate) struct Proven(Mutex<HashMap<u64, (i64, i64)>>);

impl Proven {
    fn has(&self, file: u64, metadata: &Metadata) -> bool {
        self.0.lock().get(&file) == Some(&changed(metadata))
    }

    fn add(&self, file: u64, metadata: &Metadata) {
        let changed = changed(metadata);
        let coarse = if changed.1 == 0 { COARSE.1 } else { COARSE.0 };
        let date = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let since = match (u64::try_from(changed.0), u32::try_from(changed.1)) {
            (Ok(seconds), Ok(nanos)) => date.checked_sub(Duration::new(seconds, nanos)),
            _ => None,
        };
        if since.is_none_or(|since| since < coarse) {
            return;
        }
        let mut proven = self.0.lock();
        if proven.len() >= REMEMBERED {
            proven.clear();
        }
        proven.insert(file, changed);
    }
}

fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// Room of the value that was read last, for the next one: to be given fresh memory for a megabyte takes longer than to read it.
#[derive(Debug, Default)]
pub(crate) struct Spare(Mutex<Option<Bytes>>);

impl Spare {
    /// Room for so many bytes; that of the last value, if nobody has it any more.
    fn take(&self, length: usize) -> Vec<u8> {
        let last = self.0.lock().take();
        if let Some(mut bytes) = last.filter(Bytes::is_unique) {
            bytes.truncate(0);
            let room = Vec::from(bytes);
            if room.capacity() >= length {
                return room;
            }
        }
        Vec::with_capacity(length)
    }

    /// The room of this value is the next one's when all others have let it go.
    fn give(&self, bytes: &Bytes) {
        if bytes.len() <= SPARED {
            *self.0.lock() = Some(bytes.clone());
        }
    }
}

impl Files {
    /// A large value; `None` if it is not there or not whole.
    pub(crate) fn large(&self, large: Large) -> Step<Option<Bytes>> {
        let Some(file) = self.directory.there(&large_name(large.file), false)? else {
            return Ok(None);
        };
        let metadata = file.metadata()?;
        // The length is believed only if the file has it.
        if metadata.len() != large.length {
            return Ok(None);
        }
        let length = usize::try_from(large.length).unwrap_or(usize::MAX);
        let mut bytes = self.spare.take(length);
        while bytes.len() < length {
            let at = bytes.len() as u64;
            if rustix::io::pread(&file, spare_capacity(&mut bytes), at)? == 0 {
                return Ok(None);
            }
        }
        bytes.truncate(length);
        if !self.proven.has(large.file, &metadata) {
            if XxHash3_64::oneshot(&bytes) != large.check {
                return Ok(None);
            }
            self.proven.add(large.file, &metadata);
        }
        let bytes = Bytes::from(bytes);
        self.spare.give(&bytes);
        Ok(Some(bytes))
    }
}

/// The file of a large value that is in no entry yet; it goes if it never will be.
pub(crate) struct Unnamed<'f> {
    files: &'f Files,
    large: Large,
    is_named: bool,
}

/// Writes the file of a value, if it is large.
pub(crate) fn write<'f>(files: &'f Files, bytes: &Bytes) -> Result<Option<Unnamed<'f>>, Failure> {
    if bytes.len() < LARGE_FROM {
        return Ok(None);
    }
    if !files.is_writable {
        return Err(crate::error::read_only());
    }
    let unnamed = Unnamed {
        files,
        large: Large {
            file: random(),
            length: bytes.len() as u64,
            check: XxHash3_64::oneshot(bytes),
        },
        is_named: false,
    };
    let name = new_name(unnamed.large.file);
    let file = files.directory.create(&name)?;
    let written = file.write_all_at(bytes, 0).and_then(|()| {
        if files.config.durability == Durability::Power {
            file.sync_data()?;
        }
        Ok(())
    });
    written.map_err(|error| refused_at(&files.directory.path().join(name), &error))?;
    Ok(Some(unnamed))
}

impl Unnamed<'_> {
    pub(crate) const fn large(&self) -> Large {
        self.large
    }

    /// Gives the file the name under which entries know it, while the lock is held.
    pub(crate) fn name(&mut self) -> Step<()> {
        let (from, to) = (new_name(self.large.file), large_name(self.large.file));
        self.files.directory.rename(&from, &to)?;
        if self.files.config.durability == Durability::Power {
            self.files.directory.harden()?;
        }
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unnamed<'_> {
    fn drop(&mut self) {
        if !self.is_named {
            self.files.directory.remove(&new_name(self.large.file));
        }
    }
}

/// The name of the file of a large value that is in an entry.
pub(crate) fn large_name(file: u64) -> String {
    format!("large.{file:016x}")
}

fn new_name(file: u64) -> String {
    format!("new.{file:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_again_when_nobody_has_it_any_more() {
        let spare = Spare::default();
        let first = Bytes::from(vec![1; 1_000]);
        let place = first.as_ptr();
        spare.give(&first);
        let other = spare.take(1_000);
        assert_ne!(other.as_ptr(), place, "somebody reads there");
        spare.give(&first);
        drop(first);
        let room = spare.take(900);
        assert_eq!((room.as_ptr(), room.len()), (place, 0));
        spare.give(&Bytes::from(room));
        assert!(spare.take(2_000).capacity() >= 2_000);
    }
}
