//! The bytes of a file: a line of JSON about the entry, and the entry's bytes.
//!
//! `{"everwarm":1,"check":"…","name":"…","version":7,"written":…,"expires":…}` and a line end; instants are milliseconds
//! since 1970. The check is of everything behind it, so that no damage and no other hand changes an entry unseen. Where the entry's
//! value is JSON the object goes on in the second line: `{"everwarm":2, …,"expires":…,` and what `text` has.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::store::{Bytes, Found};
use serde_json::{Map, Value};

use crate::text::{Parts, joined};

/// How a file of ours begins; the check follows.
const OPENING: &[u8] = b"{\"everwarm\":1,\"check\":\"";
/// How one begins that is JSON as a whole.
const OPENING_OF_TEXT: &[u8] = b"{\"everwarm\":2,\"check\":\"";
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
        // The same order of fields whatever else a build is made of.
        let name = Value::from(self.name.as_str());
        let expires = Value::from(self.expires);
        let (version, written) = (self.version, self.written);
        let said = format!(
            "\"name\":{name},\"version\":{version},\"written\":{written},\"expires\":{expires}}}"
        );
        let parts = Parts::of(bytes);
        let length = parts.as_ref().map_or(bytes.len(), Parts::length);
        let begin = OPENING.len() + CHECK;
        let mut file = Vec::with_capacity(begin + said.len() + length + REST.len() + 2);
        file.extend_from_slice(match parts {
            Some(_) => OPENING_OF_TEXT,
            None => OPENING,
        });
        file.extend_from_slice(&[b'0'; CHECK]);
        file.extend_from_slice(REST);
        file.extend_from_slice(said.as_bytes());
        if let Some(parts) = parts {
            file.pop();
            file.extend_from_slice(b",\n");
            parts.write(&mut file);
        } else {
            file.push(b'\n');
            file.extend_from_slice(bytes);
        }
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
        let said: Map<String, Value> = if is_text(file)? {
            let open = file[..end].strip_suffix(b",")?;
            serde_json::from_slice(&[open, b"}"].concat()).ok()?
        } else {
            serde_json::from_slice(&file[..end]).ok()?
        };
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
        let is_text = is_text(file)?;
        if file.get(begin..begin + REST.len()) != Some(REST) {
            return None;
        }
        if check_of(&file[begin..]).as_bytes() != &file[OPENING.len()..begin] {
            return None;
        }
        let (head, end) = Self::read(file)?;
        let bytes = match is_text {
            true => joined(&file[end..])?,
            false => file.slice(end..),
        };
        Some((head, bytes))
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

/// Whether a file of ours is JSON as a whole; `None` if it is none of ours.
fn is_text(file: &[u8]) -> Option<bool> {
    let forms = [(OPENING, false), (OPENING_OF_TEXT, true)];
    let mut forms = forms.into_iter();
    let found = forms.find(|(opening, _)| file.starts_with(opening));
    found.map(|(_, is_text)| is_text)
}

fn check_of(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..CHECK].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Files that were written once, and what they hold.
    const GOLDEN: [(&[u8], &str, &[u8]); 2] = [
        (
            include_bytes!("../tests/golden/v1.value"),
            "shop:price",
            b"{\"EUR\": 12}",
        ),
        (
            include_bytes!("../tests/golden/v2.value"),
            "shop:prices",
            include_bytes!("../tests/golden/v2.envelope"),
        ),
    ];

    #[test]
    fn files_are_written_and_read_as_they_once_were() {
        for (file, name, bytes) in GOLDEN {
            let (head, found) = Head::open(&Bytes::from_static(file)).expect("it is whole");
            assert_eq!((head.name.as_str(), &found[..]), (name, bytes));
            assert_eq!((head.version, head.written), (7, 1_763_800_000_000));
            assert_eq!(head.expires, Some(1_763_800_060_000));
            assert_eq!(head.file(bytes), file, "{name}");
        }
    }

    #[test]
    fn a_file_of_text_is_one_object_with_the_value_in_it() {
        let (file, ..) = GOLDEN[1];
        let object: Value = serde_json::from_slice(file).expect("JSON");
        assert_eq!(object["value"], json!({"EUR": 12, "at": [1, 2.5, null]}));
        assert_eq!(object["name"], "shop:prices");
    }

    #[test]
    fn any_other_byte_of_a_file_of_text_makes_a_miss() {
        let (file, ..) = GOLDEN[1];
        for at in 0..file.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut other = file.to_vec();
                other[at] ^= flip;
                assert_eq!(Head::open(&other.into()), None, "byte {at}");
            }
            assert_eq!(Head::open(&Bytes::from_static(&file[..at])), None);
        }
    }
}
