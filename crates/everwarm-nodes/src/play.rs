//! One run: what a seed has in store is played, and what happened is checked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use everwarm_core::clock::Instant;

use crate::checker::{self, Wrong};
use crate::draw::Draw;
use crate::fault::Fault;
use crate::history::{Event, Incident, NOBODY, What};
use crate::network::Network;
use crate::node::{Machine, Running};
use crate::runtime::Runtime;
use crate::server::Server;
use crate::weather::{DAWN, DAY, Weather};

/// What came of a seed.
#[derive(Debug)]
pub struct Run {
    /// What it had in store.
    pub weather: Weather,
    /// What happened.
    pub history: Vec<Event>,
    /// What must not have.
    pub wrong: Vec<Wrong>,
    /// How many steps tasks took.
    pub steps: u64,
}

/// The owner of what belongs to no node.
const WORLD: u64 = 0;

/// A machine and the process on it.
type Host = (Machine, Option<Running>);

/// Plays a seed.
#[must_use]
pub fn play(seed: u64, fault: Option<Fault>) -> Run {
    let mut draw = Draw::new(seed);
    let weather = Weather::draw(&mut draw, fault);
    let runtime = Runtime::new(DAWN);
    let network = Network::new(&runtime, &weather, draw.split(), fault);
    let mut hosts = Vec::new();
    for number in 0..weather.nodes {
        let machine = Machine::new(number, &network, &weather);
        let running = machine.start();
        hosts.push((machine, Some(running)));
    }
    let hosts = Arc::new(Mutex::new(hosts));
    for (at, span, incident) in weather.incidents.clone() {
        let world = World {
            network: network.clone(),
            hosts: Arc::clone(&hosts),
        };
        runtime.spawn(WORLD, world.disturb(at, span, incident));
    }
    let steps = runtime.run(DAWN.after(DAY), &mut draw);
    let history = network.recorder.take();
    let wrong = checker::check(&history, &weather);
    Run {
        weather,
        history,
        wrong,
        steps,
    }
}

/// What can be disturbed.
struct World {
    network: Network,
    hosts: Arc<Mutex<Vec<Host>>>,
}

impl World {
    async fn wait_until(&self, at: Instant) {
        let runtime = &self.network.runtime;
        runtime.sleep(at.since(runtime.now())).await;
    }

    async fn disturb(self, at: Instant, span: Duration, incident: Incident) {
        let replica = if let Incident::Failover(since) = incident {
            self.wait_until(since).await;
            Some(self.network.server(|server| server.clone()))
        } else {
            None
        };
        self.wait_until(at).await;
        let until = at.after(span);
        self.network
            .recorder
            .record(NOBODY, What::Disturbed(incident, until));
        match incident {
            Incident::BusCut { node, noticed } => {
                self.network.cut_bus(node, until);
                self.wait_until(until).await;
                if noticed {
                    self.network.reconnect(node);
                }
            }
            Incident::LinkCut(node) => self.network.cut_link(node, until),
            Incident::Isolated(node) => {
                self.network.cut_link(node, until);
                self.network.cut_bus(node, until);
            }
            Incident::Slow => self.network.slow(until),
            Incident::Kill(node) => self.kill(node, until).await,
            Incident::Forged { node, ahead } => self.network.forge(node, ahead),
            Incident::Restart => self.network.server(Server::restart),
            Incident::MarkersLost => self.network.server(Server::lose_markers),
            Incident::Failover(_) => {
                let replica = replica.expect("it was copied");
                self.network.server(|server| server.fail_over(replica));
            }
        }
    }

    async fn kill(&self, node: usize, until: Instant) {
        {
            let mut hosts = self.hosts.lock().expect("no panic");
            let (machine, running) = &mut hosts[node];
            let Some(running) = running.take() else {
                return;
            };
            machine.kill(&running);
        }
        self.wait_until(until).await;
        let mut hosts = self.hosts.lock().expect("no panic");
        let (machine, running) = &mut hosts[node];
        *running = Some(machine.start());
    }
}
