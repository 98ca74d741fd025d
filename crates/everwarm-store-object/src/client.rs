//! What one process asks of a service, object by object: the steps of which all verbs are made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use everwarm_core::store::{Failure, FailureKind};
use everwarm_network::chance;
use everwarm_network::tls::{self, Tls};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    UpdateVersion,
};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::config::{Config, Service};
use crate::error::{Refusal, refused};
use crate::head::LENGTH;
use crate::names::Keys;
use crate::opening::{Opened, opened};
use crate::transport::{CALL, Call, Connector, Only, Transport, payload};

/// A value of more bytes is sent in parts of so many.
pub(crate) const PART: usize = 16 << 20;
/// How many requests of one verb are under way at once.
const AT_ONCE: usize = 16;

/// What many futures give, some at a time, in their order; the first failure ends it.
pub(crate) async fn all<T>(
    futures: Vec<BoxFuture<'_, Result<T, Failure>>>,
) -> Result<Vec<T>, Failure> {
    stream::iter(futures).buffered(AT_ONCE).try_collect().await
}

/// What a process has.
pub(crate) struct Client {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) clock: Arc<Clock>,
    transport: Arc<Transport>,
    opened: Opened,
    honours: OnceCell<Honours>,
}

/// Which conditions a service honours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Honours {
    /// Those of writes.
    pub(crate) writes: bool,
    /// Those of deletes.
    pub(crate) deletes: bool,
}

/// What was read of an object.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) bytes: Bytes,
    pub(crate) version: UpdateVersion,
}

/// How much of an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Head,
    Whole,
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Undone {
    /// There is no such object.
    Missing,
    /// The condition did not hold.
    Unmet,
    Failed(Failure),
}

