//! The way to the servers: each request goes to the one that has its slot, wherever that is by now, in one trip for each server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use everwarm_core::store::{Failure, FailureKind};
use everwarm_runtime::process_id;
use futures_util::future::join_all;
use redis::{Pipeline, ServerError, ServerErrorKind};
use rustls::ClientConfig;

use crate::address::Address;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{answered, closed};
use crate::map::Map;
use crate::met::Failovers;
use crate::node::{Node, Said};
use crate::packed::Packed;
use crate::request::{Form, Request, answer};
use crate::topology::Topology;
use crate::value::Value;

/// How often a request may be sent on: to where its slot is, while it moves, and with its script.
const TRIPS: usize = 5;
/// How long a request is held back whose keys lie with two servers while their slot moves: longer each time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What a server said to a request.
pub(crate) type Reply = Result<Value, Failure>;

/// What a server said to a read.
pub(crate) struct Timed {
    pub(crate) value: Value,
    /// What the server's clock shows, in milliseconds; nothing if the request was no read of entries.
    pub(crate) moment: u64,
}

/// The way to the servers, for all processes that inherit it.
pub(crate) struct Link {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    first: Process,
    failovers: Failovers,
    is_closed: AtomicBool,
}

/// The connections of one process, and those of the child that it forked.
struct Process {
    id: u32,
    topology: Option<Arc<Topology>>,
    child: OnceLock<Box<Process>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process_id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            std::mem::forget(self.topology.take());
        }
    }
}

/// Where a request goes next, and how.
struct Step {
    at: usize,
    node: Option<Arc<Node>>,
    form: Form,
    /// Whether it is a while before it may be asked again: it was not done, and its reply says why.
    is_held: bool,
}

impl Step {
    /// That of a request which nobody has sent yet.
    fn first(at: usize) -> Self {
        Self {
            at,
            node: None,
            form: Form::default(),
            is_held: false,
        }
    }
}

