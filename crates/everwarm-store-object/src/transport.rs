//! How requests travel: object_store says what is asked, and this brings it there by HTTP/1.1.
//!
//! A request has a connection for itself, which is used again once the answer is there, whole. One that is abandoned, or that fails,
//! ends its connection: what comes on it late is nobody's answer. An answer is read in one piece up to a limit. Nothing is asked twice
//! but what a connection that had rested did not take; who waits for it has time limits and retries of their own.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use everwarm_core::store::{Failure, FailureKind};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_LENGTH, DATE, HOST, HeaderMap, HeaderValue, IF_MATCH, USER_AGENT};
use hyper::{Method, Response, Uri};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::clock::Clock;
use crate::error::{Refusal, lost, nobody, not_connected, too_large, unreachable};

/// A connection that was not used for so long is not used again: services end those that rest.
const REST: Duration = Duration::from_secs(4);
/// What an answer may have beside a value.
const BESIDE: u64 = 1 << 20;
/// Bytes that the head of an answer may have.
const HEAD: usize = 64 << 10;
/// Where machines of the clouds are given credentials. They are asked on others as well, where nobody answers; whoever else gives some is
/// asked because somebody has named him.
const MACHINES: [&str; 2] = ["169.254.169.254", "metadata"];

type Line = SendRequest<HttpRequestBody>;

/// What a request is asked under, and what became of it, beside what object_store knows of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    /// Deletes only what is of this write.
    pub(crate) only_if: Option<Only>,
    /// What became of it.
    pub(crate) came: Arc<Mutex<Came>>,
}

/// What became of a call that did not succeed.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// What stood in the way, in our words.
    pub(crate) failure: Option<Failure>,
    /// What the service refused last.
    pub(crate) refusal: Option<Refusal>,
}

/// Which write of an object is meant, in the words of a service.
#[derive(Clone, Debug)]
pub(crate) enum Only {
    Tag(String),
    Generation(String),
}

tokio::task_local! {
    /// The call that this task is in the midst of.
    pub(crate) static CALL: Call;
}

/// The connections of one process.
#[derive(Debug)]
pub(crate) struct Transport {
    rests: Mutex<HashMap<Place, Vec<(Line, Instant)>>>,
    places: Semaphore,
    tls: Arc<ClientConfig>,
    limit: Duration,
    most: u64,
    clock: Arc<Clock>,
    givers: Givers,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    is_encrypted: bool,
    host: String,
    port: u16,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

impl Place {
    fn of(uri: &Uri) -> Option<Self> {
        let is_encrypted = uri.scheme_str()? == "https";
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let port = uri
            .port_u16()
            .unwrap_or(if is_encrypted { 443 } else { 80 });
        Some(Self {
            is_encrypted,
            host,
            port,
        })
    }

    /// Whether machines are given credentials there.
    fn gives(&self) -> bool {
        MACHINES
            .iter()
            .any(|machine| self.host.starts_with(machine))
    }
}

/// What is known of who gives this machine credentials: whether he has ever answered.
#[derive(Debug, Default)]
struct Givers(AtomicBool);

impl Givers {
    fn answered(&self, place: &Place) {
        self.0.fetch_or(place.gives(), Ordering::Relaxed);
    }

    /// What it means that a place cannot be reached.
    fn meant(&self, place: &Place, failure: Failure) -> Failure {
        match place.gives() && !self.0.load(Ordering::Relaxed) {
            true => nobody(&place.host),
            false => failure,
        }
    }
}

impl Transport {
    pub(crate) fn new(
        tls: Arc<ClientConfig>,
        limit: Duration,
        connections: usize,
        most: u64,
        clock: Arc<Clock>,
    ) -> Self {
        Self {
            rests: Mutex::default(),
            places: Semaphore::new(connections),
            tls,
            limit,
            most: most + BESIDE,
            clock,
            givers: Givers::default(),
        }
    }

