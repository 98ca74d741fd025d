//! The names in Redis: which key holds what, and which slot of a cluster it lies in.
//!
//! A key is `ew{NAMESPACE.SHARD}KIND:NAME`. The namespace is what the stored name begins with, up to its first colon, and has none
//! itself, so that what follows the key's first colon is the name. All keys of one shard share their braces, and so their slot: a
//! script may change an entry, its lease and the shard in one step.

use everwarm_core::mark::Tag;

/// Shards of a namespace on a cluster.
pub(crate) const SHARDS: u16 = 16;

/// What all keys begin with.
const OURS: &str = "ew{";

/// How names are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Shards of each namespace.
    pub(crate) shards: u16,
}

/// The keys of one name.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Its entry.
    pub(crate) entry: String,
    /// Its lease.
    pub(crate) lease: String,
    /// The slot of both.
    pub(crate) slot: u16,
}

/// What a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An entry.
    Entry,
    /// A lease.
    Lease,
    /// A shard; in the place of a name is its namespace, with a colon.
    Shard,
    /// The marker of a tag; in the place of a name is its namespace, a colon, and the tag.
    Marker,
}

impl Kind {
    const fn letter(self) -> char {
        match self {
            Self::Entry => 'e',
            Self::Lease => 'l',
            Self::Shard => 's',
            Self::Marker => 'm',
        }
    }

    /// What the keys of this kind begin with in a shard, of which these are the braces.
    pub(crate) fn of(self, braces: &str) -> String {
        format!("{braces}{}:", self.letter())
    }
}

/// A shard of a namespace.
#[derive(Clone, Debug)]
pub(crate) struct Shard {
    /// Its number.
    pub(crate) number: u16,
    /// The namespace, as it stands in stored names.
    pub(crate) space: Box<str>,
    /// The key of its counter.
    pub(crate) key: String,
    /// The slot of all that is in it.
    pub(crate) slot: u16,
}

impl Layout {
    /// Everything in one place.
    pub(crate) const ONE: Self = Self { shards: 1 };
    /// Spread over a cluster.
    pub(crate) const SPREAD: Self = Self { shards: SHARDS };

    /// The shard of a name.
    pub(crate) fn shard_of(self, name: &str) -> u16 {
        match self.shards {
            1 => 0,
            shards => crc16(name.as_bytes()) % shards,
        }
    }

    /// The shard of a tag.
    pub(crate) fn shard_of_tag(self, tag: &Tag) -> u16 {
        crc16(&tag.0) % self.shards
    }

    /// A shard of a namespace.
    pub(crate) fn shard(self, space: &str, number: u16) -> Shard {
        let braces = braces(space, number);
        Shard {
            number,
            space: space.into(),
            slot: slot_of(&braces),
            key: format!("{braces}{}:{space}:", Kind::Shard.letter()),
        }
    }

    /// The shard that a name lies in.
    pub(crate) fn shard_of_name(self, name: &str) -> Shard {
        self.shard(namespace_of(name), self.shard_of(name))
    }

    /// The keys of a name.
    pub(crate) fn keys(self, name: &str) -> Keys {
        let braces = braces(namespace_of(name), self.shard_of(name));
        Keys {
            slot: slot_of(&braces),
            entry: key_in(&braces, Kind::Entry, name),
            lease: key_in(&braces, Kind::Lease, name),
        }
    }
}

impl Shard {
    /// The key of a tag's marker.
    pub(crate) fn marker(&self, tag: &Tag) -> String {
        let Self { space, number, .. } = self;
        let (braces, letter) = (braces(space, *number), Kind::Marker.letter());
        format!("{braces}{letter}:{space}:{}", hexadecimal(tag))
    }
}

/// What the names of locks and limiters begin with, of which nobody keeps anything in memory.
const PRIVATE: char = '!';

/// Whether others have to hear of what is done to a name, or in a namespace.
pub(crate) fn is_told(name: &str) -> bool {
    !name.starts_with(PRIVATE)
}

/// The channel on which what happens in a namespace is told. All databases of a server share its channels.
pub(crate) fn channel(database: u32, space: &str) -> String {
    format!("ew{database}:{space}")
}

/// The namespace of a channel.
pub(crate) fn space_in(channel: &str) -> Option<&str> {
    Some(channel.strip_prefix("ew")?.split_once(':')?.1)
}

/// A tag in digits.
pub(crate) fn hexadecimal(tag: &Tag) -> String {
    format!("{:032x}", u128::from_be_bytes(tag.0))
}

/// The key under which a large write lies until a script puts it in its place; beside a key of the same shard.
pub(crate) fn staging(beside: &str, version: u64) -> String {
    let braces = beside.split_inclusive('}').next().unwrap_or_default();
    format!("{braces}t:{version:x}")
}