impl Link {
    /// A way that nobody went yet.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let tls = config
            .tls
            .as_ref()
            .map(everwarm_network::tls::configured)
            .transpose()?;
        let failovers = Failovers::default();
        let first = Process::new(&config, tls.clone(), &failovers);
        Ok(Self {
            config,
            tls,
            first,
            failovers,
            is_closed: AtomicBool::new(false),
        })
    }

    /// What the store was told.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// The servers, as this process knows them.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn topology(&self) -> Result<&Arc<Topology>, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            process = process.child.get_or_init(|| {
                Box::new(Process::new(
                    &self.config,
                    self.tls.clone(),
                    &self.failovers,
                ))
            });
        }
        process.topology.as_ref().ok_or_else(closed)
    }

    /// How often another server took over: another number before the first answer of one that did is given.
    pub(crate) const fn failovers(&self) -> &Failovers {
        &self.failovers
    }

    /// Asks one thing.
    ///
    /// # Errors
    /// What stood in the way, or what the server refused.
    pub(crate) async fn ask_one(&self, request: Request) -> Reply {
        Ok(self.read_one(&request).await?.value)
    }

    /// Reads one thing.
    ///
    /// # Errors
    /// What stood in the way, or what the server refused.
    pub(crate) async fn read_one(&self, request: &Request) -> Result<Timed, Failure> {
        let topology = self.topology()?;
        let deadline = Deadline::after(self.config.timeout, request.size());
        let requests = std::slice::from_ref(request);
        let Some(node) = topology.only() else {
            let mut replies = Box::pin(self.read_by_map(topology, requests, deadline)).await?;
            return replies.pop().unwrap_or_else(|| Err(closed()));
        };
        // Nothing has to be found out, and nearly always nothing is sent on.
        let commands = |server: &str| {
            let mut packed = Packed::with_room(request.room());
            request.write(&mut packed, Form::default(), server);
            packed
        };
        let said = node.exchange(commands, &deadline, (true, request.is_timed()));
        match said.await {
            Ok(Said { mut values, moment }) if matches!(values.as_slice(), [value] if !matches!(value, Value::ServerError(_))) =>
            {
                let value = values.swap_remove(0);
                Ok(Timed { value, moment })
            }
            said => {
                let trip = (vec![Step::first(0)], said);
                let rest = self.go_on((topology, node), requests, trip, deadline);
                let mut replies = Box::pin(rest).await?;
                replies.pop().unwrap_or_else(|| Err(closed()))
            }
        }
    }

    /// Asks many things, and gives a reply to each, in their order.
    ///
    /// # Errors
    /// If nothing can be asked at all: the store is closed, or no server is known.
    pub(crate) async fn ask(&self, requests: &[Request]) -> Result<Vec<Reply>, Failure> {
        let replies = self.read(requests).await?.into_iter();
        Ok(replies.map(|reply| Ok(reply?.value)).collect())
    }

    /// The same of things that are read.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn read(
        &self,
        requests: &[Request],
    ) -> Result<Vec<Result<Timed, Failure>>, Failure> {
        let topology = self.topology()?;
        match requests {
            // Nobody would ever answer that.
            [] => return Ok(Vec::new()),
            [request] => return Ok(vec![self.read_one(request).await]),
            _ => {}
        }
        let size = requests.iter().map(Request::size).sum();
        let deadline = Deadline::after(self.config.timeout, size);
        let Some(node) = topology.only() else {
            return Box::pin(self.read_by_map(topology, requests, deadline)).await;
        };
        let steps: Vec<Step> = (0..requests.len()).map(Step::first).collect();
        let said = go(node, requests, &steps, (&deadline, true)).await;
        self.go_on((topology, node), requests, (steps, said), deadline)
            .await
    }

    /// Reads from servers of which it has to be found out which has what.
    async fn read_by_map(
        &self,
        topology: &Topology,
        requests: &[Request],
        deadline: Deadline,
    ) -> Result<Vec<Result<Timed, Failure>>, Failure> {
        let steps = (0..requests.len()).map(Step::first).collect();
        let mut replies: Vec<_> = requests.iter().map(|_| Err(sent_on())).collect();
        self.send_on(topology, (requests, deadline), (steps, &mut replies))
            .await?;
        Ok(replies)
    }

    /// Takes what the only server said to the first trip, and goes on with what it sent on.
    async fn go_on(
        &self,
        (topology, node): (&Topology, &Arc<Node>),
        requests: &[Request],
        trip: (Vec<Step>, Result<Said, Failure>),
        deadline: Deadline,
    ) -> Result<Vec<Result<Timed, Failure>>, Failure> {
        let mut replies: Vec<_> = requests.iter().map(|_| Err(sent_on())).collect();
        let mut steps = Vec::new();
        take(topology, (node, requests), trip, (&mut replies, &mut steps));
        if !steps.is_empty() {
            let rest = self.send_on(topology, (requests, deadline), (steps, &mut replies));
            Box::pin(rest).await?;
        }
        Ok(replies)
    }

    /// Goes the steps that are left, wherever they lead.
    async fn send_on(
        &self,
        topology: &Topology,
        (requests, mut deadline): (&[Request], Deadline),
        (mut steps, replies): (Vec<Step>, &mut [Result<Timed, Failure>]),
    ) -> Result<(), Failure> {
        if topology.is_new() {
            topology.map(&deadline).await?;
            deadline = deadline.anew();
        }
        let (mut left, mut pause) = (TRIPS, FIRST_PAUSE);
        while left > 0 && !steps.is_empty() {
            if steps.iter().all(|step| !step.is_held) {
                left -= 1;
            } else if deadline.pauses(pause).await? {
                pause = (2 * pause).min(LONGEST_PAUSE);
            } else {
                steps.retain(|step| !step.is_held);
                continue;
            }
            let map = topology.map(&deadline).await?;
            let trips = sorted(&map, requests, steps, replies);
            let is_alone = trips.len() == 1;
            let gone = trips.into_iter().map(|(node, steps)| {
                let deadline = &deadline;
                async move {
                    let said = go(&node, requests, &steps, (deadline, is_alone)).await;
                    (node, steps, said)
                }
            });
            steps = Vec::new();
            for (node, trip, said) in join_all(gone).await {
                take(
                    topology,
                    (&node, requests),
                    (trip, said),
                    (&mut *replies, &mut steps),
                );
            }
        }
        Ok(())
    }

    /// Asks one server, and gives one reply to each command.
    ///
    /// # Errors
    /// If no server is known.
    pub(crate) async fn ask_node(
        &self,
        node: &Arc<Node>,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Failure> {
        let deadline = Deadline::after(self.config.timeout, 0);
        let said = node
            .exchange(|_| Packed::from(pipeline), &deadline, (true, false))
            .await;
        if said.is_err() {
            self.topology()?.look_again();
        }
        Ok(said?.values)
    }

    /// The masters, as they are known.
    ///
    /// # Errors
    /// If they are not, and cannot be found out.
    pub(crate) async fn masters(&self) -> Result<Vec<Arc<Node>>, Failure> {
        Ok(self.map().await?.nodes.clone())
    }

    /// The masters, and which has which slot.
    ///
    /// # Errors
    /// If they are not known, and cannot be found out.
    pub(crate) async fn map(&self) -> Result<Arc<Map>, Failure> {
        let deadline = Deadline::after(self.config.timeout, 0);
        self.topology()?.map(&deadline).await
    }

    /// Lets go, in the child of a fork, of what its parent asked on.
    pub(crate) fn leave(&self) {
        let mut process = &self.first;
        while let Some(child) = process.child.get() {
            process = child;
        }
        if let (Some(topology), true) = (&process.topology, process.id != process_id()) {
            topology.leave();
        }
    }

    /// Ends all connections of this process, for good.
    pub(crate) fn close(&self) {
        let topology = self.topology().cloned();
        self.is_closed.store(true, Ordering::Relaxed);
        if let Ok(topology) = topology {
            topology.close();
        }
    }
}

