//! A store behind the memory of a cache, as its user describes it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::store::{Failure, Store};
use everwarm_engine::Ticker;
use everwarm_engine::stack::{self, Role, Write};
use everwarm_layers::{Wishes, Wrapped};
use everwarm_tiers::{Awaited, is_lasting, schemes};

use crate::builder::install;

/// A store behind the memory of a cache: a URL or a store of your own, with what counts for it here. A URL alone, and an
/// `Arc<dyn Store>`, are such tiers with everything left to the kind of the store.
///
/// ```
/// use everwarm::{Cache, Tier, duration::hours};
///
/// # let directory = std::env::temp_dir().join(format!("everwarm-tier-{}", std::process::id()));
/// # let url = format!("file://{}", directory.display());
/// # #[cfg(feature = "file")] {
/// let tier = Tier::new(url).ttl(hours(1)).write_behind();
/// let users: Cache<u64, String> = Cache::builder("users").store(tier).build()?;
/// assert_eq!(users.get_or_compute(&7, || "Ada".to_owned()), "Ada");
/// # }
/// # Ok::<(), everwarm::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing until a cache is built with it"]
pub struct Tier {
    origin: Origin,
    ttl: Option<Duration>,
    write: Write,
    wishes: Wishes,
    beside: Option<(Box<Self>, Role)>,
}

/// Where a cache is on its way from an old store to a new one. Before the first step it has the old store alone, and after the last one the
/// new store; processes of two neighbouring steps may run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The old store is used, and the new one hears of all changes.
    Prepare,
    /// The new store is used. What it does not have and the old one has is brought over when it is read. Both hear of changes.
    Move,
    /// The new store is used, and the old one hears of changes.
    Finish,
}

#[derive(Clone, Debug)]
enum Origin {
    Url(String),
    Store(Arc<dyn Store>),
}

impl From<Origin> for Tier {
    fn from(origin: Origin) -> Self {
        Self {
            origin,
            ttl: None,
            write: Write::Through,
            wishes: Wishes::default(),
            beside: None,
        }
    }
}

impl From<&str> for Tier {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

impl From<String> for Tier {
    fn from(url: String) -> Self {
        Origin::Url(url).into()
    }
}

impl From<Arc<dyn Store>> for Tier {
    fn from(store: Arc<dyn Store>) -> Self {
        Origin::Store(store).into()
    }
}

impl Tier {
    /// The tier of a URL, or of a store.
    pub fn new(store: impl Into<Self>) -> Self {
        store.into()
    }

    /// An old store and a new one, as the last tier of a cache that moves from one to the other and is never cold: none of its processes
    /// is given what another one has deleted, set or invalidated.
    ///
    /// ```
    /// use everwarm::{Cache, Step, Tier};
    ///
    /// # let directory = std::env::temp_dir().join(format!("everwarm-moving-{}", std::process::id()));
    /// # let [old, new] = ["old", "new"].map(|name| format!("file://{}/{name}", directory.display()));
    /// # #[cfg(feature = "file")] {
    /// let before: Cache<u64, String> = Cache::builder("users").store(old.as_str()).build()?;
    /// before.set(7, "Ada".to_owned());
    /// let tier = Tier::moving(old, new, Step::Move);
    /// let moving: Cache<u64, String> = Cache::builder("users").store(tier).build()?;
    /// assert_eq!(moving.get(&7).as_deref(), Some("Ada"));
    /// # }
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn moving(old: impl Into<Self>, new: impl Into<Self>, step: Step) -> Self {
        let (old, new) = (old.into(), new.into());
        let (used, beside, role) = match step {
            Step::Prepare => (old, new, Role::New),
            Step::Move => (new, old, Role::Old { reads: true }),
            Step::Finish => (new, old, Role::Old { reads: false }),
        };
        Self {
            beside: Some((Box::new(beside), role)),
            ..used
        }
    }

    /// The longest that an entry stays in it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// What was computed is written later, by another thread; it is lost if the process is killed before.
    pub fn write_behind(mut self) -> Self {
        self.write = Write::Behind;
        self
    }

    /// What was computed is not written here; reads that a farther tier answers fill it.
    pub fn write_around(mut self) -> Self {
        self.write = Write::Around;
        self
    }

    /// How long an operation of a store behind a connection may take; unless said otherwise what its kind usually takes, learnt as it
    /// goes. The client itself waits for as long, whatever the URL says. [`build`](crate::Builder::build) refuses it for stores that
    /// answer on the thread that asks, which nothing can end.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.wishes.deadline = Some(timeout);
        self
    }

