//! The shared store as one process sees it: every verb is a request, and what it hears comes from the bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::lease::Request;
use everwarm_core::mark::{Reading, Tag};
use everwarm_core::store::{
    Answer, Bytes, Computed, Condition, Conditional, Durability, Found, Generations, Grant, Info,
    Leases, Limits, Messages, Notify, Settled, Store,
};

use crate::fault::Fault;
use crate::hearing::Hearing;
use crate::network::Connection;
use crate::server::Settling;

/// How often a process reads the shards' counters.
pub(crate) const BEAT: Duration = Duration::from_millis(400);

/// One process's handle on the shared store.
pub(crate) struct Remote {
    connection: Connection,
    hearing: Arc<Hearing>,
}

impl Remote {
    pub(crate) const fn new(connection: Connection, hearing: Arc<Hearing>) -> Self {
        Self {
            connection,
            hearing,
        }
    }

    /// Reads the shards' counters, again and again.
    pub(crate) async fn beat(self: Arc<Self>) {
        loop {
            let asked = self.connection.clock.now();
            if let Ok(at) = self.connection.ask(|server, _| server.mark()).await {
                self.hearing.beat(at, asked);
            }
            self.connection.network.runtime.sleep(BEAT).await;
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remote").finish_non_exhaustive()
    }
}

impl Store for Remote {
    fn info(&self) -> Info {
        Info {
            kind: "simulated",
            place: String::new(),
            durability: Durability::Process,
            embedded: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            longest_name: 250,
            largest_value: 1 << 20,
            longest_ttl: None,
            ttl_precision: Duration::ZERO,
        }
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.get(&name, caller.now))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.set(&name, bytes, ttl, caller))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.delete(&name, caller))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        let prefix = prefix.to_owned();
        self.connection
            .ask(move |server, caller| server.clear(&prefix, caller))
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.connection.ask(|_, _| ())
    }

    fn close(&self) -> Answer<'_, ()> {
        Answer::done(())
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        Some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        Some(self)
    }
}

impl Conditional for Remote {
    fn set_if<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Answer<'a, Option<u64>> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.set_if(&name, (bytes, ttl), condition, caller))
    }

    fn delete_if<'a>(&'a self, name: &'a str, version: u64) -> Answer<'a, bool> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.delete_if(&name, version, caller))
    }
}

impl Leases for Remote {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.take(&name, token, ttl, caller))
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.holds(&name, token, Request::Renew(ttl), caller))
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        let name = name.to_owned();
        self.connection
            .ask(move |server, caller| server.holds(&name, token, Request::Release, caller))
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let settling = Settling {
            name: name.to_owned(),
            bytes,
            ttl,
            token: Some(token),
            stamps: Vec::new(),
            tags: Vec::new(),
        };
        self.connection
            .ask(move |server, caller| server.settle(&settling, caller) == Settled::Stored)
    }
}

impl Generations for Remote {
    fn begin<'a>(
        &'a self,
        _: &'a str,
        tags: &'a [Tag],
        _: Option<Duration>,
    ) -> Answer<'a, Reading> {
        let tags = tags.to_vec();
        self.connection
            .ask(move |server, caller| server.begin(&tags, caller))
    }

    fn read<'a>(&'a self, _: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        let tags = tags.to_vec();
        self.connection
            .ask(move |server, caller| server.read(&tags, caller))
    }

    fn get_with<'a>(
        &'a self,
        name: &'a str,
        _: &'a str,
        tags: &'a [Tag],
    ) -> Answer<'a, (Option<Found>, Reading)> {
        let (name, tags) = (name.to_owned(), tags.to_vec());
        self.connection
            .ask(move |server, caller| (server.get(&name, caller.now), server.read(&tags, caller)))
    }

    fn invalidate<'a>(&'a self, _: &'a str, tags: &'a [Tag]) -> Answer<'a, Reading> {
        let tags = tags.to_vec();
        self.connection
            .ask(move |server, caller| server.invalidate(&tags, caller))
    }

    fn settle<'a>(&'a self, computed: Computed<'a>) -> Answer<'a, Settled> {
        let settling = settling(&computed);
        self.connection
            .ask(move |server, caller| server.settle(&settling, caller))
    }

    fn settle_many<'a>(&'a self, computed: &'a [Computed<'a>]) -> Answer<'a, Vec<Settled>> {
        let all: Vec<_> = computed.iter().map(settling).collect();
        self.connection.ask(move |server, caller| {
            let each = all.iter().map(|settling| server.settle(settling, caller));
            each.collect()
        })
    }
}

fn settling(computed: &Computed<'_>) -> Settling {
    Settling {
        name: computed.name.to_owned(),
        bytes: computed.bytes.clone(),
        ttl: computed.ttl,
        token: computed.token,
        stamps: computed.stamps.to_vec(),
        tags: computed.tags.to_vec(),
    }
}

impl Notify for Remote {
    fn change(&self) -> u64 {
        self.hearing.change()
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::done(self.hearing.messages(after))
    }

    fn silence(&self) -> Duration {
        self.hearing.silence()
    }

    fn failovers(&self) -> u64 {
        match self.connection.network.fault {
            Some(Fault::FailoverUnheard) => 0,
            Some(Fault::FailoverHeardLate) => self.hearing.failovers(),
            _ => self.hearing.failovers() + self.connection.failovers(),
        }
    }
}
