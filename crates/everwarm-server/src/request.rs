//! A request on its way in: who asks, what, and how much of it is read; on its way out, with the mark of this server.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::FailureKind;
use everwarm_store_http::contract::{BEARER, CLIENT, SERVER, number};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, AUTHORIZATION, CONNECTION, EXPECT, HeaderName, WWW_AUTHENTICATE};
use hyper::{Request, http::request::Parts};
use subtle::{Choice, ConstantTimeEq};

use crate::reply::{Refusal, Reply, with};
use crate::routes::{Verb, Way, way};
use crate::serving::{Ask, Serving, check};

/// How much of what was refused may come still, and for how long.
const LINGER: usize = 256 << 20;
const LINGERING: Duration = Duration::from_secs(2);
/// What a body has beside a value that may be that large.
pub(crate) const BESIDE: u64 = 64 << 10;

impl Serving {
    /// The answer to a request.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let run = self.run.clone();
        let (head, mut body) = request.into_parts();
        let waits = head.headers.contains_key(EXPECT);
        let reply = match self.let_in(head, &mut body).await {
            Ok(ask) => self.served(ask).await,
            Err(refusal) => {
                if !waits {
                    self.let_go(body).await;
                }
                refusal.reply()
            }
        };
        with(reply, HeaderName::from_static(SERVER), &run)
    }

    /// Lets in who may ask for what there is, and reads what was sent.
    async fn let_in(&self, head: Parts, body: &mut Incoming) -> Result<Ask, Refusal> {
        self.authenticate(&head)?;
        let (verb, name) = match way(&head.method, head.uri.path()) {
            Way::To(verb, name) => (verb, name),
            Way::Otherwise(methods) => {
                let hint = "docs/reference/http.md lists the routes";
                let kind = FailureKind::Capability;
                let refusal = Refusal::new(405, kind, "there is no such method here", hint);
                return Err(refusal.with(ALLOW, methods.join(", ")));
            }
            Way::Nowhere => {
                let hint = "docs/reference/http.md lists the routes";
                let kind = FailureKind::Permanent;
                return Err(Refusal::new(404, kind, "there is no such route", hint));
            }
        };
        check(&name)?;
        let body = self.read_whole(body).await?;
        let client = head
            .headers
            .get(CLIENT)
            .and_then(|value| value.to_str().ok());
        Ok(Ask {
            verb,
            name,
            query: head.uri.query().unwrap_or_default().to_owned(),
            client: client.and_then(number).unwrap_or(0),
            headers: head.headers,
            body,
        })
    }

    /// Whoever has one of the tokens may ask. To find out takes as long whichever it is, and however much of it is right.
    fn authenticate(&self, head: &Parts) -> Result<(), Refusal> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let said = head
            .headers
            .get(AUTHORIZATION)
            .map(|value| value.as_bytes());
        let said = said.and_then(|said| said.strip_prefix(BEARER.as_bytes()));
        let said = said.unwrap_or_default();
        let is_one = self.tokens.iter().fold(Choice::from(0), |is_one, token| {
            is_one | token.bytes().ct_eq(said)
        });
        if is_one.into() {
            return Ok(());
        }
        let kind = FailureKind::Authentication;
        let hint = "send one of the server's tokens: Authorization: Bearer ...";
        let refusal = Refusal::new(401, kind, "who asks is not known", hint);
        Err(refusal.with(WWW_AUTHENTICATE, "Bearer"))
    }

    /// A body that says how long it is, and is not too long.
    async fn read_whole(&self, body: &mut Incoming) -> Result<Bytes, Refusal> {
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let length = body.size_hint().exact().ok_or_else(|| {
            let hint = "send a Content-Length";
            Refusal::new(
                411,
                FailureKind::Permanent,
                "it is not said how long the body is",
                hint,
            )
        })?;
        let most = self.max_body + BESIDE;
        if length > most {
            let hint = "store less under one name, or raise --max-body";
            let refusal = Refusal::new(413, FailureKind::Capacity, "the body is too large", hint);
            // Nobody reads what is on its way.
            return Err(refusal.with(CONNECTION, "close"));
        }
        let late = || {
            let hint = "look at the network";
            let refusal = Refusal::new(
                408,
                FailureKind::Timeout,
                "the body did not come in time",
                hint,
            );
            refusal.with(CONNECTION, "close")
        };
        // Bodies wait for each other rather than to take more room together than there is.
        let room = u32::try_from(length.div_ceil(1 << 10)).unwrap_or(u32::MAX);
        let read = async {
            let _room = self.room.acquire_many(room).await;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            Limited::new(body, most).collect().await
        };
        match tokio::time::timeout(self.patience, read).await {
            Ok(Ok(read)) => Ok(read.to_bytes()),
            _ => Err(late()),
        }
    }

    /// Lets what is on its way come, for a while, and keeps none of it: a client that is cut off while it sends does not hear why.
    async fn let_go(&self, mut body: Incoming) {
        let going = async {
            let mut left = LINGER;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    break;
                }
            }
        };
        // Who takes longer is cut off.
        drop(tokio::time::timeout(self.patience.min(LINGERING), going).await);
    }

    /// Serves what was let in. What writes goes on when who asked is gone.
    async fn served(self: &Arc<Self>, ask: Ask) -> Reply {
        let served = if ask.verb.reads() {
            self.serve(&ask).await
        } else {
            let own = Arc::clone(self);
            let serving = tokio::spawn(async move { own.serve(&ask).await });
            serving.await.unwrap_or_else(|_| {
                let hint = "look at the server's log";
                let message = "the store panicked, or the server ends";
                Err(Refusal::new(503, FailureKind::Transient, message, hint))
            })
        };
        served.unwrap_or_else(Refusal::reply)
    }

    async fn serve(&self, ask: &Ask) -> Result<Reply, Refusal> {
        match ask.verb {
            Verb::Get => self.get(ask).await,
            Verb::Put => self.put(ask).await,
            Verb::Delete => self.delete(ask).await,
            Verb::Page => self.page(ask).await,
            Verb::Clear => self.clear(ask).await,
            Verb::Ttl => self.ttl(ask).await,
            Verb::Expire => self.expire(ask).await,
            Verb::Lease => self.lease(ask).await,
            Verb::Renew => self.renew(ask).await,
            Verb::Release => self.release(ask).await,
            Verb::Incr => self.incr(ask).await,
            Verb::GetMany => self.get_many(ask).await,
            Verb::SetMany => self.set_many(ask).await,
            Verb::DeleteMany => self.delete_many(ask).await,
            Verb::LeaseMany => self.lease_many(ask).await,
            Verb::SetLeasedMany => self.set_leased_many(ask).await,
            Verb::Begin => self.begin(ask).await,
            Verb::Read => self.read(ask).await,
            Verb::GetWith => self.get_with(ask).await,
            Verb::Invalidate => self.invalidate(ask).await,
            Verb::Settle => self.settle(ask).await,
            Verb::Suspend => self.suspend(ask).await,
            Verb::Resume => self.resume(ask).await,
            Verb::Messages => self.messages(ask).await,
            Verb::Sweep => self.sweep().await,
            Verb::Ping => self.ping().await,
            Verb::Info => Ok(self.info()),
            Verb::OpenApi => Ok(Self::openapi()),
        }
    }
}