/// The key in a shard on which it is tried what the store may do. Nothing else lies there.
pub(crate) fn probed(shard: &Shard) -> String {
    format!("{}t:probe", braces(&shard.space, shard.number))
}

/// Whether a stored name lies in a namespace.
pub(crate) fn is_in(space: &str, name: &str) -> bool {
    let (space, name) = (space.as_bytes(), name.as_bytes());
    matches!(name.get(space.len()), None | Some(b':')) && name.starts_with(space)
}

/// The namespace of a stored name.
pub(crate) fn namespace_of(name: &str) -> &str {
    name.split_once(':')
        .map_or(name, |(namespace, _)| namespace)
}

/// The key of a name in the shard of these braces.
fn key_in(braces: &str, kind: Kind, name: &str) -> String {
    let mut key = String::with_capacity(braces.len() + name.len() + 2);
    key.push_str(braces);
    key.push(kind.letter());
    key.push(':');
    key.push_str(name);
    key
}

/// What the keys of a shard begin with; the namespace as it stands in stored names.
pub(crate) fn braces(namespace: &str, shard: u16) -> String {
    format!("{OURS}{}.{shard:x}}}", unbraced(namespace))
}

/// A namespace without what would end the braces.
fn unbraced(namespace: &str) -> String {
    namespace.replace(['{', '}'], "_")
}

/// The name in a key, if it is one of this kind.
pub(crate) fn name_in(key: &[u8], kind: Kind) -> Option<&str> {
    let key = std::str::from_utf8(key).ok()?;
    let (before, name) = key.split_once(':')?;
    let (shard, letter) = before.rsplit_once('.')?.1.split_once('}')?;
    let shard = u16::from_str_radix(shard, 16).ok()?;
    let expected = format!("{}{}", braces(namespace_of(name), shard), kind.letter());
    (before == expected && letter.len() == 1).then_some(name)
}

/// The pattern that all keys of this kind match whose name begins with `prefix`; others may match it, too.
pub(crate) fn pattern(prefix: &str, kind: Kind) -> String {
    let any = if prefix.contains(':') { "" } else { "*" };
    format!(
        "{OURS}{}{any}.*}}{}:{}*",
        escaped(&unbraced(namespace_of(prefix))),
        kind.letter(),
        escaped(prefix)
    )
}

/// `text` as a pattern that matches nothing else.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

/// The slot of a key on a cluster: by what stands in its first braces, if anything does.
pub(crate) fn slot_of(key: &str) -> u16 {
    let inner = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let hashed = match inner {
        Some((inner, _)) if !inner.is_empty() => inner,
        _ => key,
    };
    crc16(hashed.as_bytes()) % 16_384
}

/// CRC-16/XMODEM, which Redis Cluster hashes with.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (crc << 8) ^ CRC[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

/// What each byte does to the sum.
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < table.len() {
        let mut crc = (at as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot_of("foo{hash_tag}"), slot_of("hash_tag"));
        assert_eq!(slot_of("foo{}{bar}"), crc16(b"foo{}{bar}") % 16_384);
        assert_eq!(slot_of("{user1000}.following"), 3443);
    }

    #[test]
    fn all_keys_of_a_name_lie_in_one_slot() {
        for name in ["shop:f::1", "", "no colon", "a}b:c", "{x}:y", "}:a", "ä:b"] {
            for layout in [Layout::ONE, Layout::SPREAD] {
                let keys = layout.keys(name);
                assert_eq!(slot_of(&keys.entry), keys.slot, "{name}");
                assert_eq!(slot_of(&keys.lease), keys.slot, "{name}");
                assert_eq!(slot_of(&staging(&keys.entry, 7)), keys.slot, "{name}");
            }
        }
    }

    #[test]
    fn a_name_is_found_in_its_key_and_in_no_other() {
        for name in [
            "shop:f::1",
            "",
            "no colon",
            "a}e:c",
            "a.0}e:x",
            "{x}:y",
            "}:",
            ":",
            "ä:b",
        ] {
            let keys = Layout::SPREAD.keys(name);
            assert_eq!(name_in(keys.entry.as_bytes(), Kind::Entry), Some(name));
            assert_eq!(name_in(keys.lease.as_bytes(), Kind::Lease), Some(name));
            assert_eq!(name_in(keys.lease.as_bytes(), Kind::Entry), None);
        }
        for foreign in [
            "ew{shop.0}e:other:f",
            "session:7",
            "ew{shop.0}e",
            "ew{a.zz}e:a",
        ] {
            assert_eq!(name_in(foreign.as_bytes(), Kind::Entry), None, "{foreign}");
        }
    }
}
