//! Who waits for whom in this process, so that a wait which could never end is not begun.
//!
//! Nodes are leads whose computations run; an edge says that one cannot go on before another ends. A follower that starts
//! to wait holds up every lead that its call is part of and, if it blocks its thread, every lead that this thread hosts.
//! The check and the new edges are one step under one lock, so of two followers that would close a circle one sees the
//! other. The lock is a leaf: nothing else is taken, called or dropped under it.
//!
//! The lock is not one of the shim's: what happens under it is one step for every scheduler.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::flight::LeadId;
use everwarm_core::waits::Waits;
use parking_lot::Mutex;

use crate::scope::Scope;

/// Who asks: the computations that a call is part of, and where it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The thread the call runs on; a computation it leads is hosted there.
    pub thread: u64,
    /// The leads whose computations this call is part of, outermost first.
    pub chain: &'a [LeadId],
    /// Whether a wait of this call stops everything else on its thread.
    pub blocks_thread: bool,
}

static GRAPH: Mutex<Option<Graph>> = Mutex::new(None);

/// The leads whose computations run, and their waits.
#[derive(Debug, Default)]
struct Graph {
    leads: BTreeMap<LeadId, Led>,
    waits: Waits,
}

/// A lead whose computation runs.
#[derive(Debug)]
struct Led {
    /// The thread that hosts it.
    thread: u64,
    subject: Subject,
}

/// What is computed: where the scope lies, and the key's hash. Keys of one scope that share a hash are taken for one, which costs a
/// lead its right to wait, and nothing else.
pub(crate) type Subject = (usize, u64);

/// What a lead of this key computes.
pub(crate) fn subject(scope: &Arc<Scope>, hash: u64) -> Subject {
    (Arc::as_ptr(scope).addr(), hash)
}

impl Graph {
    /// The leads that would wait if `caller` did; those that have ended hold nothing up.
    fn held_up(&self, caller: &Caller<'_>) -> Vec<LeadId> {
        let runs = |lead: &&LeadId| is_alone(**lead) || self.leads.contains_key(lead);
        let in_chain = caller.chain.iter().filter(runs).copied();
        let mut held: Vec<LeadId> = in_chain.collect();
        if caller.blocks_thread {
            let hosted = self
                .leads
                .iter()
                .filter(|(_, led)| led.thread == caller.thread);
            held.extend(hosted.map(|(lead, _)| *lead));
        }
        held.sort_unstable();
        held.dedup();
        held
    }
}

fn with_graph<R>(act: impl FnOnce(&mut Graph) -> R) -> R {
    act(GRAPH.lock().get_or_insert_default())
}

static LAST: AtomicU64 = AtomicU64::new(0);

/// What tells the numbers of those who lead alone: they are not in the graph, and run as long as they are in a chain.
const ALONE: u64 = 1 << 63;

/// So many numbers a thread takes at a time.
const NUMBERS: u64 = 1 << 10;

