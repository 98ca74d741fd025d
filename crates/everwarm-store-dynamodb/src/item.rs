//! What an entry is in the table: one item, with its lease beside its bytes, so that one write changes both.
//!
//! | attribute | what it is |
//! |---|---|
//! | `pk` | the namespace of the name, which ends with its first colon, between `e` and one of sixteen digits |
//! | `sk` | `=` and the rest of the name |
//! | `b` | the bytes, or |
//! | `n` | the number, of a counter |
//! | `v` | the number of the write |
//! | `d` | the deadline, in milliseconds since 1970 |
//! | `l`, `k` | the token of the lease, and its deadline |
//! | `expires_at` | the second after which DynamoDB may delete the item |
//!
//! An item whose deadline is over, or that has none, is no entry, whether or not it is still there. A namespace is spread over sixteen
//! partitions, by the digest of the rest: no one of them has all of its load, and its names are found by sixteen queries.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use everwarm_core::store::{Bytes, Failure, Found};
use serde_json::{Map, Value, json};

use crate::clock::{Millis, span_millis};
use crate::error::{long_name, too_large, unexpected};

/// Bytes of a name: a sort key has 1,024, and one of them is ours.
pub(crate) const LONGEST_NAME: usize = 1_023;
/// Bytes of a value: an item has 400 KiB, with its name and all attributes.
pub(crate) const LARGEST_VALUE: usize = 396 << 10;
/// The deadline of what has no end.
pub(crate) const FOREVER: Millis = 9_000_000_000_000_000;
/// How long after a deadline DynamoDB may delete: clocks differ.
pub(crate) const MARGIN: Millis = 60_000;
/// Over how many partitions a namespace is spread.
pub(crate) const PARTS: u8 = 16;

/// What must hold of an item that is an entry.
pub(crate) const LIVE: &str = "d > :now";
/// What must hold where there is no entry.
pub(crate) const ABSENT: &str = "(attribute_not_exists(d) OR d <= :now)";
/// What must hold where this token has the lease.
pub(crate) const OURS: &str = "l = :token AND k > :now";

/// The attributes of an item.
pub(crate) type Item = Map<String, Value>;

/// Which item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    /// The item of a name.
    ///
    /// # Errors
    /// `Capacity` for one that is too long.
    pub(crate) fn of(name: &str) -> Result<Self, Failure> {
        if name.len() > LONGEST_NAME {
            return Err(long_name(name.len()));
        }
        let (space, rest) = cut(name);
        let part = blake3::hash(rest.as_bytes()).as_bytes()[0] % PARTS;
        Ok(Self {
            pk: partition(space, part),
            sk: format!("={rest}"),
        })
    }

    /// The name of an entry's item; `None` for what else is in the table.
    pub(crate) fn name(&self) -> Option<String> {
        let space = self.pk.strip_prefix('e')?;
        let space = space.get(..space.len().checked_sub(1)?)?;
        Some(format!("{space}{}", self.sk.strip_prefix('=')?))
    }

    /// As requests have it.
    pub(crate) fn json(&self) -> Value {
        json!({"pk": {"S": self.pk}, "sk": {"S": self.sk}})
    }

    /// The key of an item that was read.
    ///
    /// # Errors
    /// `Corruption` for one that has none.
    pub(crate) fn read(item: &Item) -> Result<Self, Failure> {
        let text = |name: &str| Some(item.get(name)?.get("S")?.as_str()?.to_owned());
        let key = text("pk").zip(text("sk"));
        let (pk, sk) = key.ok_or_else(|| unexpected("the key of an item"))?;
        Ok(Self { pk, sk })
    }
}

/// A name as its namespace and the rest.
pub(crate) fn cut(name: &str) -> (&str, &str) {
    name.split_at(name.find(':').map_or(0, |at| at + 1))
}

/// One of the partitions of a namespace.
pub(crate) fn partition(space: &str, part: u8) -> String {
    format!("e{space}{part:x}")
}

