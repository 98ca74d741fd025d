//! What is answered, and what is refused.

use everwarm_core::store::{Failure, FailureKind};
use everwarm_store_http::contract::{FAILURE, FRAMES, status_of};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// An answer.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Why something is not done.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    failure: Failure,
    header: Option<(HeaderName, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: FailureKind, message: &str, hint: &str) -> Self {
        Self {
            status,
            failure: Failure::new(kind, message, hint),
            header: None,
        }
    }

    /// Something that cannot be understood.
    pub(crate) fn malformed(what: &str) -> Self {
        let hint = "docs/reference/http.md says what a request has";
        Self::new(400, FailureKind::Permanent, what, hint)
    }

    /// Something that this store cannot do.
    pub(crate) fn incapable(facet: &str) -> Self {
        Failure::new(
            FailureKind::Capability,
            format!("the store behind this server has no {facet}"),
            "serve a store that has, or leave it out",
        )
        .into()
    }

    /// With a header.
    pub(crate) fn with(mut self, name: HeaderName, text: impl Into<String>) -> Self {
        self.header = Some((name, text.into()));
        self
    }

    /// The same as an answer.
    pub(crate) fn reply(self) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut reply = of(status, Bytes::from(format!("{}\n", self.failure)));
        let kind = HeaderValue::from_static(self.failure.kind.name());
        reply.headers_mut().insert(FAILURE, kind);
        plain(&mut reply);
        match self.header {
            Some((name, text)) => with(reply, name, &text),
            None => reply,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            status: status_of(failure.kind),
            failure,
            header: None,
        }
    }
}

/// An answer with a body.
pub(crate) fn of(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    reply
}

/// It was done.
pub(crate) fn done() -> Reply {
    of(StatusCode::NO_CONTENT, Bytes::new())
}

/// It was done, or there was nothing to do it to.
pub(crate) fn whether(was: bool) -> Reply {
    match was {
        true => done(),
        false => of(StatusCode::NOT_FOUND, Bytes::new()),
    }
}

/// A text.
pub(crate) fn text(text: impl std::fmt::Display) -> Reply {
    let mut reply = of(StatusCode::OK, Bytes::from(format!("{text}\n")));
    plain(&mut reply);
    reply
}

/// Frames.
pub(crate) fn frames(body: Bytes) -> Reply {
    let mut reply = of(StatusCode::OK, body);
    let kind = HeaderValue::from_static(FRAMES);
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// With a header more.
pub(crate) fn with(mut reply: Reply, name: HeaderName, text: &str) -> Reply {
    // Texts of ours are values of headers; another is left out.
    if let Ok(value) = HeaderValue::from_str(text) {
        reply.headers_mut().insert(name, value);
    }
    reply
}

fn plain(reply: &mut Reply) {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
}
