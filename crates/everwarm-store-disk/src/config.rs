//! What a disk store is told: where, how much, and what it must survive.

use std::path::{Path, PathBuf};

use everwarm_core::error::Error;
use everwarm_core::size;
use everwarm_core::store::Durability;

const OPTIONS: [&str; 3] = ["max_bytes", "max_entries", "durability"];

/// The least that `max_bytes` may be: one index and a few segments.
const LEAST_BYTES: u64 = 4 << 20;

/// Where a store lies, its bounds over all processes, and what an acknowledged set survives.
///
/// All processes on one directory should say the same.
///
/// ```
/// use everwarm_store_disk::Config;
///
/// let config = Config::from_url("disk:///var/cache/shop?max_bytes=64MiB&max_entries=5000")?;
/// assert_eq!(config.directory.to_str(), Some("/var/cache/shop"));
/// assert_eq!(config.max_bytes, 64 << 20);
/// let error = Config::from_url("disk:///tmp/x?max_byte=1GB").unwrap_err();
/// assert!(error.hint().contains("max_bytes"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The directory; it is made if it is not there.
    pub directory: PathBuf,
    /// Bytes that all files together may take: 1 GiB by default, 4 MiB at least.
    pub max_bytes: u64,
    /// Entries that there may be: a million by default.
    pub max_entries: u64,
    /// What an acknowledged set survives: the end of any process by default, or the loss of power.
    pub durability: Durability,
}

impl Config {
    /// A store in this directory, otherwise with the defaults.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            max_bytes: 1 << 30,
            max_entries: 1_000_000,
            durability: Durability::Process,
        }
    }

    /// What a URL says: `disk:` for the user's cache directory, `disk:///dir` for another.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("disk:").ok_or_else(|| {
            Error::config(
                format!("{:?} is no URL of a disk store", excerpt(url)),
                "write \"disk:\" or \"disk:///dir\"",
            )
        })?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut config = Self::new(directory_of(place)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
            config.take(option, &decoded(text)?)?;
        }
        config.checked()
    }

    fn take(&mut self, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "max_bytes" => {
                self.max_bytes = match text.parse() {
                    Ok(bytes) => bytes,
                    Err(_) => size::parse(text)?.get(),
                }
            }
            "max_entries" => {
                self.max_entries = text.parse().map_err(|_| {
                    Error::config(
                        format!("max_entries={:?} is no number", excerpt(text)),
                        "write a number such as max_entries=100000",
                    )
                })?;
            }
            "durability" => {
                self.durability = match text {
                    "process" => Durability::Process,
                    "power" => Durability::Power,
                    _ => {
                        return Err(Error::config(
                            format!("there is no durability {:?}", excerpt(text)),
                            "write durability=process or durability=power",
                        ));
                    }
                }
            }
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }

    /// The same, if its bounds can be kept.
    ///
    /// # Errors
    /// `Config`, with a hint, if they are too narrow.
    pub fn checked(self) -> Result<Self, Error> {
        if self.max_bytes < LEAST_BYTES {
            return Err(Error::config(
                format!("max_bytes={} is too small for a disk store", self.max_bytes),
                "give it 4MiB at least",
            ));
        }
        if self.max_entries == 0 {
            return Err(Error::config(
                "max_entries=0 leaves no room for an entry",
                "give it 1 at least",
            ));
        }
        if self.durability == Durability::None {
            return Err(Error::config(
                "a disk store without durability is none",
                "take memory instead, or Durability::Process",
            ));
        }
        Ok(self)
    }

    /// The bytes of one segment of the log: small enough that giving up one is a small part of the bound.
    pub(crate) fn segment(&self) -> u64 {
        let wanted = (self.max_bytes / 64).clamp(128 << 10, 16 << 20);
        1 << wanted.ilog2()
    }
}

fn directory_of(place: &str) -> Result<PathBuf, Error> {
    if place.is_empty() {
        return user_cache();
    }
    match place.strip_prefix("//") {
        Some(path) if path.starts_with('/') => decoded(path).map(PathBuf::from),
        _ => Err(Error::config(
            format!("{:?} is no place of a disk store", excerpt(place)),
            "write \"disk:\", or an absolute path with three slashes: \"disk:///dir\"",
        )),
    }
}

/// The per-user cache directory, as the platform has it.
fn user_cache() -> Result<PathBuf, Error> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let usable = |path: &PathBuf| path.is_absolute();
    let base = set("XDG_CACHE_HOME").filter(usable).or_else(|| {
        let below = if cfg!(target_os = "macos") {
            Path::new("Library/Caches")
        } else {
            Path::new(".cache")
        };
        set("HOME").filter(usable).map(|home| home.join(below))
    });
    base.map(|base| base.join("everwarm")).ok_or_else(|| {
        Error::config(
            "this user has no cache directory: neither XDG_CACHE_HOME nor HOME is set",
            "name a directory: \"disk:///dir\"",
        )
    })
}

/// `%41` as `A`, as URLs write what they may not contain.
fn decoded(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err(undecodable(text)),
        }
    }
    match String::from_utf8(bytes) {
        Ok(decoded) if !decoded.contains('\0') => Ok(decoded),
        _ => Err(undecodable(text)),
    }
}

/// `text` as far as a message repeats it: nothing that may be a user's password, which an `@` ends.
fn excerpt(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}").chars().take(40).collect(),
        None => text.chars().take(40).collect(),
    }
}

fn undecodable(text: &str) -> Error {
    Error::config(
        format!("{:?} cannot be read as part of a URL", excerpt(text)),
        "write a percent sign as %25, and UTF-8",
    )
}
