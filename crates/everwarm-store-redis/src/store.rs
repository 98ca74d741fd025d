//! The store: its verbs, each written once, whichever way it is asked.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, FailureKind, Found,
    Generations, Health, Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};

use crate::bus::Bus;
use crate::clock::QUICK;
use crate::config::{Config, Place};
use crate::entry::{HEADER, LONGEST, found_at, millis};
use crate::error::{answered, closed, unexpected};
use crate::facets::scan::Scans;
use crate::hearing::Hearing;
use crate::keys::{Keys, Layout, Shard, is_told, namespace_of};
use crate::link::{Link, Reply, Timed};
use crate::lots::Lot;
use crate::markers::opening;
use crate::mending::InSlot;
use crate::packed::Packed;
use crate::prepared::Reads;
use crate::recalled::Recalled;
use crate::request::{Request, answer};
use crate::script::{Argument, Script, script};
use crate::teller::Trust;
use crate::told::of_key;
use crate::value::Value;
use everwarm_network::chance::number;

/// Bytes of a name.
const LONGEST_NAME: usize = 1024;
/// How many reads of one shard are one question: so many take the server about as long as their tasks take to ask.
const LOT: usize = 32;
/// By how much less may be said to be left of an entry than is, and how long it may outlive its end.
const PRECISION: Duration = QUICK.saturating_add(Duration::from_millis(2));
/// What Redis takes under one key.
const LARGEST: u64 = 512 << 20;

script!(
    /// Sets an entry, and tells of it.
    SET = "now.lua", "put.lua", "shard.lua", "waiters.lua", "set.lua"
);
script!(
    /// Deletes an entry, and tells of it.
    DELETE = "shard.lua", "waiters.lua", "delete.lua"
);

/// A store on Redis or Valkey: one server, the master that sentinels name, or a cluster.
///
/// Nothing is connected before it is needed, and to open one never fails because a server is down.
pub struct Redis {
    pub(crate) link: Arc<Link>,
    pub(crate) layout: Layout,
    pub(crate) scans: Scans,
    pub(crate) bus: Bus,
    pub(crate) reads: Reads,
    pub(crate) recalled: Recalled,
}

impl Redis {
    /// A store as `config` says.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub fn open(config: Config) -> Result<Self, Failure> {
        let layout = match config.place {
            Place::Cluster(_) => Layout::SPREAD,
            _ => Layout::ONE,
        };
        let link = Arc::new(Link::new(config)?);
        Ok(Self {
            bus: Bus::new(layout, Trust::default(), link.failovers()),
            link,
            layout,
            scans: Scans::default(),
            reads: Reads::default(),
            recalled: Recalled::default(),
        })
    }

    /// The keys of a name.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long.
    pub(crate) fn keys(&self, name: &str) -> Result<Keys, Failure> {
        check(name)?;
        Ok(self.layout.keys(name))
    }

    /// A script on the keys of a name.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long.
    pub(crate) fn on(
        &self,
        script: &'static Script,
        name: &str,
        arguments: Vec<Argument>,
    ) -> Result<Request, Failure> {
        let Keys { entry, lease, slot } = self.keys(name)?;
        Ok(Request::script(slot, script, vec![entry, lease], arguments))
    }

    /// What is written, as scripts are given it: header, bytes and milliseconds; and the number of the write.
    ///
    /// # Errors
    /// `Capacity` for a value that is too large.
    pub(crate) fn written(
        &self,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<(Vec<Argument>, u64), Failure> {
        if bytes.len() as u64 > self.limits().largest_value {
            return Err(Failure::new(
                FailureKind::Capacity,
                format!("a value of {} bytes is too large for Redis", bytes.len()),
                "store less under one name",
            ));
        }
        let version = number();
        let arguments = vec![Argument::Written(version, bytes), millis(ttl).into()];
        Ok((arguments, version))
    }

    pub(crate) fn set_one(
        &self,
        name: &str,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Result<Request, Failure> {
        let (written, _) = self.written(bytes, ttl)?;
        self.told(&SET, name, written)
    }

    /// As [`on`](Self::on), of a script that tells others of it.
    ///
    /// # Errors
    /// `Capacity` for a name that is too long.
    pub(crate) fn told(
        &self,
        script: &'static Script,
        name: &str,
        mut arguments: Vec<Argument>,
    ) -> Result<Request, Failure> {
        let Keys { entry, lease, slot } = self.keys(name)?;
        let shard = self.layout.shard_of_name(name);
        arguments.extend(self.opening(&shard));
        let teller = &self.hearing().teller;
        let message = is_told(name).then(|| teller.says(&shard, of_key(name)));
        arguments.push(message.unwrap_or_default().into());
        let keys = vec![entry, lease, shard.key];
        Ok(Request::script(slot, script, keys, arguments))
    }

    fn read(&self, name: &str) -> Result<Request, Failure> {
        let Keys { entry, slot, .. } = self.keys(name)?;
        self.attend(namespace_of(name));
        let mut read = Packed::default();
        read.parts("GET", &[&entry]);
        Ok(Request::read(slot, read))
    }

    /// What a step on a shard is given first: a fresh epoch, the channel, and what its messages begin with.
    pub(crate) fn opening(&self, shard: &Shard) -> [Argument; 3] {
        let database = self.link.config().database;
        let heading = self.hearing().teller.heading(shard.number);
        opening(shard, database, heading)
    }

    /// What this process heard.
    pub(crate) fn hearing(&self) -> &Hearing {
        self.bus.here().hearing()
    }

    /// Listens to a namespace from here on.
    pub(crate) fn attend(&self, space: &str) {
        if is_told(space) {
            self.bus.here().attend(space, &self.link);
        }
    }

    /// Asks one thing whose answer is a number.
    pub(crate) async fn number(&self, request: Result<Request, Failure>) -> Result<i64, Failure> {
        integer(self.asked(request?).await)
    }

    /// Asks one thing. What others wrote under its keys is taken away.
    pub(crate) async fn asked(&self, request: Request) -> Reply {
        let requests = [request];
        let mut replies = self.link.ask(&requests).await?;
        let reply = replies.pop().unwrap_or_else(|| Err(closed()));
        self.mended(reply, || keys_of(&requests)).await
    }

    /// Asks many things whose answers are numbers.
    pub(crate) async fn numbers(
        &self,
        requests: Result<Vec<Request>, Failure>,
    ) -> Result<Vec<i64>, Failure> {
        let requests = requests?;
        let replies = self.link.ask(&requests).await?;
        let was_asked = |reply: &Reply| !matches!(reply, Err(failure) if failure.is_unasked());
        let in_part = replies.iter().any(was_asked);
        let numbers: Result<_, Failure> = replies.into_iter().map(integer).collect();
        let numbers = match in_part {
            true => numbers.map_err(Failure::in_part),
            false => numbers,
        };
        self.mended(numbers, || keys_of(&requests)).await
    }
}

/// Refuses a name that is too long.
///
/// # Errors
/// `Capacity`.
pub(crate) fn check(name: &str) -> Result<(), Failure> {
    if name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Capacity,
        format!("a name of {} bytes is too long for the store", name.len()),
        "use names of 1024 bytes at most",
    ))
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