    /// Ends the connections that rest.
    pub(crate) fn leave(&self) {
        let rests = std::mem::take(&mut *self.rests.lock());
        drop(rests);
    }

    async fn asked(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let place = Place::of(request.uri()).ok_or_else(|| {
            Failure::new(
                FailureKind::Permanent,
                "the endpoint is no URL of a host",
                "write endpoint=https://host:port",
            )
        })?;
        let mut request = framed(request, &place);
        let _place = self
            .places
            .acquire()
            .await
            .map_err(|_| crate::error::closed())?;
        loop {
            let (mut line, is_used) = match self.rested(&place) {
                Some(line) => (line, true),
                None => (self.dialled(&place).await?, false),
            };
            if line.ready().await.is_err() && is_used {
                continue;
            }
            let sent = self.clock.moment();
            let answer = match line.try_send_request(request).await {
                Ok(answer) => answer,
                // It ended before anything was sent on it.
                Err(mut error) => match error.take_message().filter(|_| is_used) {
                    Some(unsent) => {
                        request = unsent;
                        continue;
                    }
                    None => return Err(lost(&place.to_string(), &error.into_error())),
                },
            };
            let date = answer.headers().get(DATE);
            if let Some(date) = date.and_then(|date| date.to_str().ok()) {
                self.clock.learn(date, sent);
            }
            let whole = self.whole(&place, answer).await?;
            self.givers.answered(&place);
            if !line.is_closed() {
                let mut rests = self.rests.lock();
                rests.entry(place).or_default().push((line, Instant::now()));
            }
            return Ok(whole);
        }
    }

    /// The answer, once all of it is there.
    async fn whole(
        &self,
        place: &Place,
        answer: Response<Incoming>,
    ) -> Result<HttpResponse, Failure> {
        let (head, body) = answer.into_parts();
        let least = body.size_hint().lower();
        if least > self.most {
            return Err(too_large(least, self.most));
        }
        let room = usize::try_from(self.most).unwrap_or(usize::MAX);
        let body = Limited::new(body, room).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => lost(&place.to_string(), &error),
            Err(_) => too_large(self.most + 1, self.most),
        })?;
        let body = body.to_bytes();
        if head.status.as_u16() >= 300 {
            let refusal = Some(Refusal {
                status: head.status.as_u16(),
                code: code(&head.headers, &body),
            });
            let _ = CALL.try_with(|call| call.came.lock().refusal = refusal);
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }

    /// A connection that rested, and not for too long.
    fn rested(&self, place: &Place) -> Option<Line> {
        let mut ended = Vec::new();
        let mut rests = self.rests.lock();
        let here = rests.get_mut(place)?;
        let found = loop {
            match here.pop() {
                Some((line, since)) if line.is_closed() || since.elapsed() > REST => {
                    ended.push(line)
                }
                found => break found,
            }
        };
        drop(rests);
        drop(ended);
        found.map(|(line, _)| line)
    }

    /// A connection, which lives on the runtime of this process.
    async fn dialled(&self, place: &Place) -> Result<Line, Failure> {
        let (limit, tls, to) = (self.limit, Arc::clone(&self.tls), place.clone());
        let dialling = everwarm_runtime::handle()?.spawn(async move {
            let late = not_connected(&to.to_string(), limit);
            let dialled = tokio::time::timeout(limit, connected(&to, tls)).await;
            dialled.unwrap_or(Err(late))
        });
        // It ends without an answer only with the process.
        let dialled = dialling
            .await
            .unwrap_or_else(|_| Err(crate::error::closed()));
        dialled.map_err(|failure| self.givers.meant(place, failure))
    }
}

/// The code of an error: all three services say it in the same element, or Azure in a header.
fn code(headers: &HeaderMap, body: &[u8]) -> String {
    let said = headers.get("x-ms-error-code");
    if let Some(code) = said.and_then(|code| code.to_str().ok()) {
        return code.to_owned();
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(1 << 10)]);
    let inner = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    inner.map_or_else(String::new, |(code, _)| code.to_owned())
}