thread_local! {
    /// The next number for one who leads alone on this thread, and how many are left.
    static NEXT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// A new lead's computation begins on `thread`.
pub(crate) fn begun(thread: u64, subject: Subject) -> LeadId {
    let lead = LeadId(LAST.fetch_add(1, Ordering::Relaxed) + 1);
    with_graph(|graph| graph.leads.insert(lead, Led { thread, subject }));
    lead
}

/// A new lead's computation begins on this thread, and stays on the chain of all of its calls.
#[inline]
pub(crate) fn alone() -> LeadId {
    let next = |place: &Cell<(u64, u64)>| {
        let (next, left) = match place.get() {
            (_, 0) => (LAST.fetch_add(NUMBERS, Ordering::Relaxed) + 1, NUMBERS),
            numbers => numbers,
        };
        place.set((next + 1, left - 1));
        next
    };
    // A thread that is ending takes them one by one.
    let next = NEXT
        .try_with(next)
        .unwrap_or_else(|_| LAST.fetch_add(1, Ordering::Relaxed) + 1);
    LeadId(ALONE | next)
}

fn is_alone(lead: LeadId) -> bool {
    lead.0 & ALONE != 0
}

/// A lead's computation goes on on `thread`.
pub(crate) fn moved(lead: LeadId, thread: u64) {
    with_graph(|graph| {
        if let Some(led) = graph.leads.get_mut(&lead) {
            led.thread = thread;
        }
    });
}

/// A lead's computation is over: nothing that starts to wait from here on is held up with it.
pub(crate) fn ended(lead: LeadId) {
    with_graph(|graph| graph.leads.remove(&lead));
}

/// Whether one of these leads computes this, and runs.
pub(crate) fn computes(chain: &[LeadId], subject: Subject) -> bool {
    let is_it = |graph: &Graph, lead| {
        let led = graph.leads.get(lead);
        led.is_some_and(|led| led.subject == subject)
    };
    !chain.is_empty() && with_graph(|graph| chain.iter().any(|lead| is_it(graph, lead)))
}

/// Whether a lead's computation is in the graph.
#[cfg(test)]
pub(crate) fn runs(lead: LeadId) -> bool {
    with_graph(|graph| graph.leads.contains_key(&lead))
}

/// A wait in the graph; dropping it takes its edges out.
#[derive(Debug)]
pub(crate) struct Wait {
    waiting: Vec<LeadId>,
    targets: Vec<LeadId>,
}

impl Wait {
    /// Starts to wait for `target`, unless that would close a circle.
    pub(crate) fn begin(caller: &Caller<'_>, target: LeadId) -> Option<Self> {
        Self::begin_for_any(caller, &[target])
    }

    /// Starts to wait for the first of `targets` to end, unless waiting for one of them would close a circle.
    pub(crate) fn begin_for_any(caller: &Caller<'_>, targets: &[LeadId]) -> Option<Self> {
        if caller.chain.is_empty() && !caller.blocks_thread {
            return Some(Self {
                waiting: Vec::new(),
                targets: Vec::new(),
            });
        }
        with_graph(|graph| {
            let waiting = graph.held_up(caller);
            let closes = |target: &LeadId| graph.waits.would_cycle(&waiting, *target);
            if targets.iter().any(closes) {
                return None;
            }
            for target in targets {
                graph.waits.add(&waiting, *target);
            }
            Some(Self {
                waiting,
                targets: targets.to_vec(),
            })
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.waiting.is_empty() {
            with_graph(|graph| {
                for target in &self.targets {
                    graph.waits.remove(&self.waiting, *target);
                }
            });
        }
    }
}

/// Empties the graph: the threads of the parent do not wait in a forked child.
pub(crate) fn forget() {
    let graph = GRAPH.lock().take();
    drop(graph);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead_on(thread: u64) -> LeadId {
        begun(thread, (0, 0))
    }

    fn task(chain: &[LeadId]) -> Caller<'_> {
        Caller {
            thread: 0,
            chain,
            blocks_thread: false,
        }
    }

    fn thread(thread: u64, chain: &[LeadId]) -> Caller<'_> {
        Caller {
            thread,
            chain,
            blocks_thread: true,
        }
    }

    #[test]
    fn circles_are_refused_however_long() {
        let [a, b, c] = [lead_on(0), lead_on(0), lead_on(0)];
        let first = Wait::begin(&task(&[a]), b).expect("nothing waits");
        let second = Wait::begin(&task(&[b]), c).expect("a -> b -> c is no circle");
        assert!(Wait::begin(&task(&[c]), a).is_none());
        assert!(Wait::begin(&task(&[a]), a).is_none());
        drop(second);
        let third = Wait::begin(&task(&[c]), a).expect("c -> a -> b is no circle");
        assert!(Wait::begin(&task(&[b]), c).is_none());
        drop((first, third));
        assert!(Wait::begin(&task(&[a]), c).is_some());
        [a, b, c].into_iter().for_each(ended);
    }

    #[test]
    fn a_blocking_wait_holds_up_all_that_its_thread_hosts() {
        let [here, there] = [lead_on(901), lead_on(902)];
        let waits = Wait::begin(&task(&[there]), here).expect("nothing waits");
        assert!(
            Wait::begin(&thread(901, &[]), there).is_none(),
            "the lead here could never end"
        );
        assert!(Wait::begin(&task(&[]), there).is_some());
        assert!(Wait::begin(&thread(903, &[]), there).is_some());
        drop(waits);
        assert!(Wait::begin(&thread(901, &[]), there).is_some());
        [here, there].into_iter().for_each(ended);
    }

    #[test]
    fn two_waits_of_one_computation_are_two_edges() {
        let [a, b] = [lead_on(0), lead_on(0)];
        let twins = (Wait::begin(&task(&[a]), b), Wait::begin(&task(&[a]), b));
        drop(twins.0);
        assert!(Wait::begin(&task(&[b]), a).is_none());
        drop(twins.1);
        assert!(Wait::begin(&task(&[b]), a).is_some());
        [a, b].into_iter().for_each(ended);
    }

    #[test]
    fn what_has_ended_is_not_held_up() {
        let [a, b] = [lead_on(0), lead_on(0)];
        ended(a);
        let _wait = Wait::begin(&task(&[a]), b).expect("nothing waits");
        assert!(Wait::begin(&task(&[b]), a).is_some());
        ended(b);
    }
}
