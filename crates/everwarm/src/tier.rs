//! A store behind the memory of a cache, as its user describes it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::store::{Failure, Store};
use everwarm_engine::Ticker;
use everwarm_engine::stack::{self, Write};
use everwarm_layers::{Wishes, Wrapped};
use everwarm_tiers::schemes;

use crate::builder::install;

/// A store behind the memory of a cache: a URL or a store of your own, with what counts for it here. A URL alone, and an
/// `Arc<dyn Store>`, are such tiers with everything left to the kind of the store.
///
/// ```
/// use everwarm::{Cache, Tier, duration::{hours, millis}};
///
/// # let directory = std::env::temp_dir().join(format!("everwarm-tier-{}", std::process::id()));
/// # let url = format!("file://{}", directory.display());
/// # #[cfg(feature = "file")] {
/// let tier = Tier::new(url).ttl(hours(1)).timeout(millis(200));
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

    /// How long an operation may take; unless said otherwise what its kind usually takes, learnt as it goes.
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

    /// The tier at work.
    pub(crate) fn open(self, ticker: &Ticker) -> Result<stack::Tier, Error> {
        let store = match self.origin {
            Origin::Store(store) => store,
            Origin::Url(url) => {
                schemes::check(&url, install)?;
                schemes::open(&url, install).map_err(|failure| told(&failure))?
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

fn told(failure: &Failure) -> Error {
    Error::new(ErrorKind::Unsupported, failure.message(), failure.hint())
}
