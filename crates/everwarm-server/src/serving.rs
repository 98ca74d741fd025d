//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, Store};
use everwarm_store_http::Token;
use everwarm_store_http::contract::{LEASE, LONGEST_NAME, TTL, decoded, number, span};
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HeaderMap};
use tokio::sync::Semaphore;

use crate::news::News;
use crate::reply::Refusal;
use crate::routes::Verb;

/// The store, and what goes with it.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) news: News,
    /// This run of the server, as a number in hexadecimal.
    pub(crate) run: String,
    pub(crate) tokens: Vec<Token>,
    pub(crate) max_body: u64,
    /// How long a body may take to come.
    pub(crate) patience: Duration,
    /// Room for bodies that are read at once, in KiB.
    pub(crate) room: Semaphore,
}

impl Serving {
    /// A facet of the store.
    ///
    /// # Errors
    /// A refusal, if it has none.
    pub(crate) fn facet<'s, F: ?Sized>(
        &'s self,
        name: &str,
        facet: impl FnOnce(&'s dyn Store) -> Option<&'s F>,
    ) -> Result<&'s F, Refusal> {
        facet(&*self.store).ok_or_else(|| Refusal::incapable(name))
    }
}

/// A request, once it was let in and read.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) verb: Verb,
    /// The name of what it is about.
    pub(crate) name: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whose it is.
    pub(crate) client: u64,
}

impl Ask {
    /// A header as a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A header that has to be what `read` takes, where there is one.
    ///
    /// # Errors
    /// A refusal, if it is something else.
    pub(crate) fn said<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        if !self.headers.contains_key(name) {
            return Ok(None);
        }
        let said = self.header(name).and_then(read);
        said.map(Some)
            .ok_or_else(|| Refusal::malformed(&format!("the header {name} is none")))
    }

    /// How long something is kept: as our header says, else as `Cache-Control` does.
    ///
    /// # Errors
    /// A refusal, if it is no span.
    pub(crate) fn ttl(&self) -> Result<Option<Duration>, Refusal> {
        if let Some(ttl) = self.said(TTL, span)? {
            return Ok(Some(ttl));
        }
        let control = self.header(CACHE_CONTROL.as_str()).unwrap_or_default();
        let mut ages = control
            .split(',')
            .filter_map(|part| part.trim().strip_prefix("max-age="));
        match ages.next() {
            None => Ok(None),
            Some(age) => span(age)
                .map(Some)
                .ok_or_else(|| Refusal::malformed("the max-age of Cache-Control is none")),
        }
    }

    /// How long a lease lasts, or is asked for.
    ///
    /// # Errors
    /// A refusal, if that is not said.
    pub(crate) fn span(&self) -> Result<Duration, Refusal> {
        self.ttl()?.ok_or_else(|| {
            Refusal::malformed("it is not said for how long: everwarm-ttl is missing")
        })
    }

    /// The token of a lease, if there is one.
    ///
    /// # Errors
    /// A refusal, if it is no number but 0.
    pub(crate) fn lease(&self) -> Result<Option<u64>, Refusal> {
        self.said(LEASE, |text| number(text).filter(|&token| token != 0))
    }

    /// The token of the lease that this is about.
    ///
    /// # Errors
    /// A refusal, if there is none.
    pub(crate) fn token(&self) -> Result<u64, Refusal> {
        self.lease()?
            .ok_or_else(|| Refusal::malformed("the lease has no token: everwarm-lease is missing"))
    }

    /// What a query says, decoded.
    ///
    /// # Errors
    /// A refusal, if it cannot be decoded.
    pub(crate) fn queried(&self, name: &str) -> Result<Option<String>, Refusal> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let Some((_, text)) = pairs.find(|(other, _)| *other == name) else {
            return Ok(None);
        };
        let text = decoded(text).map(Some);
        text.ok_or_else(|| Refusal::malformed(&format!("{name}= cannot be decoded")))
    }

    /// What a query says, as `read` takes it.
    ///
    /// # Errors
    /// A refusal, if it is something else.
    pub(crate) fn queried_as<T>(
        &self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.queried(name)? else {
            return Ok(None);
        };
        let said = read(&text).map(Some);
        said.ok_or_else(|| Refusal::malformed(&format!("{name}= cannot be understood")))
    }
}

/// Refuses a name that is too long.
///
/// # Errors
/// A refusal.
pub(crate) fn check(name: &str) -> Result<(), Refusal> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    let kind = everwarm_core::store::FailureKind::Capacity;
    let hint = format!("use names of {LONGEST_NAME} bytes at most");
    Err(Refusal::new(414, kind, "a name is too long", &hint))
}

/// What a store said to a write is passed on; it is told of whatever that was, since it may have been done.
pub(crate) fn told<T>(outcome: Result<T, Failure>, tell: impl FnOnce()) -> Result<T, Refusal> {
    tell();
    Ok(outcome?)
}
