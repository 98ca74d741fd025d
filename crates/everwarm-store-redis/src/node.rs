//! One server: the connection that tasks share, those of loops and of threads, and when they are given up.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use everwarm_core::store::{Failure, FailureKind};

use crate::address::Address;
use crate::blocking::Asked;
use crate::clock::{Asking, Clock};
use crate::deadline::Deadline;
use crate::dial::Dial;
use crate::idle::{Idle, Line};
use crate::mending::is_damage;
use crate::met::Reign;
use crate::own::Own;
use crate::packed::Packed;
use crate::renewed::Renewed;
use crate::shared::{Cut, Shared};
use crate::value::Value;

/// What a server said.
pub(crate) struct Said {
    /// One reply to each command.
    pub(crate) values: Vec<Value>,
    /// What its clock shows, in milliseconds; nothing if that was not to be known.
    pub(crate) moment: u64,
}

impl Said {
    fn of(mut values: Vec<Value>, clock: &Clock, asking: Option<Asking>) -> Result<Self, Failure> {
        let moment = match asking {
            Some(asking) => clock.moment(asking, &mut values)?,
            None => 0,
        };
        Ok(Self { values, moment })
    }
}

/// One server and the connections to it.
pub(crate) struct Node {
    /// Where it listens.
    pub(crate) address: Address,
    dial: Dial,
    reign: Arc<Reign>,
    shared: Renewed<Shared>,
    own: Own,
    idle: Arc<Idle>,
}

impl Node {
    /// A server that nobody asked yet.
    pub(crate) fn new(address: Address, dial: Dial, reign: Reign) -> Self {
        let reign = Arc::new(reign);
        Self {
            shared: Renewed::new(address.to_string()),
            own: Own::default(),
            address,
            dial,
            idle: Arc::new(Idle::new(Arc::clone(&reign))),
            reign,
        }
    }

    /// Sends what `commands` writes for the server's run, and gives one reply to each command; with what the server's clock shows, if
    /// that is to be known. A thread that may block and asks one server alone has its answer when this is polled first.
    ///
    /// # Errors
    /// If no connection could be had, or it was lost, or time was over.
    pub(crate) async fn exchange(
        &self,
        commands: impl Fn(&str) -> Packed,
        deadline: &Deadline,
        (is_alone, is_timed): (bool, bool),
    ) -> Result<Said, Failure> {
        if is_alone && everwarm_runtime::may_block() {
            if let Some(line) = self.idle.take() {
                let packed = commands(&line.connection.server.run);
                return self.exchange_here(line, (packed, is_timed), deadline).await;
            }
            if self.shared.there().is_some() {
                self.idle.grow(&self.dial, &self.address);
            }
        }
        let there = self.shared.there().filter(|shared| self.is_good(shared));
        let (shared, deadline) = match there {
            Some(shared) => (self.loops_own().unwrap_or(shared), *deadline),
            None => Box::pin(self.connected(deadline)).await?,
        };
        let mut packed = commands(&shared.server.run);
        let asking = is_timed.then(|| shared.clock.ask(&mut packed));
        match shared.exchange(packed, &deadline).await {
            Ok(values) => {
                let said = Said::of(values, &shared.clock, asking);
                // Somebody else's reply: those behind it are, too.
                if said.as_ref().is_err_and(is_damage) {
                    self.shared.give_up(&shared);
                    self.own.give_up(&shared);
                }
                said
            }
            Err(Cut::TimedOut(failure)) => Err(failure),
            Err(Cut::Lost(failure)) => {
                self.shared.give_up(&shared);
                self.own.give_up(&shared);
                self.idle.clear();
                Err(failure)
            }
        }
    }

    /// The connection of the loop whose turn is on, if it has one of its own; else one is made for it, if it can read one.
    fn loops_own(&self) -> Option<Arc<Shared>> {
        let asking = everwarm_runtime::reads_itself()?;
        if self.dial.tls.is_some() {
            return None;
        }
        let own = self.own.of(&asking, &self.address)?;
        if let Some(there) = own.there() {
            if !there.is_over_by_now() && self.reign.lasts(there.reign) {
                return Some(there);
            }
            own.give_up(&there);
        }
        own.renew(|| {
            let of = Arc::downgrade(&asking);
            let dialled = self.dial.clone().own(self.address.clone(), of);
            self.counted(dialled)
        });
        None
    }

