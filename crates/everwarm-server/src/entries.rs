//! Entries one by one: get, put, delete, ttl; names and prefixes.

use everwarm_core::store::{Condition, FailureKind, Found, Message};
use everwarm_store_http::contract::{NEXT, TTL, encoded, etag, seconds, version};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::reply::{Refusal, Reply, done, of, text, whether, with};
use crate::serving::{Ask, Serving, told};

/// Names in a page, at most and if nobody said otherwise.
const PAGE: usize = 1_000;

/// What must hold for a write, as its headers say.
enum Precondition {
    None,
    Holds(Condition),
}

fn precondition(ask: &Ask) -> Result<Precondition, Refusal> {
    let malformed = || Refusal::malformed("an entity tag is none that this server gave");
    let absent = ask.said(IF_NONE_MATCH.as_str(), |text| (text == "*").then_some(()))?;
    let Some(tag) = ask.said(IF_MATCH.as_str(), |text| Some(text.to_owned()))? else {
        return Ok(match absent {
            Some(()) => Precondition::Holds(Condition::Absent),
            None => Precondition::None,
        });
    };
    if absent.is_some() {
        return Err(Refusal::malformed("it is to match something, and nothing"));
    }
    Ok(Precondition::Holds(match tag.as_str() {
        "*" => Condition::Present,
        tag => Condition::Version(version(tag).ok_or_else(malformed)?),
    }))
}

impl Serving {
    pub(crate) async fn get(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let Some(found) = self.store.get(&ask.name).await? else {
            return Ok(of(StatusCode::NOT_FOUND, Bytes::new()));
        };
        let is_versioned = self.store.conditional().is_some();
        let tag = is_versioned.then(|| etag(found.version));
        let asked = ask.header(IF_NONE_MATCH.as_str());
        let is_known = asked.is_some_and(|asked| asked == "*" || Some(asked) == tag.as_deref());
        let reply = match is_known {
            true => of(StatusCode::NOT_MODIFIED, Bytes::new()),
            false => {
                let reply = of(StatusCode::OK, found.bytes.clone());
                with(reply, CONTENT_TYPE, "application/octet-stream")
            }
        };
        let reply = match tag {
            Some(tag) => with(reply, ETAG, &tag),
            None => reply,
        };
        Ok(fresh(reply, &found))
    }

    pub(crate) async fn put(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let (bytes, ttl) = (ask.body.clone(), ask.ttl()?);
        let condition = precondition(ask)?;
        match (ask.lease()?, condition) {
            (Some(_), Precondition::Holds(_)) => Err(Refusal::malformed(
                "a set under a lease has no condition but the lease",
            )),
            (Some(token), Precondition::None) => {
                let leases = self.facet("leases", |store| store.leases())?;
                let stored = leases.set_leased(&ask.name, token, bytes, ttl).await?;
                Ok(match stored {
                    true => done(),
                    false => of(StatusCode::CONFLICT, Bytes::new()),
                })
            }
            (None, Precondition::None) => {
                let outcome = self.store.set(&ask.name, bytes, ttl).await;
                told(outcome, || self.tell_of(ask))?;
                Ok(done())
            }
            (None, Precondition::Holds(condition)) => {
                let conditional = self.facet("conditional", |store| store.conditional())?;
                let outcome = conditional.set_if(&ask.name, bytes, ttl, condition).await;
                let is_done = !matches!(outcome, Ok(None));
                let version = told(outcome, || self.tell_if(is_done, ask))?;
                Ok(match version {
                    Some(version) => with(done(), ETAG, &etag(version)),
                    None => of(StatusCode::PRECONDITION_FAILED, Bytes::new()),
                })
            }
        }
    }

    pub(crate) async fn delete(&self, ask: &Ask) -> Result<Reply, Refusal> {
        match precondition(ask)? {
            Precondition::None => {
                let outcome = self.store.delete(&ask.name).await;
                Ok(whether(told(outcome, || self.tell_of(ask))?))
            }
            Precondition::Holds(Condition::Version(version)) => {
                let conditional = self.facet("conditional", |store| store.conditional())?;
                let outcome = conditional.delete_if(&ask.name, version).await;
                let is_done = !matches!(outcome, Ok(false));
                Ok(match told(outcome, || self.tell_if(is_done, ask))? {
                    true => done(),
                    false => of(StatusCode::PRECONDITION_FAILED, Bytes::new()),
                })
            }
            Precondition::Holds(_) => Err(Refusal::malformed(
                "a delete is of what is there, or of one version",
            )),
        }
    }

    pub(crate) async fn page(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let scan = self.facet("scan", |store| store.scan())?;
        let prefix = ask.queried("prefix")?.unwrap_or_default();
        let after = ask.queried("after")?;
        let limit = ask.queried_as("limit", |text| text.parse().ok())?;
        let limit = limit.unwrap_or(PAGE).clamp(1, PAGE);
        let page = scan.page(&prefix, after.as_deref(), limit).await?;
        // A sign before each name: that of the empty name is a line, too.
        let lines = page
            .names
            .iter()
            .map(|name| format!("={}\n", encoded(name)));
        let reply = of(StatusCode::OK, lines.collect::<String>().into());
        let reply = with(reply, CONTENT_TYPE, "text/plain; charset=utf-8");
        Ok(match page.next {
            Some(next) => with(reply, HeaderName::from_static(NEXT), &encoded(&next)),
            None => reply,
        })
    }

    pub(crate) async fn clear(&self, ask: &Ask) -> Result<Reply, Refusal> {
        // Without a word everything would go.
        let prefix = ask.queried("prefix")?;
        let prefix = prefix.ok_or_else(|| {
            let hint = "write ?prefix=shop%3A, or ?prefix= for everything";
            let message = "it is not said what is to be cleared";
            Refusal::new(400, FailureKind::Permanent, message, hint)
        })?;
        let outcome = self.store.clear(&prefix).await;
        let message = Message::Clear(prefix.as_str().into());
        Ok(text(told(outcome, || {
            self.news.tell(ask.client, [message])
        })?))
    }

    pub(crate) async fn ttl(&self, ask: &Ask) -> Result<Reply, Refusal> {
        Ok(match self.store.get(&ask.name).await? {
            None => of(StatusCode::NOT_FOUND, Bytes::new()),
            Some(found) => match found.remaining {
                Some(left) => text(seconds(left)),
                None => text("none"),
            },
        })
    }

    pub(crate) async fn expire(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let touch = self.facet("touch", |store| store.touch())?;
        Ok(whether(touch.expire(&ask.name, ask.ttl()?).await?))
    }

    fn tell_of(&self, ask: &Ask) {
        self.news.names(ask.client, [ask.name.as_str()]);
    }

    fn tell_if(&self, is_done: bool, ask: &Ask) {
        if is_done {
            self.tell_of(ask);
        }
    }
}

/// With what is said of how fresh an entry is. It is fresh at this very moment, and nobody but its client may keep it without asking:
/// an invalidation would not be seen.
fn fresh(reply: Reply, found: &Found) -> Reply {
    let reply = with(reply, AGE, "0");
    match found.remaining {
        Some(left) => {
            let control = format!("private, no-cache, max-age={}", left.as_secs());
            let reply = with(reply, CACHE_CONTROL, &control);
            with(reply, HeaderName::from_static(TTL), &seconds(left))
        }
        None => with(reply, CACHE_CONTROL, "private, no-cache"),
    }
}