async fn connected(place: &Place, tls: Arc<ClientConfig>) -> Result<Line, Failure> {
    let failed = |error| unreachable(&place.to_string(), &error);
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await;
    let stream = stream.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    if !place.is_encrypted {
        return speaking(place, TokioIo::new(stream)).await;
    }
    let name = ServerName::try_from(place.host.clone());
    let name = name.map_err(|error| failed(io::Error::other(error)))?;
    let stream = TlsConnector::from(tls).connect(name, stream).await;
    speaking(place, TokioIo::new(stream.map_err(failed)?)).await
}

async fn speaking<S>(place: &Place, stream: S) -> Result<Line, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD);
    let shaken = builder.handshake(stream).await;
    let (line, connection) = shaken.map_err(|error| lost(&place.to_string(), &error))?;
    // Whoever asks is told of what goes wrong; nobody else asks for it. What is not sent yet when its request is abandoned goes with it:
    // a service that reads nothing would keep it for as long.
    tokio::spawn(async move { drop(connection.without_shutdown().await) });
    Ok(line)
}

/// The request as it stands on a connection, with what its call adds. That is no part of what was signed, nor need it be.
fn framed(request: HttpRequest, place: &Place) -> HttpRequest {
    let (mut head, body) = request.into_parts();
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) =
            HeaderValue::from_str(authority.as_str().rsplit('@').next().unwrap_or(&place.host))
    {
        head.headers.insert(HOST, host);
    }
    head.headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("everwarm/", env!("CARGO_PKG_VERSION"))),
    );
    if body.content_length() == 0 && head.method != Method::GET && head.method != Method::HEAD {
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let only_if = CALL.try_with(|call| call.only_if.clone()).ok().flatten();
    if let (Some(only), true) = (only_if, head.method == Method::DELETE) {
        let (name, text) = match &only {
            Only::Tag(tag) => (IF_MATCH, tag),
            Only::Generation(number) => (
                hyper::header::HeaderName::from_static("x-goog-if-generation-match"),
                number,
            ),
        };
        if let Ok(value) = HeaderValue::from_str(text) {
            head.headers.insert(name, value);
        }
    }
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
    HttpRequest::from_parts(head, body)
}

/// The same transport for whatever object_store connects: a service, or who gives credentials.
#[derive(Clone, Debug)]
pub(crate) struct Connector(pub(crate) Arc<Transport>);

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.0.asked(request).await.map_err(|failure| {
            let told = HttpError::new(HttpErrorKind::Unknown, failure.clone());
            // Of several requests of one call the first that fails says why.
            let _ = CALL.try_with(|call| call.came.lock().failure.get_or_insert(failure).kind);
            told
        })
    }
}

/// Bytes of a value as a request brings them: the head, and what was given, neither of them copied.
pub(crate) fn payload(head: Bytes, bytes: Bytes) -> object_store::PutPayload {
    [head, bytes]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_never_had_a_role_has_nobody_who_is_away() {
        let givers = Givers::default();
        let kind = |uri: &'static str| {
            let place = Place::of(&Uri::from_static(uri)).expect("a place");
            let away = not_connected(&place.to_string(), Duration::from_secs(1));
            (givers.meant(&place, away).kind, place)
        };
        let (machine, there) = kind("http://169.254.169.254/latest/api/token");
        assert_eq!(machine, FailureKind::Authentication);
        let (google, _) = kind("http://metadata.google.internal/computeMetadata");
        assert_eq!(google, FailureKind::Authentication);
        let (container, elsewhere) = kind("http://169.254.170.2/v2/credentials");
        assert_eq!(container, FailureKind::Timeout);
        givers.answered(&elsewhere);
        assert_eq!(
            kind("http://169.254.169.254/").0,
            FailureKind::Authentication
        );
        givers.answered(&there);
        assert_eq!(kind("http://169.254.169.254/").0, FailureKind::Timeout);
    }
}
