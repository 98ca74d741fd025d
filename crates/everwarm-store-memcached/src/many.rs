//! Verbs about many names: one trip to each server, all at once.

use everwarm_core::store::{Entry, Failure};
use futures_util::future::join_all;

use crate::batch::{Batch, Mode};
use crate::error::unexpected;
use crate::item::{Clock, Kind, header, kind_of};
use crate::life::Life;
use crate::names::check;
use crate::replies::Written;
use crate::round::{Answer, Round};
use crate::store::Memcached;
use everwarm_network::chance::number;

/// The names that one server has, and their places among all.
struct Part<'a> {
    at: usize,
    places: Vec<usize>,
    names: Vec<&'a str>,
}

impl Memcached {
    fn parts<'a>(&self, names: &[&'a str]) -> Result<Vec<Part<'a>>, Failure> {
        self.link.nodes()?;
        let mut parts: Vec<Part<'a>> = Vec::new();
        for (place, &name) in names.iter().enumerate() {
            check(name)?;
            let at = self.link.at(name);
            match parts.iter_mut().find(|part| part.at == at) {
                Some(part) => {
                    part.places.push(place);
                    part.names.push(name);
                }
                None => parts.push(Part {
                    at,
                    places: vec![place],
                    names: vec![name],
                }),
            }
        }
        Ok(parts)
    }

    /// What the servers say about names, in their order: `ask` is given the place of each and its key. One that fails fails for its own
    /// names alone.
    pub(crate) async fn ask_all(
        &self,
        names: &[&str],
        ask: impl Fn(usize, &[u8], &mut Batch) + Send + Sync,
    ) -> Result<Vec<Result<Answer, Failure>>, Failure> {
        let parts = self.parts(names)?;
        let nodes = self.link.nodes()?;
        let is_alone = parts.len() == 1;
        let asked = parts.iter().map(|part| {
            let round = Round {
                node: &nodes[part.at],
                names: &part.names,
                is_alone,
            };
            let ask = &ask;
            async move {
                round
                    .ask(|at, key, batch| ask(part.places[at], key, batch))
                    .await
            }
        });
        let said = join_all(asked).await;
        let mut all: Vec<Option<Result<Answer, Failure>>> = names.iter().map(|_| None).collect();
        for (part, said) in parts.iter().zip(said) {
            match said {
                Ok(answers) => {
                    for (&place, answer) in part.places.iter().zip(answers) {
                        all[place] = Some(Ok(answer));
                    }
                }
                Err(failure) => {
                    for &place in &part.places {
                        all[place] = Some(Err(failure.clone()));
                    }
                }
            }
        }
        let all = all
            .into_iter()
            .map(|one| one.ok_or_else(|| unexpected("a command"))?);
        Ok(all.collect())
    }

    /// Sets all entries.
    ///
    /// # Errors
    /// `Capacity` for a name or a value that is too large, before anything is set; else the first failure.
    pub(crate) async fn set_all(&self, entries: &[Entry<'_>]) -> Result<(), Failure> {
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        let mut all = Vec::with_capacity(entries.len());
        for entry in entries {
            let node = self.node(entry.name)?;
            self.fits(&entry.bytes)?;
            let life = Life::of(entry.ttl);
            let terms = self.terms(node, (Mode::Set, Kind::Value), life).await?;
            all.push((header(number(), entry.bytes.len(), Clock::default()), terms));
        }
        let said = self.ask_all(&names, |at, key, batch| {
            let (head, terms) = &all[at];
            batch.set(key, &[head, &entries[at].bytes], *terms);
        });
        for answer in said.await? {
            answer?.reply.written()?;
        }
        Ok(())
    }

    /// Deletes as [`delete_one`](Self::delete_one) does: all servers are asked what is there, and then to delete that.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) async fn delete_all(&self, names: &[&str]) -> Result<u64, Failure> {
        let nodes = self.link.nodes()?;
        let looked = self.ask_all(names, |_, key, batch| batch.get(key, "fc"));
        let mut there: Vec<Vec<(&str, Kind)>> = nodes.iter().map(|_| Vec::new()).collect();
        let mut batches: Vec<Batch> = nodes.iter().map(|_| Batch::default()).collect();
        for (&name, answer) in names.iter().zip(looked.await?) {
            let answer = answer?;
            if answer.reply.is_there()? {
                let (kind, _) = kind_of(answer.reply.flags)?;
                let at = self.link.at(name);
                there[at].push((name, kind));
                batches[at].delete(&answer.key, Some(answer.reply.cas));
            }
        }
        let is_alone = there.iter().filter(|some| !some.is_empty()).count() == 1;
        let deleted = nodes.iter().zip(batches).map(|(node, batch)| async move {
            match batch.numbers.is_empty() {
                true => Ok(Vec::new()),
                false => node.exchange(batch, is_alone).await,
            }
        });
        let mut were = 0;
        for (some, replies) in there.into_iter().zip(join_all(deleted).await) {
            for ((name, kind), reply) in some.into_iter().zip(replies?) {
                were += u64::from(match reply.written()? {
                    Written::Done => kind != Kind::Nothing,
                    Written::Gone => false,
                    Written::Not => self.delete_one(name).await?,
                });
            }
        }
        Ok(were)
    }
}
