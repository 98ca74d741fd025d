//! A history put together: each call, computation, and deletion with its beginning and its end.

use std::collections::HashMap;

use everwarm_core::clock::Instant;

use crate::history::{Computation, Event, From, Incident, Key, Node, Right, Target, Value, What};
use crate::weather::Weather;

/// A moment: its place in the history, and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) place: usize,
    pub(super) at: Instant,
}

/// One life of a node, from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Life {
    pub(super) node: Node,
    pub(super) number: usize,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) life: Life,
    pub(super) key: Key,
    pub(super) began: Moment,
    pub(super) returned: Option<(Moment, Value, From)>,
}

/// What made a value.
#[derive(Debug)]
pub(super) struct Making {
    pub(super) number: Computation,
    pub(super) life: Life,
    pub(super) key: Key,
    pub(super) began: Moment,
    pub(super) ended: Option<Moment>,
    /// The right and the call of a computation; a set by hand and a change in place have none.
    pub(super) computed: Option<(Right, u64)>,
}

/// A deletion, an invalidation, or a set by hand.
#[derive(Debug)]
pub(super) struct Undoing {
    pub(super) life: Life,
    pub(super) target: Target,
    pub(super) began: Moment,
    /// When it returned, and whether the store had it then.
    pub(super) returned: Option<(Moment, bool)>,
}

/// What happened, by what it belongs to.
#[derive(Debug)]
pub(super) struct Story<'a> {
    pub(super) weather: &'a Weather,
    pub(super) end: Instant,
    pub(super) calls: HashMap<u64, Call>,
    pub(super) makings: HashMap<Computation, Making>,
    pub(super) undoings: HashMap<u64, Undoing>,
    pub(super) struck: Vec<(Life, Moment, Target)>,
    pub(super) ends: HashMap<Life, Moment>,
    pub(super) disturbed: Vec<(Moment, Instant, Incident)>,
    pub(super) settled: Vec<(Moment, Computation, Option<Computation>)>,
    lives: HashMap<Node, usize>,
}

impl<'a> Story<'a> {
    pub(super) fn of(history: &[Event], weather: &'a Weather) -> Self {
        let mut story = Self {
            weather,
            end: history.last().map_or(Instant::ZERO, |event| event.at),
            calls: HashMap::new(),
            makings: HashMap::new(),
            undoings: HashMap::new(),
            struck: Vec::new(),
            ends: HashMap::new(),
            disturbed: Vec::new(),
            settled: Vec::new(),
            lives: HashMap::new(),
        };
        for (place, event) in history.iter().enumerate() {
            let at = event.at;
            story.take_in(event.node, Moment { place, at }, event.what);
        }
        story
    }

    fn take_in(&mut self, node: Node, now: Moment, what: What) {
        let number = self.lives.get(&node).copied().unwrap_or(0);
        let life = Life { node, number };
        match what {
            What::Started => {
                self.lives.insert(node, number + 1);
            }
            What::Killed => {
                self.ends.insert(life, now);
            }
            What::CallBegan(call, key) => {
                let began = Call {
                    life,
                    key,
                    began: now,
                    returned: None,
                };
                self.calls.insert(call, began);
            }
            What::CallReturned(call, value, from) => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.returned = Some((now, value, from));
                }
            }
            What::ComputationBegan(number, key, right, call) => {
                self.make(number, (life, key, now), Some((right, call)));
            }
            What::ComputationEnded(number) => self.made(number, now),
            What::SetBegan(number, key) => {
                self.make(number, (life, key, now), None);
                self.undo(number, (life, Target::Key(key), now));
            }
            What::SetReturned(number, done) => {
                self.made(number, now);
                self.undone(number, now, done);
            }
            What::ChangeBegan(number, key) => self.make(number, (life, key, now), None),
            What::ChangeReturned(number, Some(_)) => self.made(number, now),
            What::ChangeReturned(_, None) => {}
            What::UndoingBegan(number, target) => self.undo(number, (life, target, now)),
            What::UndoingReturned(number, done) => self.undone(number, now, done),
            What::Struck(target) => self.struck.push((life, now, target)),
            What::Settled(number, before) => self.settled.push((now, number, before)),
            What::Disturbed(incident, until) => self.disturbed.push((now, until, incident)),
        }
    }

    fn make(
        &mut self,
        number: Computation,
        (life, key, began): (Life, Key, Moment),
        computed: Option<(Right, u64)>,
    ) {
        let making = Making {
            number,
            life,
            key,
            began,
            ended: None,
            computed,
        };
        self.makings.insert(number, making);
    }

    fn made(&mut self, number: Computation, now: Moment) {
        if let Some(making) = self.makings.get_mut(&number) {
            making.ended = Some(now);
        }
    }

    fn undo(&mut self, number: u64, (life, target, began): (Life, Target, Moment)) {
        let undoing = Undoing {
            life,
            target,
            began,
            returned: None,
        };
        self.undoings.insert(number, undoing);
    }

    fn undone(&mut self, number: u64, now: Moment, done: bool) {
        if let Some(undoing) = self.undoings.get_mut(&number) {
            undoing.returned = Some((now, done));
        }
    }

    /// When a computation was over: with its end, or with its node's.
    pub(super) fn over(&self, making: &Making) -> Moment {
        let never = Moment {
            place: usize::MAX,
            at: Instant::NEVER,
        };
        let ended = making.ended.unwrap_or(never);
        ended.min(self.ends.get(&making.life).copied().unwrap_or(never))
    }

    /// Whether one of these incidents was going on, or had not been over for `after`, between two moments.
    pub(super) fn was_disturbed(
        &self,
        (from, to): (Instant, Instant),
        is_meant: impl Fn(Incident) -> bool,
    ) -> bool {
        self.disturbed
            .iter()
            .any(|(began, until, incident)| began.at <= to && *until >= from && is_meant(*incident))
    }
}
