//! What a file store is told: where it is, how much it may hold, what a set survives.

use std::path::PathBuf;

use everwarm_core::error::Error;
use everwarm_core::size;
use everwarm_core::store::Durability;

/// The options in the query of a URL.
const OPTIONS: [&str; 3] = ["max_bytes", "max_entries", "durability"];

/// Where a file store is, and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The directory; it is made if it is not there.
    pub directory: PathBuf,
    /// What the files of entries have together at most; 1 GiB.
    pub max_bytes: u64,
    /// Entries at most; 100,000.
    pub max_entries: u64,
    /// What an acknowledged set survives: [`Durability::Process`], or [`Durability::Power`] at the price of a write to the
    /// medium for each.
    pub durability: Durability,
}

impl Config {
    /// This directory, with the bounds that hold unless others are given.
    #[must_use]
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_bytes: 1 << 30,
            max_entries: 100_000,
            durability: Durability::Process,
        }
    }

    /// What a URL says: `file:///dir?max_bytes=100MB&max_entries=1000&durability=power`.
    ///
    /// # Errors
    /// If it is no URL of a directory, or has an option that does not exist or cannot be meant.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = path
            .strip_prefix("file://")
            .filter(|path| path.starts_with('/'));
        let Some(directory) = path.and_then(decoded) else {
            return Err(Error::config(
                "a file: URL names no directory",
                "write it with three slashes: `file:///var/cache/shop`",
            ));
        };
        let mut config = Self::in_directory(directory);
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            config.take(name, &decoded(value).unwrap_or_default())?;
        }
        Ok(config)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "max_bytes" => self.max_bytes = size::parse(value)?.get(),
            "max_entries" => {
                self.max_entries = value.parse().map_err(|_| {
                    Error::config(
                        "max_entries of a file: URL is no number",
                        "write `max_entries=1000`",
                    )
                })?;
            }
            "durability" => {
                self.durability = match value {
                    "process" => Durability::Process,
                    "power" => Durability::Power,
                    _ => {
                        return Err(Error::config(
                            "a file: store has no such durability",
                            "write `durability=process` or `durability=power`",
                        ));
                    }
                };
            }
            _ => return Err(Error::unknown_option(name, &OPTIONS)),
        }
        if self.max_bytes == 0 || self.max_entries == 0 {
            return Err(Error::config(
                format!("{name} of a file: URL is 0, so that nothing could be kept"),
                "give a larger one, or leave it out",
            ));
        }
        Ok(())
    }
}

/// The text of a percent-encoded part of a URL, if it is one.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
