//! The way to the server: connections that are used again, each for one question at a time.
//!
//! A question takes a connection for itself and puts it back once its answer is there, whole. One that is abandoned, or that fails,
//! ends its connection: what comes on it late is nobody's answer.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use everwarm_core::deadline::allowance;
use everwarm_core::error::Error;
use everwarm_core::store::{Failure, FailureKind};
use everwarm_network::chance;
use everwarm_network::tls::{self, Tls};
use everwarm_runtime::process_id;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Config, Secret, Token};
use crate::contract::{BEARER, CLIENT, FAILURE, VERSION};
use crate::dial::{Dial, Line};
use crate::error::{answered, closed, lost, stranger, timed_out, too_large, unexpected};
use crate::hearing::Hearing;
use crate::question::{Question, Said, header, run};

/// A connection that was not used for so long is not used again: the server may be about to end it.
const REST: Duration = Duration::from_secs(20);
/// What an answer may have beside a value.
const BESIDE: u64 = 1 << 20;

/// The way to a server, for all processes that inherit it.
pub(crate) struct Link {
    config: Config,
    dial: Dial,
    host: HeaderValue,
    token: Option<HeaderValue>,
    first: Process,
    failovers: AtomicU64,
    is_closed: AtomicBool,
}

/// What one process has, and the child that it forked.
struct Process {
    id: u32,
    here: Option<Box<Here>>,
    child: OnceLock<Box<Process>>,
}

/// What one process has.
pub(crate) struct Here {
    /// As whom the server knows it.
    client: u64,
    /// The run of the server that answered last; 0 before.
    server: AtomicU64,
    rests: Mutex<Vec<(Line, Instant)>>,
    places: Semaphore,
    /// What it heard of others.
    pub(crate) hearing: Hearing,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process_id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            std::mem::forget(self.here.take());
        }
    }
}

impl Process {
    fn new(connections: usize) -> Self {
        Self {
            id: process_id(),
            here: Some(Box::new(Here {
                client: chance::number(),
                server: AtomicU64::new(0),
                rests: Mutex::default(),
                places: Semaphore::new(connections),
                hearing: Hearing::default(),
            })),
            child: OnceLock::new(),
        }
    }
}