impl Process {
    fn new(config: &Config, tls: Option<Arc<ClientConfig>>, failovers: &Failovers) -> Self {
        Self {
            id: process_id(),
            topology: Some(Topology::new(config, tls, failovers)),
            child: OnceLock::new(),
        }
    }
}

type Trip = (Arc<Node>, Vec<Step>);

/// The steps by the servers that they go to.
fn sorted(
    map: &Map,
    requests: &[Request],
    steps: Vec<Step>,
    replies: &mut [Result<Timed, Failure>],
) -> Vec<Trip> {
    let mut trips: Vec<Trip> = Vec::new();
    for mut step in steps {
        let node = step.node.take();
        let Some(node) = node.or_else(|| map.node(requests[step.at].slot).cloned()) else {
            replies[step.at] = Err(unserved());
            continue;
        };
        match trips
            .iter_mut()
            .find(|(other, _)| Arc::ptr_eq(other, &node))
        {
            Some((_, steps)) => steps.push(step),
            None => trips.push((node, vec![step])),
        }
    }
    trips
}

/// Sends the requests of some steps to their server.
async fn go(
    node: &Node,
    requests: &[Request],
    steps: &[Step],
    (deadline, is_alone): (&Deadline, bool),
) -> Result<Said, Failure> {
    let is_timed = steps.iter().any(|step| requests[step.at].is_timed());
    let commands = |server: &str| {
        let room = steps.iter().map(|step| requests[step.at].room());
        let mut packed = Packed::with_room(room.sum());
        for step in steps {
            requests[step.at].write(&mut packed, step.form, server);
        }
        packed
    };
    node.exchange(commands, deadline, (is_alone, is_timed))
        .await
}

type Taken<'a> = (&'a mut [Result<Timed, Failure>], &'a mut Vec<Step>);

/// Takes what a server said to the requests of some steps; what it sent on is a step again.
fn take(
    topology: &Topology,
    (node, requests): (&Arc<Node>, &[Request]),
    (trip, said): (Vec<Step>, Result<Said, Failure>),
    (replies, steps): Taken<'_>,
) {
    let Said { values, moment } = match said {
        Ok(said) => said,
        Err(failure) => {
            topology.look_again();
            for step in trip {
                replies[step.at] = Err(failure.clone());
            }
            return;
        }
    };
    let mut values = values.into_iter();
    for step in trip {
        let count = requests[step.at].replies(step.form);
        match answer(values.by_ref().take(count)) {
            Ok(value) => replies[step.at] = Ok(Timed { value, moment }),
            Err(error) => match sent(topology, node, &error, &step) {
                Some(next) => {
                    if next.is_held {
                        replies[step.at] = Err(answered(&error));
                    }
                    steps.push(next);
                }
                None => replies[step.at] = Err(answered(&error)),
            },
        }
    }
}

/// Where a request goes that a server sent on, if it did.
fn sent(topology: &Topology, node: &Arc<Node>, error: &ServerError, step: &Step) -> Option<Step> {
    let next = |node: Arc<Node>, form| {
        Some(Step {
            at: step.at,
            node: Some(node),
            form,
            is_held: false,
        })
    };
    let to = || {
        let (_, place) = error.details()?.split_once(' ')?;
        let place = place.split_whitespace().next()?;
        redirected(place, &node.address).map(|address| topology.node_at(&address))
    };
    match error.kind() {
        Some(ServerErrorKind::NoScript) => next(
            Arc::clone(node),
            Form {
                is_whole: true,
                ..step.form
            },
        ),
        Some(ServerErrorKind::Moved) => {
            topology.look_again();
            next(
                to()?,
                Form {
                    is_asking: false,
                    ..step.form
                },
            )
        }
        Some(ServerErrorKind::Ask) => next(
            to()?,
            Form {
                is_asking: true,
                ..step.form
            },
        ),
        // Refused before anything was done, for as long as some of its keys are there and others are not.
        Some(ServerErrorKind::TryAgain) => {
            let again = next(Arc::clone(node), step.form);
            again.map(|step| Step {
                is_held: true,
                ..step
            })
        }
        Some(
            ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::ExecAbort,
        ) => {
            topology.look_again();
            None
        }
        _ => None,
    }
}

/// The address that a server sends on to; one without a host is a port of its own host.
fn redirected(place: &str, asked: &Address) -> Option<Address> {
    let (host, port) = place.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match (host, asked) {
        ("", Address::Tcp { host, .. }) => host.clone(),
        ("", Address::Unix(_)) => return None,
        _ => host.to_owned(),
    };
    Some(Address::Tcp { host, port })
}

fn sent_on() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "the cluster sent a request on too often",
        "it should pass once the slots have stopped to move",
    )
}

fn unserved() -> Failure {
    Failure::new(
        FailureKind::Transient,
        "no server of the cluster has the slot of a name",
        "look whether a master is down that has no replica: CLUSTER INFO",
    )
}