fn keys_of(requests: &[Request]) -> Vec<InSlot> {
    requests.iter().map(Request::keys).collect()
}

pub(crate) fn integer(reply: Reply) -> Result<i64, Failure> {
    match reply? {
        Value::Int(number) => Ok(number),
        _ => Err(unexpected("a script")),
    }
}

impl Store for Redis {
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
            longest_name: LONGEST_NAME,
            largest_value: LARGEST - HEADER as u64,
            longest_ttl: Some(LONGEST),
            ttl_precision: PRECISION,
        }
    }

    fn lot(&self) -> Option<usize> {
        Some(LOT * usize::from(self.layout.shards))
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        given(async move {
            let Timed { value, moment } = self.link.read_one(&self.read(name)?).await?;
            found_at(value, moment)
        })
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        given(async move {
            let request = self.set_one(name, bytes, ttl);
            self.number(request).await.map(|_| ())
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        let request = self.told(&DELETE, name, Vec::new());
        given(async move { Ok(self.number(request).await? == 1) })
    }

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        given(async move {
            let lots = self.lots(names)?;
            let asked: Vec<_> = lots.iter().map(Lot::request).collect();
            let replies = self.link.read(&asked).await?;
            let mut all = vec![None; names.len()];
            for (lot, reply) in lots.iter().zip(replies) {
                drop(lot.take(reply?, &mut all)?);
            }
            Ok(all)
        })
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        let requests = entries
            .iter()
            .map(|entry| self.set_one(entry.name, entry.bytes.clone(), entry.ttl));
        let requests = requests.collect();
        given(async move { self.numbers(requests).await.map(|_| ()) })
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        let requests = names
            .iter()
            .map(|name| self.told(&DELETE, name, Vec::new()));
        let requests = requests.collect();
        given(async move {
            let were = self.numbers(requests).await?;
            Ok(were.into_iter().filter(|&was| was == 1).count() as u64)
        })
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        given(self.clear_all(prefix))
    }

    fn ping(&self) -> Answer<'_, ()> {
        given(async move {
            let mut ping = redis::pipe();
            ping.cmd("PING");
            for node in self.link.masters().await? {
                let said = self.link.ask_node(&node, &ping).await?;
                answer(said).map_err(|error| answered(&error))?;
            }
            Ok(())
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.bus.here().close();
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

    fn scan(&self) -> Option<&dyn Scan> {
        Some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        Some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        Some(self)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Redis")
            .field("place", &self.link.config().to_string())
            .finish_non_exhaustive()
    }
}
