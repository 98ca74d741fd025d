//! Putting entries and leases, and taking them: the parts of a step, with what they add to and take from the bounds.

use everwarm_core::store::Bytes;

use crate::apply::Change;
use crate::error::{Step, Trouble};
use crate::files::{Entry, Look, hash_of};
use crate::index::{At, Slot, Use};
use crate::record::{Header, Kind, Large};
use crate::writing::Writing;

/// What is put under a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value<'a>,
    pub(crate) deadline: u64,
    /// Others are told of it.
    pub(crate) is_told: bool,
}

/// A value on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    /// It goes into the log.
    Short(&'a [u8]),
    /// It is in a file.
    Large(Large),
}

impl Writing<'_> {
    /// Where a name's entry is, if it is there and has not expired.
    pub(crate) fn entry_slot(&mut self, name: &str) -> Step<Option<(At, Slot)>> {
        let hash = hash_of(self.head.life, name);
        self.settle(hash)?;
        let now = self.now;
        Ok(self
            .probe(hash)?
            .entry
            .filter(|(_, slot)| slot.deadline > now))
    }

    /// A name's entry, if it is there and has not expired.
    pub(crate) fn entry(&mut self, name: &str) -> Step<Option<Entry>> {
        let Some((_, slot)) = self.entry_slot(name)? else {
            return Ok(None);
        };
        match self.files.entry(&self.index, &slot, name)? {
            Look::There(entry) => Ok(Some(entry)),
            Look::Absent => Ok(None),
            Look::Unclear => Err(Trouble::Damaged("an entry is not what its index says")),
        }
    }

    /// The version of a name's entry, if it is there and has not expired.
    pub(crate) fn version(&mut self, name: &str) -> Step<Option<u64>> {
        let Some((_, slot)) = self.entry_slot(name)? else {
            return Ok(None);
        };
        let record = self.record_at(slot.place)?;
        let (header, found) = Header::read(&record, (self.head.life, slot.place))
            .ok_or(Trouble::Damaged("a part of its log"))?;
        Ok((found == name).then_some(header.version))
    }

    /// Puts an entry, and ends the lease of its name; its version.
    pub(crate) fn put(&mut self, put: &Put<'_>) -> Step<u64> {
        let mut header = Header::is(Kind::Entry, self.files.writer);
        header.deadline = put.deadline;
        header.is_told = put.is_told;
        header.ends_lease = true;
        let hash = hash_of(self.head.life, put.name);
        self.settle(hash)?;
        let probe = self.probe(hash)?;
        self.probed = Some((hash, probe));
        let more = u64::from(probe.entry.is_none());
        match put.value {
            Value::Short(value) => {
                self.room(put.name.len() + value.len(), 0, more)?;
                self.put_record(header, (put.name, hash), value)
            }
            Value::Large(large) => {
                let value = large.bytes();
                self.room(put.name.len() + value.len(), large.length, more)?;
                self.head.large += large.length;
                header.is_large = true;
                self.put_record(header, (put.name, hash), &value)
            }
        }
    }

    /// Puts the lease of a name.
    pub(crate) fn put_lease(&mut self, name: &str, token: u64, deadline: u64) -> Step<()> {
        self.room(name.len() + 8, 0, 0)?;
        let mut header = Header::is(Kind::Lease, self.files.writer);
        header.deadline = deadline;
        let hash = hash_of(self.head.life, name);
        self.put_record(header, (name, hash), &token.to_le_bytes())
            .map(|_| ())
    }

    /// Appends a record for the index, in place of what was there under the name of this hash; its version.
    fn put_record(&mut self, header: Header, (name, hash): (&str, u64), value: &[u8]) -> Step<u64> {
        self.settle(hash)?;
        let probe = match self.probed {
            // What was there may have been evicted to make room.
            Some((probed, probe)) if probed == hash => probe.after(self.head.start),
            _ => self.probe(hash)?,
        };
        self.probed = Some((hash, probe));
        let is = if header.kind == Kind::Lease {
            Use::Lease
        } else {
            Use::Entry
        };
        let old = if is == Use::Lease {
            probe.lease
        } else {
            probe.entry
        };
        match old {
            Some((_, old)) => self.leave_slot(&old)?,
            None => self.head.slots += 1,
        }
        if let (true, Some((_, lease))) = (header.ends_lease, probe.lease) {
            self.leave_slot(&lease)?;
            self.head.slots = self.head.slots.saturating_sub(1);
        }
        let place = self.append(header, name, value)?;
        let length = (self.head.end - place) as u32;
        self.head.live += u64::from(length);
        self.head.entries += u64::from(is == Use::Entry);
        self.change(Change::Put {
            slot: Slot {
                is,
                hash,
                place,
                deadline: header.deadline,
                length,
                is_large: header.is_large,
                is_seen: false,
            },
            ends_lease: header.ends_lease,
        });
        Ok(if header.version == 0 {
            place
        } else {
            header.version
        })
    }

    /// Takes an entry and the lease of its name away, and tells the others; whether an entry was there.
    pub(crate) fn take(&mut self, name: &str) -> Step<bool> {
        self.room_for_log(name.len())?;
        let hash = hash_of(self.head.life, name);
        self.settle(hash)?;
        let probe = self.probe(hash)?;
        let mut header = Header::is(Kind::Delete, self.files.writer);
        header.is_told = true;
        self.append(header, name, &[])?;
        let was = probe
            .entry
            .is_some_and(|(_, slot)| slot.deadline > self.now);
        for (_, slot) in [probe.entry, probe.lease].into_iter().flatten() {
            self.take_told(&slot)?;
        }
        Ok(was)
    }

    /// Takes a slot out of the index; no record tells of it.
    pub(crate) fn take_slot(&mut self, slot: &Slot) -> Step<()> {
        self.head.freeing = true;
        self.take_told(slot)
    }

    fn take_told(&mut self, slot: &Slot) -> Step<()> {
        self.leave_index(slot)?;
        self.change(Change::Take {
            hash: slot.hash,
            is: slot.is,
        });
        Ok(())
    }

    /// Takes a slot and what it holds off the bounds: it will be free, or lie before the log.
    pub(crate) fn leave_index(&mut self, slot: &Slot) -> Step<()> {
        self.leave_slot(slot)?;
        self.head.slots = self.head.slots.saturating_sub(1);
        Ok(())
    }

    /// Takes what a slot holds off the bounds.
    fn leave_slot(&mut self, slot: &Slot) -> Step<()> {
        if slot.is == Use::Marker {
            return Ok(());
        }
        self.head.live = self.head.live.saturating_sub(u64::from(slot.length));
        if slot.is == Use::Entry {
            self.head.entries = self.head.entries.saturating_sub(1);
        }
        if slot.is_large {
            let large = self.large_of(slot)?;
            self.leave(large);
        }
        Ok(())
    }

    /// The large value of a slot that has one.
    pub(crate) fn large_of(&self, slot: &Slot) -> Step<Large> {
        let record = self.record_at(slot.place)?;
        Header::read(&record, (self.head.life, slot.place))
            .and_then(|(header, _)| Large::read(header.value(&record)?))
            .ok_or(Trouble::Damaged("a part of its log"))
    }

    /// The token of a name's lease, and its slot, if it has not ended.
    pub(crate) fn lease(&mut self, name: &str) -> Step<Option<(At, Slot, u64)>> {
        let hash = hash_of(self.head.life, name);
        self.settle(hash)?;
        let now = self.now;
        let Some((at, slot)) = self
            .probe(hash)?
            .lease
            .filter(|(_, slot)| slot.deadline > now)
        else {
            return Ok(None);
        };
        let record = self.record_at(slot.place)?;
        let (header, found) = Header::read(&record, (self.head.life, slot.place))
            .ok_or(Trouble::Damaged("a part of its log"))?;
        let token = header
            .value(&record)
            .and_then(|value| value.try_into().ok());
        let token = u64::from_le_bytes(token.ok_or(Trouble::Damaged("a part of its log"))?);
        Ok((found == name).then_some((at, slot, token)))
    }

    /// The deadline of what is put now with this ttl.
    pub(crate) fn deadline(&self, ttl: Option<std::time::Duration>) -> u64 {
        ttl.map_or(u64::MAX, |ttl| {
            let ttl = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
            self.now.saturating_add(ttl)
        })
    }
}

/// A value as bytes, or as the large value that holds them.
pub(crate) fn value_of<'a>(bytes: &'a Bytes, large: Option<Large>) -> Value<'a> {
    large.map_or(Value::Short(bytes), Value::Large)
}
