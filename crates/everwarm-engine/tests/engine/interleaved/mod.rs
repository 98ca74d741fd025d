//! The worlds that the search goes through: one far tier, two processes with a nearer tier and memory of their own, and who acts in
//! them. One key, one tag, one shard. Every step is what a store, or a process under one lock, does at once.

mod far;
mod process;
mod undo;
mod unit;

use everwarm_core::mark::{Mark, valid};

use far::Far;
use process::Process;

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// A marker that is missing comes back with the number of the stamp.
    MarkerFromStamp,
    /// A marker takes the place of a known one with a larger number.
    SmallerNumber,
    /// A nearer tier is filled without a lease, so that a message's deletion does not keep it out.
    PromotionAcrossMessage,
    /// A process strikes its own memory before the store has the invalidation.
    OwnTableFirst,
    /// A deletion goes to the nearer tier first.
    NearFirst,
    /// A value is stored although a deletion ended its lease.
    LateSet,
    /// A reply that was asked for before any epoch was known is taken in.
    FirstEpochKept,
    /// A value is stored under a suspended tag.
    SettleIgnoresSuspension,
    /// A suspended tag is resumed without an invalidation.
    QuietResume,
    /// A process does not take in that a tag was suspended.
    NearForgetsSuspension,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    stamp: Mark,
    value: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Message {
    Tag(Mark, u8),
    Key(u8),
    /// Some were lost: up to this version everything may have changed.
    Gap(u8),
    /// The tag is suspended, for what will be committed.
    Suspended(Mark),
    /// Nothing is sent: from here on this version has to be seen.
    Over(u8),
}

/// A call that reads, and computes where there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Load {
    Idle,
    /// It looked at memory.
    Near {
        since: u8,
    },
    /// It has asked for the lease of the nearer tier.
    Far {
        since: u8,
    },
    Promote {
        since: u8,
        entry: Entry,
    },
    Lease {
        since: u8,
    },
    Stamp {
        since: u8,
    },
    Compute {
        since: u8,
        stamp: Mark,
    },
    Settle {
        since: u8,
        entry: Entry,
    },
    StoreNear {
        since: u8,
        entry: Entry,
    },
    Keep {
        since: u8,
        value: u8,
    },
    Done,
}

/// A writer: the source changes, then the cache is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Undo {
    Idle,
    /// The steps that are done, and the version that has to be seen afterwards.
    Step(u8, u8),
    /// The authority's reply is on its way.
    Reply(Mark, u8, u8),
    /// Its process ended before it resumed what it had suspended; the version that it committed.
    Crashed(u8),
    Done,
}

/// A question for the marker, whose answer takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Question {
    Idle,
    Asked {
        forgotten: u8,
        epoch: u64,
        marker: Option<Mark>,
    },
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    version: u8,
    far: Far,
    processes: [Process; 2],
    loads: Vec<Load>,
    undoings: Vec<Undo>,
    questions: Vec<Question>,
    markers_to_lose: u8,
    shards_to_lose: u8,
    inboxes_to_lose: u8,
    crashes: u8,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Load(usize),
    Undo(usize),
    Ask(usize),
    Hear(usize),
    LoseInbox(usize),
    LoseMarker,
    LoseShard,
    /// The process of a unit of work ends.
    Crash(usize),
    /// The time of what is suspended is up.
    Over,
}

/// Who takes part. Numbers are those of processes.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) loads: &'static [usize],
    pub(crate) undoings: &'static [(usize, Kind)],
    pub(crate) questions: &'static [usize],
    pub(crate) losses: [u8; 3],
    /// How many units of work end before they resume.
    pub(crate) crashes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Invalidate,
    Delete,
    /// A unit of work that suspends the tag before it commits.
    Unit,
}

