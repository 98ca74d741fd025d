//! What a seed has in store: how many nodes there are, how slow everything is, and what goes wrong when.

use std::time::Duration;

use everwarm_core::clock::Instant;

use crate::draw::Draw;
use crate::fault::Fault;
use crate::history::{Incident, Node};

/// When a run begins, by the world's clock.
pub(crate) const DAWN: Instant = Instant::from_nanos(3_600_000_000_000);
/// How long it is busy.
pub(crate) const DAY: Duration = Duration::from_secs(20);

/// Within which time somebody has taken a step on a server that took over.
const HEARD: Duration = Duration::from_secs(1);

/// The conditions of one run.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How many nodes there are.
    pub nodes: Node,
    /// Whether they have a disk of their own in front of the store.
    pub disks: bool,
    /// How long values are fresh.
    pub ttl: Duration,
    /// The longest way to the store or back, in milliseconds.
    pub latency: u64,
    /// The longest way of a message, in milliseconds.
    pub bus: u64,
    /// How long a process takes at most until it listens, in milliseconds.
    pub joins: u64,
    /// How many messages of a hundred are lost.
    pub lost: u64,
    /// Whether messages overtake each other.
    pub reorders: bool,
    /// How many requests of a thousand fail.
    pub failing: u64,
    /// How many of a hundred things that workers do undo or set something.
    pub undoings: u64,
    /// How many messages a node keeps until it looks.
    pub inbox: usize,
    /// What goes wrong: when, for how long, and what.
    pub incidents: Vec<(Instant, Duration, Incident)>,
}

impl Weather {
    /// The weather of a seed: three in ten are calm. Where a failover is what a planted fault is about, there is none without one.
    #[must_use]
    pub(crate) fn draw(draw: &mut Draw, fault: Option<Fault>) -> Self {
        let mut weather = Self::of_any_kind(draw);
        if fault.is_some_and(Fault::is_of_failovers) {
            weather.incidents.push(Self::failover(draw));
            weather.in_order();
        }
        weather
    }

    fn of_any_kind(draw: &mut Draw) -> Self {
        let nodes = 2 + draw.below(2) as Node;
        let calm = Self {
            nodes,
            disks: draw.chance(70),
            ttl: Duration::from_secs([4, 60][draw.below(2) as usize]),
            latency: 1 + draw.below(10),
            bus: 2 + draw.below(30),
            joins: draw.below(150),
            lost: 0,
            reorders: false,
            failing: 0,
            undoings: [23, 23, 2][draw.below(3) as usize],
            inbox: 1_000,
            incidents: Vec::new(),
        };
        if draw.chance(30) {
            return calm;
        }
        let slowest = if draw.chance(30) { 1_000 } else { 50 };
        let mut weather = Self {
            latency: 1 + draw.below(40),
            bus: 2 + draw.below(slowest),
            joins: draw.below(1_500),
            lost: if draw.chance(50) { draw.below(30) } else { 0 },
            reorders: draw.chance(30),
            failing: if draw.chance(30) { draw.below(30) } else { 0 },
            inbox: if draw.chance(20) { 2 } else { 1_000 },
            ..calm
        };
        let count = draw.below(4);
        weather.incidents = (0..count).map(|_| weather.incident(draw)).collect();
        weather.in_order();
        weather
    }

    fn in_order(&mut self) {
        self.incidents.sort_by_key(|(at, ..)| *at);
        self.forgo_the_unstated();
    }

    /// A server that takes over from one that took over itself, and of which it has not heard that yet, gives the same numbers as that
    /// one: this nobody promises to outlive. And a forged message takes the place of one with the same number that is lost: where messages
    /// are lost, only who authenticates them can tell.
    fn forgo_the_unstated(&mut self) {
        let is_lossy = self.lost > 0;
        let mut last: Option<Instant> = None;
        self.incidents.retain(|(at, _, incident)| {
            let Incident::Failover(since) = incident else {
                return !(is_lossy && matches!(incident, Incident::Forged { .. }));
            };
            let is_heard = last.is_none_or(|last| last.after(HEARD) < *since);
            if is_heard {
                last = Some(*at);
            }
            is_heard
        });
    }

    fn incident(&self, draw: &mut Draw) -> (Instant, Duration, Incident) {
        let at = Self::sometime(draw);
        let span = draw.millis(200, 5_000);
        let node = draw.below(self.nodes as u64) as Node;
        let incident = match draw.below(11) {
            0 | 1 => Incident::BusCut {
                node,
                noticed: draw.chance(50),
            },
            2 => Incident::LinkCut(node),
            3 => Incident::Slow,
            8 => Incident::Isolated(node),
            4 | 5 => Incident::Kill(node),
            6 => Incident::Restart,
            7 => Incident::MarkersLost,
            10 => Incident::Forged {
                node,
                ahead: [1, 3, 1_000][draw.below(3) as usize],
            },
            _ => return Self::failover_at(at, draw),
        };
        (at, span, incident)
    }

    fn failover(draw: &mut Draw) -> (Instant, Duration, Incident) {
        Self::failover_at(Self::sometime(draw), draw)
    }

    fn failover_at(at: Instant, draw: &mut Draw) -> (Instant, Duration, Incident) {
        let lag = draw.millis(1, 1_000);
        (at, lag, Incident::Failover(at.before(lag)))
    }

    fn sometime(draw: &mut Draw) -> Instant {
        DAWN.after(draw.millis(500, 15_000))
    }

    /// Whether messages flow as they should: then others learn of everything within half a second.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        let flows = self.lost == 0 && !self.reorders && self.bus <= 50 && self.inbox > 100;
        flows && self.joins <= 150 && self.failing == 0 && self.incidents.is_empty()
    }
}
