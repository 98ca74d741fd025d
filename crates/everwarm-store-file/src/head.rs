//! The bytes of a file: a line of JSON about the entry, and the entry's bytes.
//!
//! `{"everwarm":1,"check":"…","name":"…","version":7,"written":…,"expires":…}` and a line end; instants are milliseconds
//! since 1970. The check is of everything behind it, so that no damage and no other hand changes an entry unseen.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::store::{Bytes, Found};
use serde_json::{Map, Value, json};

/// How a file of ours begins; the check follows.
const OPENING: &[u8] = b"{\"everwarm\":1,\"check\":\"";
/// Hexadecimal digits of the check.
const CHECK: usize = 32;
/// What follows the check.
const REST: &[u8] = b"\",";
/// How far into the future an entry may have been written: clocks are corrected by less.
const SKEW_MILLIS: u64 = 1_000;

/// The longest first line: every byte of a name may take six.
pub(crate) const LONGEST_HEAD: usize = 6 * crate::store::LONGEST_NAME + 256;

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The name.
    pub(crate) name: String,
    /// The number of the write, or the token of a lease.
    pub(crate) version: u64,
    /// When it was written.
    pub(crate) written: u64,
    /// When it ends.
    pub(crate) expires: Option<u64>,
}

/// Milliseconds since 1970.
pub(crate) fn millis(now: Instant) -> u64 {
    now.as_nanos() / 1_000_000
}

impl Head {
    /// The head of what is written now.
    pub(crate) fn new(name: &str, version: u64, now: Instant, ttl: Option<Duration>) -> Self {
        Self {
            name: name.to_owned(),
            version,
            written: millis(now),
            expires: ttl.map(|ttl| millis(now.after(ttl))),
        }
    }

    /// Whether it counts now: it has not ended, and is not from the future, which a clock that was set back makes of it.
    pub(crate) fn is_live(&self, now: Instant) -> bool {
        let now = millis(now);
        self.written <= now + SKEW_MILLIS && self.expires.is_none_or(|expires| expires > now)
    }

    /// What is left of its ttl.
    pub(crate) fn remaining(&self, now: Instant) -> Option<Duration> {
        let expires = self.expires?;
        let from = millis(now).max(self.written);
        Some(Duration::from_millis(expires.saturating_sub(from)))
    }

    /// The file of an entry.
    pub(crate) fn file(&self, bytes: &[u8]) -> Vec<u8> {
        let said = json!({
            "name": self.name, "version": self.version, "written": self.written, "expires": self.expires,
        });
        let said = said.to_string();
        let mut file = Vec::with_capacity(OPENING.len() + CHECK + said.len() + bytes.len() + 2);
        file.extend_from_slice(OPENING);
        file.extend_from_slice(&[b'0'; CHECK]);
        file.extend_from_slice(REST);
        // The brace was opened before.
        file.extend_from_slice(&said.as_bytes()[1..]);
        file.push(b'\n');
        file.extend_from_slice(bytes);
        let begin = OPENING.len() + CHECK;
        let check = check_of(&file[begin..]);
        file[OPENING.len()..begin].copy_from_slice(check.as_bytes());
        file
    }

    /// What a first line says, unchecked, and its length; `None` if it is none of ours.
    pub(crate) fn read(file: &[u8]) -> Option<(Self, usize)> {
        let end = file
            .iter()
            .take(LONGEST_HEAD)
            .position(|&byte| byte == b'\n')?;
        if !file.starts_with(OPENING) {
            return None;
        }
        let said: Map<String, Value> = serde_json::from_slice(&file[..end]).ok()?;
        let head = Self {
            name: said.get("name")?.as_str()?.to_owned(),
            version: said.get("version")?.as_u64()?,
            written: said.get("written")?.as_u64()?,
            expires: match said.get("expires")? {
                Value::Null => None,
                expires => Some(expires.as_u64()?),
            },
        };
        Some((head, end + 1))
    }

    /// The entry of a whole file; `None` unless it is exactly what was written.
    pub(crate) fn open(file: &Bytes) -> Option<(Self, Bytes)> {
        let begin = OPENING.len() + CHECK;
        if !file.starts_with(OPENING) || file.get(begin..begin + REST.len()) != Some(REST) {
            return None;
        }
        if check_of(&file[begin..]).as_bytes() != &file[OPENING.len()..begin] {
            return None;
        }
        let (head, end) = Self::read(file)?;
        Some((head, file.slice(end..)))
    }

    /// The entry as a store gives it.
    pub(crate) fn found(&self, bytes: Bytes, now: Instant) -> Found {
        Found {
            bytes,
            remaining: self.remaining(now),
            version: self.version,
        }
    }
}

fn check_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..CHECK].to_owned()
}