impl Client {
    /// A client that has asked nothing yet.
    ///
    /// # Errors
    /// `Permanent` for files and options that cannot be used, `Authentication` for variables that are not there.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let trust = Tls {
            ca: config.ca.clone(),
            identity: None,
        };
        let clock = Arc::new(Clock::new());
        let transport = Arc::new(Transport::new(
            tls::configured(&trust)?,
            config.connect_timeout,
            config.connections,
            config.max_value,
            Arc::clone(&clock),
        ));
        Ok(Self {
            opened: opened(&config, Connector(Arc::clone(&transport)))?,
            keys: Keys::new(&config.prefix),
            config,
            clock,
            transport,
            honours: OnceCell::new(),
        })
    }

    pub(crate) fn leave(&self) {
        self.transport.leave();
    }

    /// Does something under a call of its own, within the runtime, on whichever thread.
    async fn done<T>(
        &self,
        only_if: Option<Only>,
        work: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T, Undone> {
        let call = Call {
            only_if,
            ..Call::default()
        };
        let came = Arc::clone(&call.came);
        let entered = Entered {
            handle: everwarm_runtime::handle().map_err(Undone::Failed)?,
            work: Box::pin(CALL.scope(call, work)),
        };
        entered.await.map_err(|error| {
            let came = std::mem::take(&mut *came.lock());
            if let Some(failure) = came.failure {
                return Undone::Failed(failure);
            }
            let is_of_bucket = came.refusal.as_ref().is_some_and(Refusal::is_of_bucket);
            match error {
                Error::NotFound { .. } if !is_of_bucket => Undone::Missing,
                Error::Precondition { .. }
                | Error::AlreadyExists { .. }
                | Error::NotModified { .. }
                    if !is_of_bucket =>
                {
                    Undone::Unmet
                }
                _ => Undone::Failed(refused(&self.config, came.refusal.as_ref())),
            }
        })
    }

    /// An object; `None` if it is not there.
    pub(crate) async fn read(&self, key: &str, part: Part) -> Result<Option<Seen>, Failure> {
        let path = self.path(key)?;
        let options = GetOptions {
            range: (part == Part::Head).then_some(GetRange::Bounded(0..LENGTH as u64)),
            ..GetOptions::default()
        };
        let reading = async {
            let got = self.opened.objects.get_opts(&path, options).await?;
            let version = UpdateVersion {
                e_tag: got.meta.e_tag.clone(),
                version: got.meta.version.clone(),
            };
            Ok(Seen {
                bytes: got.bytes().await?,
                version,
            })
        };
        match self.done(None, reading).await {
            Ok(seen) => Ok(Some(seen)),
            Err(Undone::Missing) => Ok(None),
            Err(undone) => Err(self.failed(undone)),
        }
    }

    /// Writes an object, if its mode allows it.
    pub(crate) async fn write(
        &self,
        key: &str,
        head: Bytes,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<(), Undone> {
        let path = self.path(key).map_err(Undone::Failed)?;
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let writing = self
            .opened
            .objects
            .put_opts(&path, payload(head, bytes), options);
        self.done(None, writing).await.map(drop)
    }

    /// Writes an object whatever is there, in parts where it is large.
    pub(crate) async fn replace(
        &self,
        key: &str,
        head: Bytes,
        bytes: Bytes,
    ) -> Result<(), Failure> {
        let done = match bytes.len() > PART {
            true => self.in_parts(key, head, bytes).await,
            false => self.write(key, head, bytes, PutMode::Overwrite).await,
        };
        done.map_err(|undone| self.failed(undone))
    }

    async fn in_parts(&self, key: &str, head: Bytes, bytes: Bytes) -> Result<(), Undone> {
        let path = self.path(key).map_err(Undone::Failed)?;
        let objects = Arc::clone(&self.opened.objects);
        let sending = async move {
            let mut upload = Sending {
                upload: Some(
                    objects
                        .put_multipart_opts(&path, PutMultipartOptions::default())
                        .await?,
                ),
                limit: self.config.connect_timeout,
            };
            let Some(inner) = upload.upload.as_mut() else {
                return Ok(());
            };
            let parts = (0..bytes.len()).step_by(PART).map(|at| {
                let part = bytes.slice(at..bytes.len().min(at + PART));
                let head = if at == 0 { head.clone() } else { Bytes::new() };
                inner.put_part(payload(head, part))
            });
            let parts: Vec<_> = parts.collect();
            let sent = stream::iter(parts)
                .buffer_unordered(4)
                .try_collect::<Vec<()>>()
                .await;
            match sent {
                Ok(_) => inner.complete().await.map(drop)?,
                Err(error) => return Err(error),
            }
            upload.upload = None;
            Ok(())
        };
        self.done(None, sending).await
    }

    /// Deletes an object, if it is of this write where one is named.
    pub(crate) async fn delete(
        &self,
        key: &str,
        only: Option<&UpdateVersion>,
    ) -> Result<(), Undone> {
        let path = self.path(key).map_err(Undone::Failed)?;
        let only = only.and_then(|version| self.only(version));
        self.done(only, self.opened.singly.delete(&path)).await
    }

    /// Deletes many objects; those that are gone already are no failure.
    pub(crate) async fn delete_all(&self, keys: Vec<Path>) -> Result<(), Failure> {
        let keys = stream::iter(keys.into_iter().map(Ok)).boxed();
        let deleting = async {
            let mut deleted = self.opened.objects.delete_stream(keys);
            while let Some(one) = deleted.next().await {
                match one {
                    Ok(_) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        self.done(None, deleting)
            .await
            .map_err(|undone| self.failed(undone))
    }

    /// Some keys that begin with `prefix`, and what to go on with.
    pub(crate) async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Path>, Option<String>), Failure> {
        // By keys wherever that can be: what is deleted meanwhile then leaves the place where it is.
        let by_key = self.config.service != Service::Azure;
        let options = PaginatedListOptions {
            max_keys: Some(limit.clamp(1, 1_000)),
            offset: after.filter(|_| by_key).map(str::to_owned),
            page_token: after.filter(|_| !by_key).map(str::to_owned),
            ..PaginatedListOptions::default()
        };
        let listing = self.opened.pages.list_paginated(Some(prefix), options);
        let listed = self
            .done(None, listing)
            .await
            .map_err(|undone| self.failed(undone))?;
        let mut keys: Vec<Path> = listed
            .result
            .objects
            .into_iter()
            .map(|object| object.location)
            .collect();
        if !by_key && after.is_none() && !prefix.ends_with('/') {
            // Of Azure's lists the client leaves out what is named as the prefix is.
            let exact = self.read(prefix, Part::Head).await?;
            keys.extend(exact.map(|_| self.path(prefix)).transpose()?);
        }
        let last = keys.iter().max().map(|key| key.as_ref().to_owned());
        let next = listed
            .page_token
            .and_then(|token| if by_key { last } else { Some(token) });
        Ok((keys, next))
    }

    /// Sees to it that the service's time is known.
    pub(crate) async fn met(&self) -> Result<(), Failure> {
        if !self.clock.is_known() {
            self.read(&self.keys.trial(0), Part::Head).await?;
        }
        Ok(())
    }

    /// Which conditions the service honours, tried once by a process.
    pub(crate) async fn honours(&self) -> Result<Honours, Failure> {
        self.honours.get_or_try_init(|| self.tried()).await.copied()
    }

    /// The same, if it is known.
    pub(crate) fn honoured(&self) -> Option<Honours> {
        self.honours.get().copied()
    }

    async fn tried(&self) -> Result<Honours, Failure> {
        let key = self.keys.trial(chance::number());
        let write = async |mode| {
            let bytes = Bytes::from(format!("{:016x}", chance::number()));
            match self.write(&key, bytes, Bytes::new(), mode).await {
                Ok(()) => Ok(true),
                Err(Undone::Unmet) => Ok(false),
                Err(undone) => Err(self.failed(undone)),
            }
        };
        let seen = async || {
            let seen = self.read(&key, Part::Whole).await?;
            seen.map(|seen| seen.version)
                .ok_or_else(|| crate::error::damaged(&self.config))
        };
        let mut honours = Honours {
            writes: write(PutMode::Create).await? && !write(PutMode::Create).await?,
            deletes: false,
        };
        let old = seen().await?;
        if honours.writes {
            honours.writes = write(PutMode::Update(old.clone())).await?
                && !write(PutMode::Update(old.clone())).await?;
        }
        if honours.writes && self.only(&old).is_some() {
            // Only who is kept from deleting another write than the one that was named can rely on it.
            honours.deletes = matches!(self.delete(&key, Some(&old)).await, Err(Undone::Unmet));
            let present = self.read(&key, Part::Whole).await?;
            let present = present.map(|seen| seen.version);
            honours.deletes &= match &present {
                Some(version) => self.delete(&key, Some(version)).await.is_ok(),
                None => false,
            };
        }
        if !honours.deletes {
            // What is left of it is a few bytes, and nobody's entry.
            let _ = self.delete(&key, None).await;
        }
        Ok(honours)
    }

    /// How a delete is told which write is meant; `None` where it cannot be: what Azure is told with a shared key is signed.
    fn only(&self, version: &UpdateVersion) -> Option<Only> {
        match self.config.service {
            Service::S3 => version.e_tag.clone().map(Only::Tag),
            Service::Google => version.version.clone().map(Only::Generation),
            Service::Azure => None,
        }
    }

    fn path(&self, key: &str) -> Result<Path, Failure> {
        Path::parse(key).map_err(|_| {
            Failure::new(
                FailureKind::Permanent,
                "a key of the store is none that objects may have",
                "report this with the prefix of the URL",
            )
        })
    }

    /// The failure of what was to be done whatever is there.
    pub(crate) fn failed(&self, undone: Undone) -> Failure {
        match undone {
            Undone::Failed(failure) => failure,
            Undone::Missing => refused(&self.config, Some(&MISSING)),
            Undone::Unmet => crate::error::contended(&self.config, 1),
        }
    }
}

const MISSING: Refusal = Refusal {
    status: 404,
    code: String::new(),
};

/// An upload in parts, which is given up if nobody completes it: its parts would be paid for. Nobody waits for that, and it has a
/// connection: where no answer comes it ends after `limit`.
struct Sending {
    upload: Option<Box<dyn object_store::MultipartUpload>>,
    limit: Duration,
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(handle)) = (self.upload.take(), everwarm_runtime::handle()) {
            let limit = self.limit;
            handle.spawn(async move { drop(tokio::time::timeout(limit, upload.abort()).await) });
        }
    }
}

/// Work that is polled within a runtime, whichever thread polls it.
struct Entered<F> {
    handle: Handle,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _inside = this.handle.enter();
        this.work.as_mut().poll(context)
    }
}
