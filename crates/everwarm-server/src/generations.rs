//! Numbers for invalidations, and what is computed under them.

use everwarm_core::store::Generations;
use everwarm_store_http::contract::bodies::{
    asked, body, computed, names, put_found, put_reading, put_settled,
};

use crate::many::{LOT, checked, read};
use crate::reply::{Refusal, Reply, frames};
use crate::serving::{Ask, Serving, check};

impl Serving {
    fn generations(&self) -> Result<&dyn Generations, Refusal> {
        self.facet("generations", |store| store.generations())
    }

    pub(crate) async fn begin(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let of = read(ask, asked)?;
        let reading = self.generations()?.begin(&of.namespace, &of.tags, of.span);
        let reading = reading.await?;
        Ok(frames(body(|to| put_reading(to, &reading))))
    }

    pub(crate) async fn read(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let of = read(ask, asked)?;
        let reading = self.generations()?.read(&of.namespace, &of.tags).await?;
        Ok(frames(body(|to| put_reading(to, &reading))))
    }

    pub(crate) async fn get_with(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let generations = self.generations()?;
        let (names, of) = read(ask, |reader| Some((names(reader)?, asked(reader)?)))?;
        let (names, most) = (checked(&names)?, self.most(ask)?);
        let (mut all, mut size, mut last) = (Vec::new(), 0, None);
        'lots: for lot in names.chunks(LOT) {
            let many = generations.get_many_with(lot, &of.namespace, &of.tags);
            let (some, reading) = many.await?;
            last = Some(reading);
            for found in some {
                size += found
                    .as_ref()
                    .map_or(1, |found| found.bytes.len() as u64 + 32);
                // One at least, so that it goes on.
                if size > most && !all.is_empty() {
                    break 'lots;
                }
                all.push(found);
            }
        }
        // The last reading is of after all that was read.
        let reading = match last {
            Some(reading) => reading,
            None => generations.read(&of.namespace, &of.tags).await?,
        };
        Ok(frames(body(|to| {
            to.many(all.iter(), |to, one| put_found(to, one.as_ref()));
            put_reading(to, &reading);
        })))
    }

    pub(crate) async fn invalidate(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let of = read(ask, asked)?;
        let outcome = self.generations()?.invalidate(&of.namespace, &of.tags);
        let outcome = outcome.await;
        let tags = (of.namespace.as_str(), &*of.tags);
        self.news.tags(ask.client, tags, outcome.as_ref());
        let reading = outcome?;
        Ok(frames(body(|to| put_reading(to, &reading))))
    }

    pub(crate) async fn settle(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let generations = self.generations()?;
        let outcomes = read(ask, computed)?;
        let all = outcomes.iter().map(|outcome| {
            check(&outcome.written.name)?;
            Ok::<_, Refusal>(outcome.computed())
        });
        let all = all.collect::<Result<Vec<_>, _>>()?;
        let settled = generations.settle_many(&all).await?;
        Ok(frames(body(|to| put_settled(to, &settled))))
    }

    pub(crate) async fn suspend(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let suspending = self.facet("suspend", |store| store.suspending())?;
        let of = read(ask, asked)?;
        let span = of.span;
        let span = span.ok_or_else(|| Refusal::malformed("it is not said for how long"))?;
        let outcome = suspending.suspend(&of.namespace, &of.tags, span).await;
        let tags = (of.namespace.as_str(), &*of.tags);
        self.news.tags(ask.client, tags, outcome.as_ref());
        let reading = outcome?;
        Ok(frames(body(|to| put_reading(to, &reading))))
    }

    pub(crate) async fn resume(&self, ask: &Ask) -> Result<Reply, Refusal> {
        let suspending = self.facet("suspend", |store| store.suspending())?;
        let of = read(ask, asked)?;
        let outcome = suspending.resume(&of.namespace, &of.tags).await;
        let tags = (of.namespace.as_str(), &*of.tags);
        self.news.tags(ask.client, tags, outcome.as_ref());
        let reading = outcome?;
        Ok(frames(body(|to| put_reading(to, &reading))))
    }
}