impl World {
    pub(crate) fn new(cast: &Cast) -> Self {
        let process = Process {
            memory: None,
            strikes: 0,
            marker: None,
            epoch: None,
            forgotten: 0,
            near: None,
            near_lease: 0,
            inbox: Vec::new(),
            half_done: None,
            floor: 0,
        };
        let [markers_to_lose, shards_to_lose, inboxes_to_lose] = cast.losses;
        Self {
            version: 0,
            far: Far {
                shard: None,
                marker: None,
                entry: None,
                suspended: 0,
                over: false,
                lease: 0,
                last_epoch: 0,
            },
            processes: [process.clone(), process],
            loads: vec![Load::Idle; cast.loads.len()],
            undoings: vec![Undo::Idle; cast.undoings.len()],
            questions: vec![Question::Idle; cast.questions.len()],
            markers_to_lose,
            shards_to_lose,
            inboxes_to_lose,
            crashes: cast.crashes,
        }
    }

    /// What may be served and is older than it may be.
    pub(crate) fn wrong(&self) -> Option<String> {
        for (number, process) in self.processes.iter().enumerate() {
            let near = process.near.filter(|entry| {
                let marker = process.marker.or(self.far.reads());
                valid(&[entry.stamp], [marker])
            });
            let far = self.far.entry.filter(|entry| self.far.valid(entry));
            let tiers = [
                ("memory", process.memory),
                ("near", near.map(|entry| entry.value)),
                ("far", far.map(|entry| entry.value)),
            ];
            for (tier, value) in tiers {
                if value.is_some_and(|value| value < process.floor) {
                    return Some(format!(
                        "process {number} serves {value:?} from {tier}, not {}",
                        process.floor
                    ));
                }
            }
        }
        None
    }

    fn tell(&mut self, from: usize, message: Message) {
        self.processes[1 - from].inbox.push(message);
    }

    /// This world after a step; `None` if the step cannot be taken.
    pub(crate) fn after(&self, step: Step, cast: &Cast, fault: Fault) -> Option<Self> {
        let mut world = self.clone();
        let taken = match step {
            Step::Load(at) => world.load(at, cast.loads[at], fault),
            Step::Undo(at) => {
                let (process, kind) = cast.undoings[at];
                world.undo(at, process, kind, fault)
            }
            Step::Ask(at) => world.ask(at, cast.questions[at], fault),
            Step::Hear(process) => world.hear(process, fault),
            Step::LoseInbox(process) => world.lose_inbox(process),
            Step::Crash(at) => world.crash(at, cast),
            Step::Over => world.over(cast),
            Step::LoseMarker if world.markers_to_lose > 0 => {
                world.markers_to_lose -= 1;
                world.far.marker.take().is_some()
            }
            Step::LoseShard if world.shards_to_lose > 0 => {
                world.shards_to_lose -= 1;
                world.far.shard.take().is_some()
            }
            Step::LoseMarker | Step::LoseShard => false,
        };
        taken.then_some(world)
    }

    fn load(&mut self, at: usize, process: usize, fault: Fault) -> bool {
        let token = at as u8 + 1;
        let mine = &mut self.processes[process];
        self.loads[at] = match self.loads[at] {
            Load::Idle if mine.memory.is_some() => Load::Done,
            Load::Idle => Load::Near {
                since: mine.strikes,
            },
            Load::Near { since } => {
                if mine.near.is_some() && mine.marker.is_none() {
                    let shard = self.far.shard();
                    mine.feed(mine.forgotten, shard.epoch, self.far.reads(), fault);
                }
                let known = mine.marker;
                match mine.near.filter(|entry| valid(&[entry.stamp], [known])) {
                    Some(entry) => Load::Keep {
                        since,
                        value: entry.value,
                    },
                    None => {
                        if mine.near_lease == 0 {
                            mine.near_lease = token;
                        }
                        Load::Far { since }
                    }
                }
            }
            Load::Far { since } => {
                let shard = self.far.shard();
                mine.feed(mine.forgotten, shard.epoch, self.far.reads(), fault);
                match self.far.entry.filter(|entry| self.far.valid(entry)) {
                    Some(entry) => Load::Promote { since, entry },
                    None => Load::Lease { since },
                }
            }
            Load::Promote { since, entry } => {
                if mine.near_lease == token || fault == Fault::PromotionAcrossMessage {
                    mine.near = Some(entry);
                    mine.near_lease = 0;
                }
                Load::Keep {
                    since,
                    value: entry.value,
                }
            }
            Load::Lease { since } if self.far.lease == 0 => {
                self.far.lease = token;
                Load::Stamp { since }
            }
            // Somebody else computes: this one waits.
            Load::Lease { .. } => return false,
            Load::Stamp { since } => {
                let shard = self.far.shard();
                let marker = self.far.ensure(shard);
                let stamp = self.far.shard();
                mine.feed(mine.forgotten, stamp.epoch, Some(marker), fault);
                Load::Compute { since, stamp }
            }
            Load::Compute { since, stamp } => {
                let value = self.version;
                Load::Settle {
                    since,
                    entry: Entry { stamp, value },
                }
            }
            Load::Settle { since, entry } => self.settle((process, token), since, entry, fault),
            Load::StoreNear { since, entry } => {
                if mine.near_lease == token {
                    mine.near = Some(entry);
                    mine.near_lease = 0;
                }
                Load::Keep {
                    since,
                    value: entry.value,
                }
            }
            Load::Keep { since, value } => {
                if mine.strikes == since {
                    mine.memory = Some(value);
                }
                mine.give_back(token);
                Load::Done
            }
            Load::Done => return false,
        };
        true
    }

