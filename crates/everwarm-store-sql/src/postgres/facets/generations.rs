//! Numbers for invalidations: a namespace is a shard, which is a row.

use std::time::Duration;

use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{Answer, Computed, Failure, Found, Generations, Settled};

use crate::postgres::Postgres;
use crate::postgres::connection::Values;
use crate::postgres::entry::{digests, found, micros, named, reading, values, written};
use crate::postgres::statements::Statement;
use crate::postgres::store::placed;
use crate::server::failure::{no_answer, unexpected};
use crate::server::told::of_tag;
use everwarm_network::chance;

/// How often a beginning is looked at again during which a suspension ended.
const LOOKS: usize = 4;

impl Postgres {
    /// Invalidates tags, and suspends them for a span, or ends a suspension of each.
    pub(super) async fn strike(
        &self,
        (namespace, tags): (&str, &[Tag]),
        span: Option<Duration>,
        resumes: bool,
    ) -> Result<Reading, Failure> {
        let teller = &self.link.hearing().teller;
        let told = tags.iter().map(|tag| teller.says(&of_tag(namespace, tag)));
        let told: Vec<String> = told.collect();
        let values = values![
            space(namespace),
            digests(tags),
            chance::bigint(),
            micros(span),
            resumes,
            teller.channel.clone(),
            told,
        ];
        let rows = self.ask(Statement::Strike, values).await?;
        let row = rows.first().ok_or_else(|| unexpected("an invalidation"))?;
        reading(row, tags.len())
    }

    fn computed(&self, computed: &Computed<'_>) -> Result<Values, Failure> {
        let (channel, freed) = self.freed_message(computed.name);
        let stamps = computed.stamps.iter().filter(|stamp| stamp.shard == 0);
        let (epochs, numbers): (Vec<i64>, Vec<i64>) = stamps
            .map(|stamp| (stamp.epoch as i64, stamp.number as i64))
            .unzip();
        Ok(values![
            named(computed.name)?,
            written(computed.bytes.clone())?,
            chance::bigint(),
            micros(computed.ttl),
            computed.token.map(|token| token as i64),
            space(computed.namespace),
            digests(computed.tags),
            chance::bigint(),
            epochs,
            numbers,
            channel,
            freed,
        ])
    }
}

fn space(namespace: &str) -> Vec<u8> {
    namespace.as_bytes().to_vec()
}

fn settled(rows: &[tokio_postgres::Row]) -> Result<Settled, Failure> {
    let said: Option<i32> = rows.first().and_then(|row| row.try_get(0).ok());
    match said {
        Some(0) => Ok(Settled::Stored),
        Some(1) => Ok(Settled::Lost),
        Some(2) => Ok(Settled::Overtaken),
        _ => Err(unexpected("a settlement")),
    }
}

impl Generations for Postgres {
    fn begin<'a>(
        &'a self,
        namespace: &'a str,
        tags: &'a [Tag],
        keep: Option<Duration>,
    ) -> Answer<'a, Reading> {
        Answer::later(async move {
            let mut looks = LOOKS;
            loop {
                let keep = micros(keep);
                let values = values![space(namespace), digests(tags), keep, chance::bigint()];
                let rows = self.ask(Statement::Begin, values).await?;
                let row = rows.first().ok_or_else(|| unexpected("a beginning"))?;
                let read = reading(row, tags.len())?;
                if looks == 0 || read.markers.iter().all(Option::is_some) {
                    return Ok(read);
                }
                looks -= 1;
            }
        })
    }

    fn read<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(async move {
            let values = values![space(namespace), digests(tags)];
            let rows = self.ask(Statement::Read, values).await?;
            let row = rows.first().ok_or_else(|| unexpected("a reading"))?;
            reading(row, tags.len())
        })
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        Answer::later(async move {
            let values = values![space(namespace), digests(tags), named(name)?];
            let rows = self.ask(Statement::GetWith, values).await?;
            let row = rows.first().ok_or_else(|| unexpected("a read"))?;
            let is_there = row.try_get::<_, Option<i64>>(6);
            let is_there = is_there.map_err(|_| unexpected("a read"))?.is_some();
            let found = is_there.then(|| found(row, 5)).transpose()?;
            Ok((found, reading(row, tags.len())?))
        })
    }

    fn get_many_with<'a>(
        &'a self,
        names: &'a [&'a str],
        namespace: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Vec<Option<Found>>, Reading)> {
        Answer::later(async move {
            let wanted: Result<Vec<_>, _> = names.iter().map(|name| named(name)).collect();
            // The markers are read after the entries: none is older than an entry beside it.
            let asked = vec![
                (Statement::GetMany, values![wanted?]),
                (Statement::Read, values![space(namespace), digests(tags)]),
            ];
            let said = self.link.ask_each(asked).await?;
            let [entries, markers] = <[_; 2]>::try_from(said).map_err(|_| no_answer())?;
            let markers = markers?;
            let row = markers.first().ok_or_else(|| unexpected("a reading"))?;
            Ok((placed(&entries?, names.len())?, reading(row, tags.len())?))
        })
    }

    fn invalidate<'a>(&'a self, namespace: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        Answer::later(self.strike((namespace, tags), None, false))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        Answer::later(async move {
            let values = self.computed(&computed)?;
            settled(&self.ask(Statement::Settle, values).await?)
        })
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        Answer::later(async move {
            let asked = computed
                .iter()
                .map(|computed| Ok((Statement::Settle, self.computed(computed)?)));
            let asked: Result<Vec<_>, Failure> = asked.collect();
            let said = self.link.ask_each(asked?).await?;
            said.into_iter().map(|rows| settled(&rows?)).collect()
        })
    }
}