impl Link {
    /// A way that nobody went yet.
    ///
    /// # Errors
    /// `Permanent` for a file of certificates or a token that cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let tls = config
            .is_encrypted
            .then(|| {
                tls::configured(&Tls {
                    ca: config.ca.clone(),
                    identity: None,
                })
            })
            .transpose()?;
        let token = config.secret.as_ref().map(token).transpose()?;
        let authority = config.authority();
        Ok(Self {
            dial: Dial {
                host: config.host.clone(),
                port: config.port,
                place: authority.as_str().into(),
                tls,
                limit: config.connect_timeout,
            },
            host: HeaderValue::try_from(authority).map_err(|_| closed())?,
            token,
            first: Process::new(config.connections),
            config,
            failovers: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        })
    }

    /// What the store was told.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// How often another run of the server answered, or took over behind it.
    pub(crate) const fn failovers(&self) -> &AtomicU64 {
        &self.failovers
    }

    /// What this process has.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn here(&self) -> Result<&Here, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        self.own().ok_or_else(closed)
    }

    /// The same, whether or not the store is closed.
    pub(crate) fn own(&self) -> Option<&Here> {
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            let child = || Box::new(Process::new(self.config.connections));
            process = process.child.get_or_init(child);
        }
        process.here.as_deref()
    }

    /// Ends it: connections that rest end, others with what is asked on them.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.leave();
    }

    /// Lets go of what this process has, if it has anything.
    pub(crate) fn leave(&self) {
        let id = process_id();
        let children = std::iter::successors(Some(&self.first), |process| {
            process.child.get().map(|child| &**child)
        });
        let mut own = children.filter(|process| process.id == id);
        if let Some(here) = own.next().and_then(|process| process.here.as_ref()) {
            here.hearing.close();
            let rests = std::mem::take(&mut *here.rests.lock());
            drop(rests);
        }
    }

    /// The failure of an answer that cannot be understood.
    pub(crate) fn unexpected(&self) -> Failure {
        unexpected(&self.dial.place)
    }

    /// Asks, and gives the answer if it is none that tells of a failure.
    ///
    /// # Errors
    /// What stood in the way, or what the server told of.
    pub(crate) async fn ask(&self, question: Question) -> Result<Said, Failure> {
        let here = self.here()?;
        let began = Instant::now();
        let limit = self.config.timeout + question.patience + allowance(question.body.len());
        let late = || timed_out(&self.dial.place, limit);
        // How long a body may take is known once its length is.
        let asked = within(limit, self.asked(here, &question)).await?;
        let (line, _place, answer) = asked.unwrap_or_else(|| Err(late()))?;
        let left = limit.saturating_sub(began.elapsed()) + allowance(length(&answer) as usize);
        let said = within(left, self.said(here, answer)).await?;
        let said = said.unwrap_or_else(|| Err(late()));
        if said.is_ok() && !line.is_closed() && !self.is_closed.load(Ordering::Relaxed) {
            // The answer is whole; the line is told so a moment later.
            here.rests.lock().push((line, Instant::now()));
        }
        let said = said?;
        let kind = said.header(FAILURE);
        match said.status.as_u16() {
            200..300 | 404 | 409 | 412 | 423 if kind.is_none() => Ok(said),
            status => Err(answered(&self.dial.place, status, kind)),
        }
    }

    /// Asks on a line of its own, and gives the head of the answer.
    async fn asked<'h>(&self, here: &'h Here, question: &Question) -> Result<Asked<'h>, Failure> {
        // What is held back would keep others out.
        let place = match question.patience.is_zero() {
            true => Some(here.places.acquire().await.map_err(|_| closed())?),
            false => None,
        };
        let mut request = self.request(here, question)?;
        loop {
            let (mut line, is_used) = match here.rested() {
                Some(line) => (line, true),
                None => (self.dial.dialled().await?, false),
            };
            if line.ready().await.is_err() && is_used {
                continue;
            }
            match line.try_send_request(request).await {
                Ok(answer) => return Ok((line, place, answer)),
                // It ended before anything was sent on it.
                Err(mut error) => match error.take_message().filter(|_| is_used) {
                    Some(unsent) => request = unsent,
                    None => return Err(lost(&self.dial.place, &error.into_error())),
                },
            }
        }
    }

    fn request(&self, here: &Here, question: &Question) -> Result<Request<Full<Bytes>>, Failure> {
        let path = format!("{}{VERSION}{}", self.config.prefix, question.path);
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(path)
            .header(HOST, &self.host)
            .header(CLIENT, format!("{:x}", here.client));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        for (name, text) in &question.headers {
            let (name, value) = header(name, text).ok_or_else(|| self.unexpected())?;
            request = request.header(name, value);
        }
        let body = Full::new(question.body.clone());
        request.body(body).map_err(|_| self.unexpected())
    }

    /// The answer, whole, from a server of the contract.
    async fn said(&self, here: &Here, answer: Response<Incoming>) -> Result<Said, Failure> {
        let (head, body) = answer.into_parts();
        let status = head.status;
        let run = run(&head.headers).ok_or_else(|| stranger(&self.dial.place, status.as_u16()))?;
        let most = self.config.max_value + BESIDE;
        let least = body.size_hint().lower();
        if least > most {
            return Err(too_large(least, most));
        }
        let room = usize::try_from(most).unwrap_or(usize::MAX);
        let body = Limited::new(body, room).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => lost(&self.dial.place, &error),
            Err(_) => too_large(most + 1, most),
        })?;
        let before = here.server.swap(run, Ordering::AcqRel);
        if before != 0 && before != run {
            self.failovers.fetch_add(1, Ordering::AcqRel);
        }
        Ok(Said {
            status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

/// A line, a place among those that may ask at once, and the head of the answer.
type Asked<'h> = (Line, Option<SemaphorePermit<'h>>, Response<Incoming>);

impl Here {
    /// A connection that rested, and not for too long.
    fn rested(&self) -> Option<Line> {
        let mut rests = self.rests.lock();
        let mut ended = Vec::new();
        let found = loop {
            match rests.pop() {
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
}

/// Bytes that the body of an answer says it has, for the time that they take.
fn length(answer: &Response<Incoming>) -> u64 {
    answer.body().size_hint().lower().min(1 << 32)
}

/// What `work` gives, or `None` once the time is over.
///
/// # Errors
/// If no runtime can be had.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<Option<T>, Failure> {
    let runtime = everwarm_runtime::handle()?;
    let timed = {
        // Whoever polls this need not be a task of that runtime.
        let _inside = runtime.enter();
        tokio::time::timeout(limit, work)
    };
    Ok(timed.await.ok())
}

fn token(secret: &Secret) -> Result<HeaderValue, Failure> {
    let cannot = |message: String, hint: &str| Failure::new(FailureKind::Permanent, message, hint);
    let read = |text: String| {
        let told = |error: Error| cannot(error.message().to_owned(), error.hint());
        Token::new(&text).map_err(told)
    };
    let token = match secret {
        Secret::Here(token) => token.clone(),
        Secret::Variable(name) => read(std::env::var(name).map_err(|_| {
            cannot(
                format!("the variable {name} has no token"),
                "set it, or name another with token_env=",
            )
        })?)?,
        Secret::File(path) => read(fs::read_to_string(path).map_err(|error| {
            cannot(
                format!(
                    "the file of the token, {}, cannot be read: {error}",
                    path.display()
                ),
                "name a file that this user may read",
            )
        })?)?,
    };
    let value = HeaderValue::try_from(format!("{BEARER}{}", token.reveal()));
    let mut value = value.map_err(|_| closed())?;
    value.set_sensitive(true);
    Ok(value)
}

/// What most requests are.
pub(crate) const GET: Method = Method::GET;