    fn settle(
        &mut self,
        (process, token): (usize, u8),
        since: u8,
        entry: Entry,
        fault: Fault,
    ) -> Load {
        let held = self.far.lease == token;
        if held {
            self.far.lease = 0;
        }
        let kept = Load::Keep {
            since,
            value: entry.value,
        };
        if !held && fault != Fault::LateSet {
            return kept;
        }
        let shard = self.far.shard();
        let anew = match fault {
            Fault::MarkerFromStamp => entry.stamp,
            _ => shard,
        };
        let raw = self.far.marker;
        let mut marker = self.far.ensure(anew);
        if fault == Fault::SettleIgnoresSuspension {
            marker = raw.unwrap_or(marker);
        }
        if !valid(&[entry.stamp], [Some(marker)]) {
            // Memory does not keep it either: no message needs to come.
            self.processes[process].give_back(token);
            return Load::Done;
        }
        self.far.entry = Some(entry);
        Load::StoreNear { since, entry }
    }

    fn ask(&mut self, at: usize, process: usize, fault: Fault) -> bool {
        let mine = &mut self.processes[process];
        self.questions[at] = match self.questions[at] {
            Question::Idle => Question::Asked {
                forgotten: mine.forgotten,
                epoch: self.far.shard().epoch,
                marker: self.far.reads(),
            },
            Question::Asked {
                forgotten,
                epoch,
                marker,
            } => {
                mine.feed(forgotten, epoch, marker, fault);
                Question::Done
            }
            Question::Done => return false,
        };
        true
    }

    /// Takes in the next message; a deletion in two steps, nearer tier first.
    fn hear(&mut self, process: usize, fault: Fault) -> bool {
        let mine = &mut self.processes[process];
        if let Some(version) = mine.half_done.take() {
            mine.strike();
            mine.floor = mine.floor.max(version);
            return true;
        }
        if mine.inbox.is_empty() {
            return false;
        }
        match mine.inbox.remove(0) {
            Message::Tag(marker, version) => {
                mine.raise(marker, fault);
                mine.strike();
                mine.floor = mine.floor.max(version);
            }
            Message::Key(version) => {
                mine.clear_near();
                mine.half_done = Some(version);
            }
            Message::Suspended(marker) => {
                if fault != Fault::NearForgetsSuspension {
                    mine.raise(marker, fault);
                }
                mine.strike();
            }
            Message::Over(version) => mine.floor = mine.floor.max(version),
            Message::Gap(version) => {
                mine.forget();
                mine.clear_near();
                mine.half_done = Some(version);
            }
        }
        true
    }

    fn lose_inbox(&mut self, process: usize) -> bool {
        let mine = &mut self.processes[process];
        let version = |message: &Message| match message {
            Message::Tag(_, version)
            | Message::Key(version)
            | Message::Gap(version)
            | Message::Over(version) => *version,
            Message::Suspended(_) => 0,
        };
        let Some(last) = mine.inbox.iter().map(version).max() else {
            return false;
        };
        if self.inboxes_to_lose == 0 {
            return false;
        }
        self.inboxes_to_lose -= 1;
        mine.inbox = vec![Message::Gap(last)];
        true
    }
}
