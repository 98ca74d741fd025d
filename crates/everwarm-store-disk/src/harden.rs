//! What survives a loss of power: each step where that was asked for, else what was there when a store was closed.
//!
//! The head says whether all is hardened. It is the first to say that it is not any more, before anything else is written.

use std::fs::File;
use std::os::unix::fs::FileExt;

use everwarm_core::store::Durability;

use crate::error::{Step, Trouble};
use crate::files::{Files, read_head};
use crate::head;
use crate::writing::Writing;

impl Files {
    /// Makes what is written survive a loss of power, as far as it is there without the lock.
    pub(crate) fn harden_before(&self) -> Step<()> {
        let segments: Vec<_> = self.segments.read().values().cloned().collect();
        for file in segments {
            file.sync_data()?;
        }
        Ok(self.index().file.sync_data()?)
    }
}

impl Writing<'_> {
    /// Says in the head, before all else, that from now on not all survives a loss of power.
    pub(crate) fn soften(&mut self) -> Step<()> {
        let head::Read::Head(mut before) = read_head(&self.files.head)? else {
            return Err(Trouble::Damaged("its head"));
        };
        before.hardened = false;
        self.files.head.write_all_at(&before.bytes(), 0)?;
        self.files.head.sync_data()?;
        self.head.hardened = false;
        Ok(())
    }

    pub(crate) fn is_hard(&self) -> bool {
        self.files.config.durability == Durability::Power
    }

    pub(crate) fn harden(&self, file: &File) -> Step<()> {
        if self.is_hard() {
            file.sync_data()?;
        }
        Ok(())
    }

    /// Makes all survive a loss of power, if this store is to keep it so from now on.
    pub(crate) fn harden_if_asked(&mut self) -> Step<()> {
        if self.is_hard() && !self.head.hardened {
            self.harden_all()?;
        }
        Ok(())
    }

    /// Makes all survive a loss of power.
    pub(crate) fn harden_all(&mut self) -> Step<()> {
        let segment = self.head.segment;
        for number in self.head.start / segment..=self.head.end / segment {
            if let Some(file) = self.files.segment(number, false)? {
                file.sync_data()?;
            }
        }
        self.index.file.sync_data()?;
        self.files.directory.harden()?;
        self.head.hardened = true;
        self.files.head.write_all_at(&self.head.bytes(), 0)?;
        Ok(self.files.head.sync_data()?)
    }
}
