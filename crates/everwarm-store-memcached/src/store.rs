//! The store: its verbs, each written once, whichever way it is asked.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, FailureKind, Found, Health,
    Info, Leases, Limits, Store, Touch,
};
use futures_util::future::{join_all, try_join_all};

use crate::batch::{Batch, Mode, Terms};
use crate::chance::number;
use crate::config::Config;
use crate::error::{contended, unexpected};
use crate::generation::Generation;
use crate::item::{Clock, HEADER, Item, Kind, LEASE, MOST_LEASES, flags, header, kind_of};
use crate::life::{LONGEST, Life, PRECISION};
use crate::link::Link;
use crate::names::{self, check, key_of_space, space_of};
use crate::node::Node;
use crate::replies::{Said, Written};
use crate::round::{self, Round};

/// What an item takes beside the value: the server's own header, the key, ours, and leases.
const BESIDE: u64 = 2_048;
/// How often a step is tried again that others came before.
pub(crate) const TRIES: usize = 1_000;

const _: () = assert!(HEADER + LEASE * (MOST_LEASES + 1) + 512 <= BESIDE as usize);

/// A store on Memcached servers.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down. A server that is down is not stood in
/// for by others: they would have what was deleted since when it comes back.
pub struct Memcached {
    pub(crate) link: Arc<Link>,
}

/// The names that one server has, and their places among all.
struct Part<'a> {
    at: usize,
    places: Vec<usize>,
    names: Vec<&'a str>,
}

