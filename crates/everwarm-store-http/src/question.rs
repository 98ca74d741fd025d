//! What a server is asked, and what it said.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use crate::contract::{FRAMES, LEASE, TTL, encoded, number, seconds, version};

/// What is asked: a method, a path behind that of the version, headers and a body.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
    /// How much longer it may take than others: the server holds it back for so long.
    pub(crate) patience: Duration,
}

impl Question {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            patience: Duration::ZERO,
        }
    }

    /// About the thing of a name.
    pub(crate) fn of(method: Method, things: &str, name: &str) -> Self {
        Self::new(method, format!("/{things}/{}", encoded(name)))
    }

    /// With a body in frames.
    pub(crate) fn framed(path: &str, body: Bytes) -> Self {
        let mut question = Self::new(Method::POST, path);
        question.body = body;
        question.with(CONTENT_TYPE.as_str(), FRAMES)
    }

    pub(crate) fn with(mut self, header: &'static str, text: impl Into<String>) -> Self {
        self.headers.push((header, text.into()));
        self
    }

    /// With a time to live, if there is one.
    pub(crate) fn ttl(self, ttl: Option<Duration>) -> Self {
        match ttl {
            Some(ttl) => self.with(TTL, seconds(ttl)),
            None => self,
        }
    }

    /// With the token of a lease.
    pub(crate) fn token(self, token: u64) -> Self {
        self.with(LEASE, format!("{token:x}"))
    }
}

/// What a server said: an answer of the contract that is no failure.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Said {
    /// A header as a text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The version in its entity tag.
    pub(crate) fn version(&self) -> Option<u64> {
        self.header("etag").and_then(version)
    }

    /// The number of which its body is the text.
    pub(crate) fn number<N: std::str::FromStr>(&self) -> Option<N> {
        std::str::from_utf8(&self.body)
            .ok()?
            .trim_end()
            .parse()
            .ok()
    }
}

/// The run of the server that an answer is of.
pub(crate) fn run(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(crate::contract::SERVER)?;
    value.to_str().ok().and_then(number)
}

/// A header of a request.
pub(crate) fn header(name: &'static str, text: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((
        HeaderName::from_static(name),
        HeaderValue::from_str(text).ok()?,
    ))
}
