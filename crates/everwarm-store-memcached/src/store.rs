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
use futures_util::future::try_join_all;

use crate::batch::{Mode, Terms};
use crate::config::Config;
use crate::error::{contended, unexpected};
use crate::item::{Clock, HEADER, Item, Kind, LEASE, MOST_LEASES, flags, header, kind_of};
use crate::life::{LONGEST, Life, PRECISION};
use crate::link::Link;
use crate::names::{self, check};
use crate::node::Node;
use crate::replies::{Said, Written};
use crate::round::{self, Round};
use everwarm_network::chance::number;

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

    /// Deletes what is under a name: what was looked at, or what came in its place.
    pub(crate) async fn delete_one(&self, name: &str) -> Result<bool, Failure> {
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