    /// A connection, with the number of the reign that it belongs to.
    fn counted<F: Future<Output = Result<Shared, Failure>> + Send>(
        &self,
        dialled: F,
    ) -> impl Future<Output = Result<Shared, Failure>> + Send + use<F> {
        let reign = Arc::clone(&self.reign);
        async move {
            let mut shared = dialled.await?;
            shared.reign = reign.begins(&shared.server);
            Ok(shared)
        }
    }

    /// The same, on this thread, which is blocked for moments: between two of them whoever polls this may look around. Who walks away
    /// ends the connection.
    async fn exchange_here(
        &self,
        mut line: Line,
        (mut packed, is_timed): (Packed, bool),
        deadline: &Deadline,
    ) -> Result<Said, Failure> {
        let asking = is_timed.then(|| line.connection.clock.ask(&mut packed));
        let mut asked = Asked::default();
        let went = poll_fn(|context| {
            let went = line.connection.go_on(&packed, deadline, &mut asked);
            match went.transpose() {
                Some(over) => Poll::Ready(over),
                None => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        });
        match went.await {
            Ok(values) => {
                let said = Said::of(values, &line.connection.clock, asking);
                self.idle.put(line);
                said
            }
            Err(failure) => {
                self.failed(&failure, deadline);
                Err(failure)
            }
        }
    }

    /// Whether the server is there: tasks are connected to it, or are now. A process that lost its server knocks by this connection
    /// alone, and its others wait for that.
    ///
    /// # Errors
    /// That of the last attempt, or of this one.
    pub(crate) async fn is_back(&self, deadline: &Deadline) -> Result<(), Failure> {
        match self.shared.there().filter(|shared| !shared.is_over()) {
            Some(_) => Ok(()),
            None => self.connected(deadline).await.map(drop),
        }
    }

    /// The run of the server that tasks are connected to, if they are.
    pub(crate) fn run(&self) -> Option<Box<str>> {
        self.shared.there().map(|shared| shared.server.run.clone())
    }

    /// The run of the server that a connection ends at which is made for this; `None` if there is none.
    pub(crate) async fn fresh_run(&self) -> Option<Box<str>> {
        let runtime = everwarm_runtime::handle().ok()?;
        let dialled = runtime.spawn(self.dial.clone().shared(self.address.clone()));
        let connection = dialled.await.ok()?.ok()?;
        Some(connection.server.run.clone())
    }

    /// Whether a connection has not ended, and leads to who answers here by now.
    fn is_good(&self, shared: &Shared) -> bool {
        !shared.is_over() && self.reign.lasts(shared.reign)
    }

    /// The connection that tasks share, once it is there: one that has ended while nobody asked is replaced. The first is waited for
    /// beside the time for an answer.
    async fn connected(&self, deadline: &Deadline) -> Result<(Arc<Shared>, Deadline), Failure> {
        if let Some(shared) = self.shared.there()
            && !self.is_good(&shared)
        {
            self.shared.give_up(&shared);
        }
        let is_first = self.shared.is_first();
        let dial = || self.counted(self.dial.clone().shared(self.address.clone()));
        let shared = self.shared.get((deadline, self.dial.limit), dial).await;
        let shared = shared.map_err(Failure::unasked)?;
        Ok((shared, if is_first { deadline.anew() } else { *deadline }))
    }

    /// Takes note that the connection of a thread failed: what ended it has probably ended the others.
    fn failed(&self, failure: &Failure, deadline: &Deadline) {
        self.idle.clear();
        if let Some(shared) = self.shared.there()
            && failure.kind == FailureKind::Timeout
            && shared.missed(deadline.began())
        {
            self.shared.give_up(&shared);
        }
    }

    /// Lets go of what a parent process asked on: the descriptors, where nobody had them in hand at the fork.
    pub(crate) fn leave(&self) {
        self.idle.leave();
    }

    /// Drops all connections, for good.
    pub(crate) fn close(&self) {
        self.shared.close();
        self.own.close();
        self.idle.close();
    }
}
