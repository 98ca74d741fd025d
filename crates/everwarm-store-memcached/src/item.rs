//! What lies under a key: a value, a counter or nothing, and the lease of the name.
//!
//! The server's own number of a write, its CAS, is what makes a step of several: what was read is replaced only if it is still there.
//! So value and lease lie in one item, and every other write of the name ends the lease by being a write. Behind a header lies the
//! value, behind that what leases have appended; the last counts. Where there is no value the lease is the item, and ends with it. Else it
//! ends by the server's clock ([`Clock`]), since the item's own life is the value's.
//!
//! ```text
//! 0  version u64 | 8 length of the value u32 | 12 the counter's end u32, and its clock u32 | 20 the value
//! then for each lease: clock u32 | end u32 | token u64
//! ```

use everwarm_core::store::{Bytes, Failure, Found};

use crate::error::foreign;
use crate::life::{Life, left};
use crate::replies::Reply;

/// Bytes before the value.
pub(crate) const HEADER: usize = 20;
/// Bytes of a lease.
pub(crate) const LEASE: usize = 16;
/// Leases that may be appended before the item is written anew.
pub(crate) const MOST_LEASES: usize = 64;

/// What an item holds beside leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value.
    Value,
    /// Nothing.
    Nothing,
    /// A number, whose life is told by a clock: it is written anew with each change, which must not lengthen it.
    Counter,
}

/// In the upper half of an item's flags: it is one of ours.
const OURS: u32 = 0xe7a1 << 16;

/// The flags of an item: its kind, and by how many milliseconds its ttl is less than whole seconds.
pub(crate) const fn flags(kind: Kind, less: u32) -> u32 {
    OURS | (kind as u32) << 10 | less
}

/// The kind of an item with these flags, and by how much its ttl is less.
///
/// # Errors
/// `Corruption` for one of somebody else's.
pub(crate) fn kind_of(flags: u32) -> Result<(Kind, u32), Failure> {
    let kind = match flags >> 10 & 0x3f {
        0 => Kind::Value,
        1 => Kind::Nothing,
        2 => Kind::Counter,
        _ => return Err(foreign()),
    };
    match flags & 0xffff_0000 == OURS {
        true => Ok((kind, flags & 0x3ff)),
        false => Err(foreign()),
    }
}

/// A time by the clock of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Which clock; another one after the server has lost it.
    pub(crate) number: u32,
    /// Seconds.
    pub(crate) at: u32,
}

impl Clock {
    /// So many seconds later.
    pub(crate) const fn after(self, seconds: u32) -> Self {
        Self {
            at: self.at.saturating_add(seconds),
            ..self
        }
    }

    /// How many seconds are left until then; None if that is over, or by another clock.
    pub(crate) fn until(self, then: Self) -> Option<u32> {
        let left = then.at.checked_sub(self.at).filter(|&left| left > 0);
        left.filter(|_| self.number == then.number)
    }
}

/// The lease in an item that has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// When it ends.
    pub(crate) ends: Clock,
    /// Who holds it; 0: nobody.
    pub(crate) token: u64,
}

impl Lease {
    /// As it is appended.
    pub(crate) fn encode(self) -> [u8; LEASE] {
        let mut bytes = [0; LEASE];
        bytes[..4].copy_from_slice(&self.ends.number.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.ends.at.to_le_bytes());
        bytes[8..].copy_from_slice(&self.token.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (at, token) = rest.split_first_chunk()?;
        Some(Self {
            ends: Clock {
                number: u32::from_le_bytes(*number),
                at: u32::from_le_bytes(*at),
            },
            token: u64::from_le_bytes(token.try_into().ok()?),
        })
    }
}

/// What is written before a value.
pub(crate) fn header(version: u64, length: usize, ends: Clock) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&version.to_le_bytes());
    bytes[8..12].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&ends.at.to_le_bytes());
    bytes[16..].copy_from_slice(&ends.number.to_le_bytes());
    bytes
}

/// What is under a key.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// The number of the write of the value.
    pub(crate) version: u64,
    /// When a counter ends.
    pub(crate) ends: Clock,
    /// The server's number of the last write.
    pub(crate) cas: u64,
    /// What the server counts for it; None: it has no end.
    pub(crate) seconds: Option<u32>,
    /// By how many milliseconds its ttl is less.
    pub(crate) less: u32,
    /// The last lease.
    pub(crate) lease: Option<Lease>,
    /// How many there are.
    pub(crate) leases: usize,
    data: Bytes,
    length: usize,
}

impl Item {
    /// What a server said is under a key: None if nothing is. It was asked for the data.
    ///
    /// # Errors
    /// `Corruption` for what is none of ours.
    pub(crate) fn read(reply: &Reply) -> Result<Option<Self>, Failure> {
        let Some(data) = reply.data()? else {
            return Ok(None);
        };
        let (kind, less) = kind_of(reply.flags)?;
        let item = Self::parse(kind, data, reply);
        let mut item = item.ok_or_else(foreign)?;
        item.less = less;
        Ok(Some(item))
    }

    fn parse(kind: Kind, data: &Bytes, reply: &Reply) -> Option<Self> {
        let (version, rest) = data.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let leases = rest.get(length..)?;
        let last = leases.chunks_exact(LEASE);
        if !last.remainder().is_empty() {
            return None;
        }
        Some(Self {
            kind,
            version: u64::from_le_bytes(*version),
            ends: Clock {
                number: u32::from_le_bytes(*number),
                at: u32::from_le_bytes(*at),
            },
            cas: reply.cas,
            seconds: reply.left,
            less: 0,
            leases: last.len(),
            lease: last.last().and_then(Lease::decode),
            data: data.clone(),
            length,
        })
    }

    /// Whether there is a value or a counter.
    pub(crate) fn is_there(&self) -> bool {
        self.kind != Kind::Nothing
    }

    /// The value.
    pub(crate) fn value(&self) -> Bytes {
        self.data.slice(HEADER..HEADER + self.length)
    }

    /// Value and leases, as they lie behind the header.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.data[HEADER..]
    }

    /// What users are given.
    pub(crate) fn found(&self) -> Option<Found> {
        self.is_there().then(|| Found {
            bytes: self.value(),
            remaining: left(self.seconds, self.less),
            version: self.version,
        })
    }

    /// What it keeps of its life when it is written anew.
    pub(crate) fn life(&self) -> Life {
        Life::kept(self.seconds, self.less)
    }

    /// Whose its lease is at this time, and for how many more seconds; None if nobody's.
    pub(crate) fn held(&self, now: Clock) -> Option<(u64, u32)> {
        let lease = self.lease.filter(|lease| lease.token != 0)?;
        let left = match self.kind {
            Kind::Nothing => self.seconds?,
            _ => now.until(lease.ends)?,
        };
        Some((lease.token, left))
    }
}
