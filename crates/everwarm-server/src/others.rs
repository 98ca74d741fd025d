//! Leases, counters, messages, and what the server says of itself.

use std::time::Duration;

use everwarm_core::store::{Grant, Store};
use everwarm_store_http::contract::bodies::{body, put_news};
use everwarm_store_http::contract::{BY, INITIAL, MOST, OFFERS, STORE, TTL, number, seconds, span};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};

use crate::OPENAPI;
use crate::reply::{Refusal, Reply, done, frames, of, text, whether, with};
use crate::serving::{Ask, Serving, told};

/// How long a question for messages is held back, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Serving {
    pub(crate) async fn lease(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let leases = self.facet("leases", |store| store.leases())?;
        let grant = leases.lease(&ask.name, ask.token()?, ask.span()?).await?;
        Ok(match grant {
            Grant::Granted => done(),
            Grant::Held(left) => {
                let reply = of(StatusCode::LOCKED, Bytes::new());
                let reply = with(reply, HeaderName::from_static(TTL), &seconds(left));
                with(reply, RETRY_AFTER, &left.as_secs().max(1).to_string())
            }
        })
    }

    pub(crate) async fn renew(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let leases = self.facet("leases", |store| store.leases())?;
        let renewed = leases.renew(&ask.name, ask.token()?, ask.span()?).await?;
        Ok(whether(renewed))
    }

    pub(crate) async fn release(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let leases = self.facet("leases", |store| store.leases())?;
        Ok(whether(leases.release(&ask.name, ask.token()?).await?))
    }

    pub(crate) async fn incr(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let counters = self.facet("counters", |store| store.counters())?;
        let whole = |text: &str| text.parse::<i64>().ok();
        let (by, initial) = (ask.said(BY, whole)?, ask.said(INITIAL, whole)?);
        let changed = counters.incr(&ask.name, by.unwrap_or(1), initial.unwrap_or(0), ask.ttl()?);
        let outcome = changed.await;
        let tell = || self.news.names(ask.client, [ask.name.as_str()]);
        Ok(text(told(outcome, tell)?))
    }

    pub(crate) async fn messages(&self, ask: &Ask) -> Result<Reply, Refusal> {
        self.facet("notify", |store| store.notify())?;
        let wait = ask.queried_as("wait", span)?.unwrap_or_default();
        let after = ask.queried_as("after", |text| text.parse::<u64>().ok())?;
        let run = ask.queried_as("of", number)?;
        // Of another run nothing is known here: what it counted is further than anything.
        let is_other = run.is_some_and(|run| format!("{run:x}") != self.run);
        let after = if is_other { Some(u64::MAX) } else { after };
        let since = (after, wait.min(LONGEST_WAIT));
        let news = self.news.told(&self.store, ask.client, since).await?;
        Ok(frames(body(|to| put_news(to, &news))))
    }

    pub(crate) async fn sweep(&self) -> Result<Reply, Refusal> {
        Ok(text(swept(&self.store).await?))
    }

    pub(crate) async fn ping(&self) -> Result<Reply, Refusal> {
        self.store.ping().await?;
        Ok(done())
    }

    pub(crate) fn info(&self) -> Reply {
        let (info, limits) = (self.store.info(), self.store.limits());
        let facets = facets(&*self.store);
        let quoted: Vec<_> = facets.iter().map(|facet| format!("\"{facet}\"")).collect();
        let json = format!(
            "{{\"store\": \"{}\", \"durability\": \"{}\", \"facets\": [{}], \"max_body\": {}, \"ttl_precision\": {}}}\n",
            info.kind,
            info.durability.name(),
            quoted.join(", "),
            self.max_body,
            limits.ttl_precision.as_secs_f64(),
        );
        let reply = with(
            of(StatusCode::OK, json.into()),
            CONTENT_TYPE,
            "application/json",
        );
        let reply = with(reply, HeaderName::from_static(STORE), info.kind);
        let reply = with(
            reply,
            HeaderName::from_static(MOST),
            &self.max_body.to_string(),
        );
        with(reply, HeaderName::from_static(OFFERS), &facets.join(","))
    }

    pub(crate) fn openapi() -> Reply {
        with(
            of(StatusCode::OK, OPENAPI.into()),
            CONTENT_TYPE,
            "application/json",
        )
    }
}

/// Takes out what has expired; a store that answers on the thread that asks does so on one that may be held up.
///
/// # Errors
/// As the store's.
pub(crate) async fn swept(
    store: &std::sync::Arc<dyn Store>,
) -> Result<u64, everwarm_core::store::Failure> {
    if !store.info().embedded {
        return store.sweep().await;
    }
    let own = std::sync::Arc::clone(store);
    let swept = tokio::task::spawn_blocking(move || own.sweep().now().ok());
    swept.await.ok().flatten().unwrap_or(Ok(0))
}

/// The facets of a store, by their names.
fn facets(store: &dyn Store) -> Vec<&'static str> {
    let offered = [
        ("counters", store.counters().is_some()),
        ("conditional", store.conditional().is_some()),
        ("leases", store.leases().is_some()),
        ("scan", store.scan().is_some()),
        ("touch", store.touch().is_some()),
        ("generations", store.generations().is_some()),
        ("notify", store.notify().is_some()),
        ("suspend", store.suspending().is_some()),
        ("health", true),
    ];
    let offered = offered.into_iter().filter(|(_, is_offered)| *is_offered);
    offered.map(|(name, _)| name).collect()
}
