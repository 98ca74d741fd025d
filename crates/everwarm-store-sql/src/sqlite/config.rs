//! What a store in a file of SQLite is told: where, how much, and what it must survive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use everwarm_core::duration;
use everwarm_core::error::Error;
use everwarm_core::size;
use everwarm_core::store::Durability;

const OPTIONS: [&str; 4] = ["table", "max_bytes", "synchronous", "busy_timeout"];

/// Bytes of the name of a table, with room for what is put behind it.
const LONGEST: usize = 48;
/// The least that `max_bytes` may be.
const LEAST_BYTES: u64 = 1 << 20;
/// The longest that a write may wait for others.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How surely what was acknowledged is on the medium: `PRAGMA synchronous`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// The system writes when it likes: a loss of power may damage the file.
    Off,
    /// The file stays sound. After a loss of power the store begins anew, empty, unless it had been closed.
    Normal,
    /// Each write is on the medium before it is acknowledged.
    Full,
}

impl Synchronous {
    /// The word of SQLite for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Normal => "normal",
            Self::Full => "full",
        }
    }

    /// What an acknowledged set survives.
    #[must_use]
    pub const fn durability(self) -> Durability {
        match self {
            Self::Off | Self::Normal => Durability::Process,
            Self::Full => Durability::Power,
        }
    }
}

/// Where a store lies, its bound over all processes, and what an acknowledged set survives.
///
/// All processes on one file should say the same.
///
/// ```
/// use everwarm_store_sql::sqlite::Config;
///
/// let config = Config::from_url("sqlite:///var/cache/shop.db?max_bytes=64MB&table=pages")?;
/// assert_eq!(config.path.to_str(), Some("/var/cache/shop.db"));
/// assert_eq!((config.max_bytes, config.table.as_str()), (64_000_000, "pages"));
/// let error = Config::from_url("sqlite:///tmp/x.db?max_byte=1GB").unwrap_err();
/// assert!(error.hint().contains("max_bytes"));
/// # Ok::<(), everwarm_core::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file; it is made if it is not there, with the directories above it.
    pub path: PathBuf,
    /// The table of the entries; the names of the others begin with it. `everwarm` by default.
    pub table: String,
    /// Bytes of the file's pages in use: 1 GiB by default. Beyond that the entries that were written first leave.
    pub max_bytes: u64,
    /// How surely what was acknowledged is on the medium: `Normal` by default.
    pub synchronous: Synchronous,
    /// How long a write waits for others before it fails: 250 ms by default.
    pub busy_timeout: Duration,
}

impl Config {
    /// The default table in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            table: "everwarm".to_owned(),
            max_bytes: 1 << 30,
            synchronous: Synchronous::Normal,
            busy_timeout: Duration::from_millis(250),
        }
    }

    /// What a URL says: `sqlite:///dir/file.db` from the root, or `sqlite://./file.db` from the working directory.
    ///
    /// # Errors
    /// `Config` or `UnknownOption`, with a hint, for what cannot be meant.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut config = Self::new(path_of(place)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (option, text) = pair.split_once('=').unwrap_or((pair, ""));
            config.take(option, &decoded(text)?)?;
        }
        config.checked()
    }

    fn take(&mut self, option: &str, text: &str) -> Result<(), Error> {
        match option {
            "table" => text.clone_into(&mut self.table),
            "max_bytes" => {
                self.max_bytes = match text.parse() {
                    Ok(bytes) => bytes,
                    Err(_) => size::parse(text)?.get(),
                }
            }
            "synchronous" => {
                let all = [Synchronous::Off, Synchronous::Normal, Synchronous::Full];
                let named = all.into_iter().find(|which| which.name() == text);
                self.synchronous = named.ok_or_else(|| {
                    Error::config(
                        format!("synchronous={:?} is not known", excerpt(text)),
                        "write synchronous=normal, synchronous=full or synchronous=off",
                    )
                })?;
            }
            "busy_timeout" => {
                self.busy_timeout = match text.parse::<f64>() {
                    Ok(seconds) => duration::from_seconds(seconds)?,
                    Err(_) => duration::parse(text)?,
                }
            }
            _ => return Err(Error::unknown_option(option, &OPTIONS)),
        }
        Ok(())
    }

    /// The same, if it can be kept.
    ///
    /// # Errors
    /// `Config`, with a hint, if it cannot.
    pub fn checked(self) -> Result<Self, Error> {
        if self.max_bytes < LEAST_BYTES {
            return Err(Error::config(
                format!("max_bytes={} is too small for a file", self.max_bytes),
                "give it 1MB at least: max_bytes=64MB",
            ));
        }
        let is_plain = |c: char| !c.is_control();
        let is_name = !self.table.is_empty() && self.table.len() <= LONGEST;
        if !is_name || !self.table.chars().all(is_plain) || self.table.starts_with("sqlite_") {
            return Err(Error::config(
                "table= is no name that SQLite takes",
                format!("write a name of 1 to {LONGEST} bytes that does not begin with sqlite_"),
            ));
        }
        if self.busy_timeout > LONGEST_WAIT {
            return Err(Error::config(
                "busy_timeout= is longer than anybody waits for a cache",
                "write a minute at most: busy_timeout=250ms",
            ));
        }
        Ok(self)
    }
}

fn path_of(place: &str) -> Result<PathBuf, Error> {
    let refused = |what: &str| {
        Error::config(
            format!("{:?} {what}", excerpt(place)),
            "write \"sqlite:///dir/cache.db\", or \"sqlite://./cache.db\" from the working directory",
        )
    };
    let Some(rest) = place.strip_prefix("sqlite:") else {
        return Err(refused("is no URL of a file of SQLite"));
    };
    if rest.contains(":memory:") {
        return Err(Error::config(
            "a database in memory is no store that others could share",
            "write \"memory://\" for the memory of this process",
        ));
    }
    let path = match rest.strip_prefix("//") {
        Some(path)
            if path.starts_with('/') || path.starts_with("./") || path.starts_with("../") =>
        {
            decoded(path)?
        }
        _ => return Err(refused("does not say which file")),
    };
    if path.ends_with('/') || Path::new(&path).file_name().is_none() {
        return Err(refused("is no file"));
    }
    // Where the process is by now: it may go elsewhere later.
    std::path::absolute(&path).map_err(|_| refused("cannot be found from the working directory"))
}

/// `%41` as `A`, as URLs write what they may not contain.
fn decoded(text: &str) -> Result<String, Error> {
    everwarm_network::url::decoded(text)
}

/// `text` as far as a message repeats it: nothing that may be a user's password, which an `@` ends.
fn excerpt(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("***@{rest}").chars().take(60).collect(),
        None => text.chars().take(60).collect(),
    }
}