impl Memcached {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self {
            link: Arc::new(Link::new(config)?),
        })
    }

    /// The server of a name.
    ///
    /// # Errors
    /// `Closed`, and `Capacity` for a name that is too long.
    pub(crate) fn node(&self, name: &str) -> Result<&Node, Failure> {
        let node = self.link.node(name)?;
        check(name)?;
        Ok(node)
    }

    /// Refuses a value that is too large.
    ///
    /// # Errors
    /// `Capacity`.
    pub(crate) fn fits(&self, bytes: &Bytes) -> Result<(), Failure> {
        let largest = self.limits().largest_value;
        if bytes.len() as u64 <= largest {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Capacity,
            format!(
                "a value of {} bytes is too large: the server takes {largest}",
                bytes.len()
            ),
            "store less under one name, or raise -I of the servers and item_size=",
        ))
    }

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
    ) -> Result<Vec<Result<round::Answer, Failure>>, Failure> {
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
        let mut all: Vec<Option<Result<round::Answer, Failure>>> =
            names.iter().map(|_| None).collect();
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

    /// Has the date of the servers of these names known, where a life is that long.
    pub(crate) async fn know_date(&self, node: &Node, life: Life) -> Result<u64, Failure> {
        if !life.is_long() {
            return Ok(0);
        }
        if let Some(date) = node.date() {
            return Ok(date);
        }
        let reply = round::one(node, |batch| batch.plain("stats")).await?;
        let Said::Statistics(all) = &reply.said else {
            return Err(reply.unexpected("stats"));
        };
        let date = all.iter().find(|(name, _)| name == "time");
        let date = date.and_then(|(_, text)| text.parse().ok());
        let date: u64 = date.ok_or_else(|| unexpected("stats"))?;
        node.note_date(date);
        Ok(date)
    }

    /// What a value is written with.
    pub(crate) async fn terms(
        &self,
        node: &Node,
        (mode, kind): (Mode, Kind),
        life: Life,
    ) -> Result<Terms, Failure> {
        Ok(Terms {
            mode,
            flags: flags(kind, life.less),
            ends: life.told(self.know_date(node, life).await?),
        })
    }

    /// What is under a name, with the name's key.
    pub(crate) async fn look(
        &self,
        node: &Node,
        name: &str,
    ) -> Result<(Vec<u8>, Option<Item>), Failure> {
        let round = Round {
            node,
            names: &[name],
            is_alone: true,
        };
        let mut answers = round.ask(|_, key, batch| batch.get(key, "vftc")).await?;
        let answer = answers.pop().ok_or_else(|| unexpected("a read"))?;
        Ok((answer.key, Item::read(&answer.reply)?))
    }

    /// The same, with the time by the server's clock.
    pub(crate) async fn look_with_clock(
        &self,
        node: &Node,
        name: &str,
    ) -> Result<(Vec<u8>, Option<Item>, Clock), Failure> {
        let round = Round {
            node,
            names: &[name],
            is_alone: true,
        };
        let asked = round.ask_with_clock(|_, key, batch| batch.get(key, "vftc"));
        let (mut answers, clock) = asked.await?;
        let answer = answers.pop().ok_or_else(|| unexpected("a read"))?;
        Ok((answer.key, Item::read(&answer.reply)?, clock))
    }

    async fn set_one(
        &self,
        name: &str,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<(), Failure> {
        let node = self.node(name)?;
        self.fits(&bytes)?;
        let terms = self
            .terms(node, (Mode::Set, Kind::Value), Life::of(ttl))
            .await?;
        let round = Round {
            node,
            names: &[name],
            is_alone: true,
        };
        let head = header(number(), bytes.len(), Clock::default());
        let answers = round
            .ask(|_, key, batch| batch.set(key, &[&head, &bytes], terms))
            .await?;
        for answer in answers {
            answer.reply.written()?;
        }
        Ok(())
    }

    async fn set_all(&self, entries: &[Entry<'_>]) -> Result<(), Failure> {
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

    /// Deletes what is under a name: what was looked at, or what came in its place.
    async fn delete_one(&self, name: &str) -> Result<bool, Failure> {
        let node = self.node(name)?;
        for attempt in 0..TRIES {
            let round = Round {
                node,
                names: &[name],
                is_alone: true,
            };
            let answers = round.ask(|_, key, batch| batch.get(key, "fc")).await?;
            let Some(answer) = answers.first() else {
                break;
            };
            if !answer.reply.is_there()? {
                return Ok(false);
            }
            let (kind, _) = kind_of(answer.reply.flags)?;
            // At last whatever is there goes: others write it all the time.
            let cas = (attempt + 1 < TRIES).then_some(answer.reply.cas);
            let deleted = round::one(node, |batch| batch.delete(&answer.key, cas)).await?;
            match deleted.written()? {
                Written::Done => return Ok(kind != Kind::Nothing),
                Written::Gone => return Ok(false),
                Written::Not => {}
            }
        }
        Err(contended())
    }

    /// Deletes as [`delete_one`](Self::delete_one) does: all servers are asked what is there, and then to delete that.
    async fn delete_all(&self, names: &[&str]) -> Result<u64, Failure> {
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

    async fn clear_all(&self, prefix: &str) -> Result<u64, Failure> {
        let nodes = self.link.nodes()?;
        if !prefix.contains(':') {
            return Err(Failure::new(
                FailureKind::Capability,
                "a clear of names that are of no one namespace needs a list of them, which Memcached does not have",
                "clear by a prefix with a colon, as the names of a namespace begin: \"shop:\"",
            ));
        }
        if prefix.len() <= names::LONGEST {
            try_join_all(nodes.iter().map(|node| clear_on(node, prefix))).await?;
        }
        Ok(0)
    }
}

/// Gives the names on a server that begin with a prefix another number.
async fn clear_on(node: &Node, prefix: &str) -> Result<(), Failure> {
    let space = space_of(prefix);
    let key = key_of_space(space);
    for _ in 0..TRIES {
        let reply = round::one(node, |batch| batch.get(&key, "vc")).await?;
        let (next, mode) = match reply.data()? {
            // What is no number of ours counts for nothing, and goes.
            Some(data) => {
                let before = Generation::decode(data).unwrap_or_else(Generation::fresh);
                (before.after_clear(space, prefix), Mode::Over(reply.cas))
            }
            None => (Generation::fresh(), Mode::Add),
        };
        let terms = Terms {
            mode,
            flags: 0,
            ends: 0,
        };
        let written = round::one(node, |batch| batch.set(&key, &[&next.encode()], terms)).await?;
        if written.written()? == Written::Done {
            node.note_generation(space, Some(Arc::new(next)));
            return Ok(());
        }
    }
    Err(contended())
}

/// The answer of what is asked on a thread that may block: it is there at once, and costs no more than that of a store without a
/// connection. Else it comes later.
pub(crate) fn given<'a, T>(
    asked: impl Future<Output = Result<T, Failure>> + Send + 'a,
) -> Answer<'a, T> {
    if !everwarm_runtime::may_block() {
        return Answer::later(asked);
    }
    let mut asked = Box::pin(asked);
    match asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(there) => Answer::Now(there),
        Poll::Pending => Answer::Later(asked),
    }
}

impl Store for Memcached {
    fn info(&self) -> Info {
        Info {
            kind: self.link.config().scheme(),
            place: self.link.config().to_string(),
            durability: Durability::Process,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: names::LONGEST,
            largest_value: self.link.config().item_size - BESIDE,
            longest_ttl: Some(LONGEST),
            ttl_precision: PRECISION,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        given(async move {
            let (_, item) = self.look(self.node(name)?, name).await?;
            Ok(item.and_then(|item| item.found()))
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        given(self.set_one(name, bytes, ttl))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        given(self.delete_one(name))
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        given(async move {
            let said = self.ask_all(names, |_, key, batch| batch.get(key, "vft"));
            let found = said.await?.into_iter().map(|answer| {
                let item = Item::read(&answer?.reply)?;
                Ok(item.and_then(|item| item.found()))
            });
            found.collect()
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        given(self.set_all(entries))
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        given(self.delete_all(names))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        given(self.clear_all(prefix))
    }

    fn ping(&self) -> Answer<'_, ()> {
        given(async move {
            let pings = self.link.nodes()?.iter().map(|node| async move {
                let reply = round::one(node, |batch| batch.plain("mn")).await?;
                match reply.said {
                    Said::Word => Ok(()),
                    _ => Err(reply.unexpected("mn")),
                }
            });
            try_join_all(pings).await.map(drop)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.link.close();
        Answer::done(())
    }

    fn after_fork(&self) {
        self.link.leave();
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for Memcached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Memcached")
            .field("place", &self.link.config().to_string())
            .finish_non_exhaustive()
    }
}
