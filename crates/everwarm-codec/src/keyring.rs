//! Keyrings: the master key that seals, and those that only open what was sealed before.

use std::fmt;

use everwarm_core::error::Error;

use crate::master::MasterKey;

/// So many keys may only open.
pub const MOST_OLDER: usize = 8;

/// One primary key, and up to eight that only open. To rotate, give the new key to every process as one that only opens,
/// then make it the primary, then drop the old one once what it sealed has expired.
#[derive(Clone)]
pub struct Keyring {
    keys: Vec<MasterKey>,
}

impl Keyring {
    /// The keyring whose `primary` seals; the others only open.
    ///
    /// # Errors
    /// If two keys have the same number, or there are more than nine.
    pub fn new(
        primary: MasterKey,
        others: impl IntoIterator<Item = MasterKey>,
    ) -> Result<Self, Error> {
        let mut keys = vec![primary];
        for key in others {
            if keys.iter().any(|there| there.id() == key.id()) {
                return Err(Error::config(
                    format!("two encryption keys have the number {}", key.id()),
                    "leave one out if they are the same key, else give each a number of its own",
                ));
            }
            keys.push(key);
        }
        if keys.len() > 1 + MOST_OLDER {
            return Err(Error::config(
                format!("there are {} encryption keys", keys.len()),
                "one seals, and at most eight others open; drop those whose entries have expired",
            ));
        }
        Ok(Self { keys })
    }

    /// The keyring of a text such as a file's: one key on each line, the primary first, each after `number:` if it has a
    /// number of the user's. Empty lines and those that begin with `#` do not count.
    ///
    /// ```
    /// use everwarm_codec::keyring::Keyring;
    ///
    /// let text = "# since March\n2: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    /// let keyring = Keyring::parse(text)?;
    /// assert_eq!(keyring.primary().id(), 2);
    /// # Ok::<(), everwarm_core::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a line is no key, there is none, or as [`Keyring::new`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            keys.push(parse_line(line).map_err(|error| {
                Error::config(
                    format!("line {} of the keyring: {}", at + 1, error.message()),
                    error.hint(),
                )
            })?);
        }
        let mut keys = keys.into_iter();
        let primary = keys.next().ok_or_else(|| {
            Error::config(
                "the keyring is empty",
                "write one key on each line, the one that seals first",
            )
        })?;
        Self::new(primary, keys)
    }

    /// The key that seals.
    #[must_use]
    pub fn primary(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// The key of that number.
    #[must_use]
    pub fn find(&self, id: u32) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id() == id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.keys).finish()
    }
}

fn parse_line(line: &str) -> Result<MasterKey, Error> {
    let Some((number, key)) = line.split_once(':') else {
        return MasterKey::parse(line);
    };
    let number = number.trim().parse().map_err(|_| {
        Error::config(
            "what stands before the colon is no number",
            "write `number: key`, with a number from 1 to 4294967295, or the key alone",
        )
    })?;
    MasterKey::parse(key)?.numbered(number)
}
