//! Names as keys of objects, and back.
//!
//! Every service takes letters, digits and a few signs as they are; each other byte is a dot and two digits. Each byte becomes the same
//! characters wherever it stands, so what begins a name begins its key. A key is never longer than what all services take.

/// Bytes of a name: three times as many, a prefix, and what is ours are within 1,024.
pub(crate) const LONGEST: usize = 250;
/// Bytes of a prefix of the user's.
pub(crate) const LONGEST_PREFIX: usize = 200;

/// In the place of no byte at all, since a key does not end with a slash.
const NOTHING: &str = ".-";

/// Where the objects of a store lie.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// The user's prefix, with a slash behind it if there is one.
    root: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        let slash = if prefix.is_empty() { "" } else { "/" };
        Self {
            root: format!("{prefix}{slash}"),
        }
    }

    /// The key of an entry.
    pub(crate) fn entry(&self, name: &str) -> String {
        let end = if name.is_empty() { NOTHING } else { "" };
        self.entries(name) + end
    }

    /// What the keys of all entries begin with whose names begin so.
    pub(crate) fn entries(&self, prefix: &str) -> String {
        format!("{}e/{}", self.root, escaped(prefix.as_bytes()))
    }

    /// The name of the entry of a key; `None` for a key that is none of ours.
    pub(crate) fn name(&self, key: &str) -> Option<String> {
        let text = key.strip_prefix(self.root.as_str())?.strip_prefix("e/")?;
        match text {
            NOTHING => Some(String::new()),
            text => unescaped(text),
        }
    }

    /// The key of the shard of a namespace.
    pub(crate) fn shard(&self, namespace: &str) -> String {
        format!("{}g/{}", self.root, escaped(namespace.as_bytes()))
    }

    /// The key of an object with which something is tried.
    pub(crate) fn trial(&self, number: u64) -> String {
        format!("{}p/{number:016x}", self.root)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_:!".contains(&byte)
}

fn escaped(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len() + 8);
    for &byte in bytes {
        if is_plain(byte) {
            text.push(char::from(byte));
        } else {
            text.push('.');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    text
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'.' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_name_back_and_begins_as_it_does() {
        let keys = Keys::new("shop/cache");
        for name in [
            "",
            "a:b",
            "..",
            "a/b",
            "é",
            "%41",
            "\u{10ffff}",
            "a\0b",
            "!lock",
        ] {
            let key = keys.entry(name);
            assert_eq!(keys.name(&key).as_deref(), Some(name));
            assert!(key.starts_with("shop/cache/e/"));
            assert!(
                key["shop/cache/e/".len()..]
                    .bytes()
                    .all(|byte| is_plain(byte) || byte == b'.')
            );
            let begins = keys.entries(name);
            assert!(keys.entry(&format!("{name}x")).starts_with(&begins));
            assert!(key.starts_with(&begins));
        }
        assert_eq!(keys.name("shop/cache/g/a"), None);
        assert_eq!(Keys::new("").entry("a"), "e/a");
    }

    #[test]
    fn the_longest_key_is_one_that_every_service_takes() {
        let keys = Keys::new(&"p".repeat(LONGEST_PREFIX));
        assert!(keys.entry(&"/".repeat(LONGEST)).len() <= 1_024);
    }
}
