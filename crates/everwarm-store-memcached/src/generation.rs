//! The numbers in the keys of a namespace, by which it is cleared without a list of its names.
//!
//! Each server has one item for each namespace: a random number, and behind it the prefixes that were cleared since, each with a number
//! of its own. A name's number is that of the last prefix cleared that it begins with, else the first: so a clear gives just the names
//! that begin with its prefix a number that nobody has used, and what lies under their old ones is never asked for again. A lost item is
//! replaced by one with other numbers: its entries are gone, and none comes back.

use everwarm_network::chance::number;

/// Prefixes that are remembered. One more, and the namespace is given another first number: all of it is gone.
pub(crate) const MOST: usize = 128;
const FIRST: usize = 8;
const EACH: usize = 2 + DIGEST + 8;
const DIGEST: usize = 16;

/// The numbers of a namespace on one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    first: u64,
    /// In the order in which they were cleared last.
    cleared: Vec<Cleared>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cleared {
    length: u16,
    digest: [u8; DIGEST],
    number: u64,
}

impl Generation {
    /// One that nobody has.
    pub(crate) fn fresh() -> Self {
        Self {
            first: number(),
            cleared: Vec::new(),
        }
    }

    /// The number of a name.
    pub(crate) fn of(&self, name: &str) -> u64 {
        let mut hashed = (u16::MAX, [0; DIGEST]);
        for cleared in self.cleared.iter().rev() {
            let Some(begin) = name.as_bytes().get(..cleared.length.into()) else {
                continue;
            };
            if hashed.0 != cleared.length {
                hashed = (cleared.length, digest(begin));
            }
            if hashed.1 == cleared.digest {
                return cleared.number;
            }
        }
        self.first
    }

    /// The numbers after a clear of a prefix of this namespace's names. Prefixes that begin with this one would never count again, but
    /// are told by their digests alone, and stay until the whole is cleared.
    pub(crate) fn after_clear(&self, space: &str, prefix: &str) -> Self {
        if prefix.len() <= space.len() {
            return Self::fresh();
        }
        let new = Cleared {
            length: u16::try_from(prefix.len()).unwrap_or(u16::MAX),
            digest: digest(prefix.as_bytes()),
            number: number(),
        };
        let mut next = self.clone();
        next.cleared
            .retain(|old| (old.length, old.digest) != (new.length, new.digest));
        if next.cleared.len() >= MOST {
            return Self::fresh();
        }
        next.cleared.push(new);
        next
    }

    /// As it lies on the server.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIRST + self.cleared.len() * EACH);
        bytes.extend(self.first.to_le_bytes());
        for cleared in &self.cleared {
            bytes.extend(cleared.length.to_le_bytes());
            bytes.extend(cleared.digest);
            bytes.extend(cleared.number.to_le_bytes());
        }
        bytes
    }

    /// What lies on the server; None if it is something else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, rest) = bytes.split_first_chunk()?;
        let each = rest.chunks_exact(EACH);
        if !each.remainder().is_empty() || each.len() > MOST {
            return None;
        }
        let cleared = each.map(|one| {
            let (length, rest) = one.split_first_chunk()?;
            let (digest, number) = rest.split_first_chunk()?;
            Some(Cleared {
                length: u16::from_le_bytes(*length),
                digest: *digest,
                number: u64::from_le_bytes(number.try_into().ok()?),
            })
        });
        Some(Self {
            first: u64::from_le_bytes(*first),
            cleared: cleared.collect::<Option<_>>()?,
        })
    }
}

fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    let hash = blake3::hash(bytes);
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&hash.as_bytes()[..DIGEST]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: &str = "s:";
    const NAMES: [&str; 7] = ["s:", "s:a", "s:ab", "s:abc", "s:b", "s:ba", "s:c"];

    fn numbers(generation: &Generation) -> [u64; 7] {
        NAMES.map(|name| generation.of(name))
    }

    #[test]
    fn a_clear_gives_its_names_new_numbers_and_leaves_others_theirs() {
        let mut generation = Generation::fresh();
        let mut seen = std::collections::HashSet::new();
        for prefix in [
            "s:ab", "s:a", "s:abc", "s:b", "s:ab", "s:", "s:c", "s:c", "s:none", "s:a",
        ] {
            let before = numbers(&generation);
            seen.extend(before);
            generation = generation.after_clear(SPACE, prefix);
            for ((name, before), after) in NAMES.iter().zip(before).zip(numbers(&generation)) {
                let is_new = !seen.contains(&after);
                assert_eq!(
                    name.starts_with(prefix),
                    is_new,
                    "{name} when {prefix} was cleared"
                );
                assert!(is_new || before == after);
            }
        }
    }

    #[test]
    fn it_lies_on_the_server_as_it_is() {
        let mut generation = Generation::fresh();
        for n in 0..MOST {
            assert_eq!(
                Generation::decode(&generation.encode()),
                Some(generation.clone())
            );
            generation = generation.after_clear(SPACE, &format!("s:{n}:"));
        }
        assert!(Generation::decode(&generation.encode()[1..]).is_none());
        assert!(Generation::decode(b"").is_none());
    }

    #[test]
    fn one_prefix_too_many_is_a_clear_of_all() {
        let mut generation = Generation::fresh();
        for n in 0..MOST {
            generation = generation.after_clear(SPACE, &format!("s:{n}:"));
            assert_eq!(generation.of("s:x"), generation.first);
        }
        let before = generation.clone();
        generation = generation.after_clear(SPACE, "s:more:");
        assert!(generation.cleared.is_empty());
        assert_ne!(generation.of("s:x"), before.of("s:x"));
    }
}