    /// Whether it is left alone for a while when it fails or is slow too often; stores behind a connection are.
    pub fn breaker(mut self, is_on: bool) -> Self {
        self.wishes.breaker = Some(is_on);
        self
    }

    /// Whether a read that failed is done once more; it is at stores behind a connection.
    pub fn retry(mut self, is_on: bool) -> Self {
        self.wishes.retry = Some(is_on);
        self
    }

    /// How many operations there are at once; 64 at stores behind a connection. None: as many as are asked for.
    pub fn bulkhead(mut self, at_once: Option<usize>) -> Self {
        self.wishes.bulkhead = Some(at_once);
        self
    }

    /// The store beside it, while a cache moves.
    pub(crate) fn take_beside(&mut self) -> Option<(Self, Role)> {
        self.beside.take().map(|(tier, role)| (*tier, role))
    }

    /// The tier at work. One whose store cannot be opened now, and may be later, is as one that is down until then.
    pub(crate) fn open(self, ticker: &Ticker) -> Result<stack::Tier, Error> {
        self.open_or(later, ticker)
    }

    /// The tier beside the others: a cache that moves does not go on without.
    pub(crate) fn open_beside(self, ticker: &Ticker) -> Result<stack::Tier, Error> {
        self.open_or(|_, failure| Err(told(failure)), ticker)
    }

    fn open_or(
        self,
        unopened: impl FnOnce(&str, &Failure) -> Result<Arc<dyn Store>, Error>,
        ticker: &Ticker,
    ) -> Result<stack::Tier, Error> {
        let store = match self.origin {
            Origin::Store(store) => store,
            Origin::Url(mut url) => {
                if let Some(limit) = self.wishes.deadline {
                    url = in_time(&url, limit)?;
                }
                schemes::check(&url, install)?;
                schemes::open(&url, install).or_else(|failure| unopened(&url, &failure))?
            }
        };
        let Wrapped { store, .. } = everwarm_tiers::around(store, &self.wishes, ticker);
        Ok(stack::Tier {
            label: store.info().kind.into(),
            store,
            ttl: self.ttl,
            write: self.write,
        })
    }
}

/// What stands for a store that cannot be opened now, unless that never passes by itself.
fn later(url: &str, failure: &Failure) -> Result<Arc<dyn Store>, Error> {
    let again = url.to_owned();
    let awaited = Awaited::new(url, failure.clone(), move || schemes::open(&again, install));
    match awaited {
        Some(awaited) if !is_lasting(failure) => Ok(Arc::new(awaited)),
        _ => Err(told(failure)),
    }
}

/// The URL with this time limit in the place of its own.
fn in_time(url: &str, limit: Duration) -> Result<String, Error> {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    if ["disk", "file", "sqlite"].contains(&scheme) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{scheme}: has no time limit: it answers on the thread that asks, which nothing can end"
            ),
            "leave `timeout` out",
        ));
    }
    let (place, options) = url.split_once('?').unwrap_or((url, ""));
    let others = options.split('&').filter(|option| !option.is_empty());
    let others = others.filter(|option| !option.starts_with("timeout="));
    let mut options: Vec<_> = others.map(str::to_owned).collect();
    options.push(format!("timeout={:.6}s", limit.as_secs_f64()));
    Ok(format!("{place}?{}", options.join("&")))
}

fn told(failure: &Failure) -> Error {
    Error::new(ErrorKind::Unsupported, failure.message(), failure.hint())
}

#[cfg(test)]
mod tests {
    use everwarm_core::store::FailureKind;

    use super::*;

    #[test]
    fn a_limit_takes_the_place_of_that_of_the_url() {
        let limit = Duration::from_millis(200);
        for (url, expected) in [
            ("redis://host/0", "redis://host/0?timeout=0.200000s"),
            (
                "redis://host?timeout=5s&tracking=off",
                "redis://host?tracking=off&timeout=0.200000s",
            ),
            (
                "mysql://host/db?connect_timeout=5s",
                "mysql://host/db?connect_timeout=5s&timeout=0.200000s",
            ),
        ] {
            assert_eq!(in_time(url, limit).expect("a limit"), expected);
        }
        let refused = in_time("disk:///cache", limit).expect_err("it cannot be ended");
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
    }
    #[test]
    fn only_what_passes_by_itself_is_awaited() {
        let failed = |kind| Failure::new(kind, "somebody has it", "wait");
        let awaited = later("sqlite:///cache.db", &failed(FailureKind::Transient));
        assert_eq!(awaited.expect("one that is down").info().kind, "sqlite");
        let refused = later("sqlite:///cache.db", &failed(FailureKind::Permanent));
        assert_eq!(refused.expect_err("it stays").hint(), "wait");
    }
}