/// A number, as requests have it.
pub(crate) fn number(number: impl ToString) -> Value {
    json!({"N": number.to_string()})
}

/// A number of an item.
pub(crate) fn number_of<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.get("N")?.as_str()?.parse().ok()
}

/// When an entry ends that is set now.
pub(crate) fn deadline(now: Millis, ttl: Option<Duration>) -> Millis {
    ttl.map_or(FOREVER, |ttl| {
        now.saturating_add(span_millis(ttl)).min(FOREVER - 1)
    })
}

/// The second from which DynamoDB may delete what ends then; `None`: never.
pub(crate) fn expires_at(deadline: Millis) -> Option<Value> {
    (deadline < FOREVER).then(|| number((deadline + MARGIN) / 1_000 + 1))
}

/// What an entry holds.
pub(crate) enum Content {
    Bytes(Bytes),
    Number(i64),
}

/// The item of an entry, with no lease.
///
/// # Errors
/// `Capacity` for what is too large.
pub(crate) fn entry(
    key: &Key,
    content: Content,
    version: u64,
    deadline: Millis,
) -> Result<Item, Failure> {
    let mut item = Item::new();
    item.insert("pk".into(), json!({"S": key.pk}));
    item.insert("sk".into(), json!({"S": key.sk}));
    match content {
        Content::Bytes(bytes) if bytes.len() > LARGEST_VALUE => return Err(too_large(bytes.len())),
        Content::Bytes(bytes) => item.insert("b".into(), json!({"B": STANDARD.encode(&bytes)})),
        Content::Number(content) => item.insert("n".into(), number(content)),
    };
    item.insert("v".into(), number(version));
    item.insert("d".into(), number(deadline));
    if let Some(at) = expires_at(deadline) {
        item.insert("expires_at".into(), at);
    }
    Ok(item)
}

/// What is under a name, if its item is an entry.
///
/// # Errors
/// `Corruption` for an entry that is none of ours.
pub(crate) fn found(item: &Item, now: Millis) -> Result<Option<Found>, Failure> {
    let Some(deadline) = number_of::<Millis>(item, "d").filter(|&deadline| deadline > now) else {
        return Ok(None);
    };
    let version = number_of(item, "v");
    let (version, bytes) = version
        .zip(bytes(item))
        .ok_or_else(|| unexpected("an item"))?;
    let left = Duration::from_millis(u64::try_from(deadline - now).unwrap_or(0));
    Ok(Some(Found {
        bytes,
        remaining: (deadline < FOREVER).then_some(left),
        version,
    }))
}

/// The bytes of an item, or the text of its number.
pub(crate) fn bytes(item: &Item) -> Option<Bytes> {
    if let Some(number) = item.get("n") {
        return Some(Bytes::copy_from_slice(
            number.get("N")?.as_str()?.as_bytes(),
        ));
    }
    let text = item.get("b")?.get("B")?.as_str()?;
    STANDARD.decode(text).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_from_its_key() {
        for name in ["", ":", "a", "shop:user:7", "shop:", "ä:é\0", "!lock"] {
            assert_eq!(Key::of(name).unwrap().name().as_deref(), Some(name));
        }
        let foreign = Key {
            pk: "gshop".to_owned(),
            sk: "=".to_owned(),
        };
        assert_eq!(foreign.name(), None);
    }

    #[test]
    fn where_an_entry_lies_never_changes() {
        let key = |name: &str| Key::of(name).unwrap();
        assert_eq!(key("shop:user:7").sk, "=user:7");
        assert_eq!(key("shop:user:7").pk, "eshop:7");
        assert_eq!(key("").pk, "ef");
        let parts: std::collections::BTreeSet<_> =
            (0..400).map(|n| key(&format!("shop:{n}")).pk).collect();
        assert_eq!(parts.len(), usize::from(PARTS));
        assert!(parts.iter().all(|pk| pk.starts_with("eshop:")));
    }
}
