//! Histories: processes on one host or two read, compute, invalidate, delete, set and watch at once, in seeded random interleavings
//! of single steps of their stores, some of which fail. A checker knows how new each answer has to be.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};
use std::time::Duration;

use everwarm_core::codec::Meta;
use everwarm_core::key::prefix;
use everwarm_core::using::Read;
use everwarm_engine::ManualHand;
use everwarm_engine::stack::{
    Change, Done, Event, Fetched, Place, Spot, Stack, Stored, Write, Written,
};

use crate::tiers::shelf::{Facets, Shelf, yields};
use crate::tiers::{Host, NAMESPACE, Process, meta, name, place, tags, text, wait};

const KEYS: usize = 3;
const TAGS: usize = 2;
const STEPS: usize = 12;

/// Random numbers that follow from a seed: SplitMix64.
#[derive(Clone)]
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % end as u64) as usize
    }
}

/// What is done wrong on purpose, to show that the checker would find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The process's own memory follows an invalidation before the stores have it.
    OwnMemoryFirst,
    /// The stores take values under leases that a deletion ended.
    LaxLeases,
    /// Messages are not heeded.
    Deaf,
    /// The stores set where a condition does not hold.
    CarelessSets,
}

#[derive(Clone, Copy, Debug)]
struct Setting {
    seed: u64,
    hosts: usize,
    failures: bool,
    /// Whether both processes set the same key, the store is away for long, and time passes.
    late: bool,
    /// Whether the first process writes behind, to both tiers; its threads are not in the seed's hands.
    behind: bool,
    fault: Fault,
}

/// The source of the values, and how new each process has to see them.
#[derive(Default)]
struct Truth {
    versions: HashMap<String, u64>,
    floors: [HashMap<String, u64>; 2],
    /// What was done in the stores, for others to learn of with their next look.
    announced: HashMap<String, u64>,
    counted: i64,
    working: usize,
    /// Whether a process is about to set the key that both set.
    is_set: bool,
    /// The sets of it that failed, and those of them that were found later.
    failed: HashSet<u64>,
    made_good: HashSet<u64>,
    wrong: Option<String>,
}

/// A process's own memory, as the engine's is: what began before a strike is not kept.
#[derive(Default)]
struct Memory {
    entries: HashMap<String, u64>,
    strikes: HashMap<String, u64>,
    number: u64,
}

impl Memory {
    fn strike(&mut self, thing: &str) {
        self.number += 1;
        self.strikes.insert(thing.to_owned(), self.number);
        let (number, strikes) = (self.number, &self.strikes);
        self.entries.retain(|key, _| {
            !things(key)
                .iter()
                .any(|of| strikes.get(of) == Some(&number))
        });
    }

    fn keep(&mut self, key: &str, value: u64, since: u64) {
        let struck = |thing: &String| self.strikes.get(thing).is_some_and(|at| *at > since);
        if !things(key).iter().any(struck) {
            self.entries.insert(key.to_owned(), value);
        }
    }
}

/// What strikes a key: itself, its tag, and everything.
fn things(key: &str) -> [String; 3] {
    [key.to_owned(), tag_of(key), "everything".to_owned()]
}

fn tag_of(key: &str) -> String {
    let number: usize = key.bytes().map(usize::from).sum();
    format!("t{}", number % TAGS)
}

/// A worker of one process.
#[derive(Clone)]
struct Worker {
    process: usize,
    stack: Arc<Stack>,
    memory: Arc<Mutex<Memory>>,
    truth: Arc<Mutex<Truth>>,
    draw: Draw,
    behind: bool,
    fault: Fault,
}

impl Worker {
    fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().expect("no panic")
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no panic")
    }

    fn floor(&self, key: &str) -> u64 {
        let truth = self.truth();
        truth.floors[self.process].get(key).copied().unwrap_or(0)
    }

    fn check(&self, key: &str, value: u64, floor: u64, from: &str) {
        if value < floor {
            let message = format!("{key} was {value} from {from}, and {floor} had to be seen");
            self.truth().wrong.get_or_insert(message);
        }
    }

    async fn work(mut self) {
        for _ in 0..STEPS {
            let key = format!("k{}", self.draw.below(KEYS));
            match self.draw.below(20) {
                0..=9 => self.call(&key).await,
                10..=12 => self.delete(&key).await,
                13..=14 => self.invalidate(&tag_of(&key)).await,
                15 => self.clear().await,
                16..=17 => self.count().await,
                _ => self.look_at_others().await,
            }
        }
        self.truth().working -= 1;
    }

    /// The worker that alone sets its key by hand.
    async fn set(mut self) {
        let key = format!("own{}", self.process);
        for version in 1..=STEPS as u64 {
            self.truth().versions.insert(key.clone(), version);
            let written = if self.draw.below(4) == 0 {
                self.stack.delete(place(&key)).await.1 == Done::Now
            } else {
                let value = version.to_string().into_bytes();
                self.stack
                    .set(place(&key), value, meta(&[]))
                    .await
                    .is_stored()
                    && !self.behind
            };
            self.done(std::slice::from_ref(&key), written);
            let floor = self.floor(&key);
            if let Some(stored) = self.stack.get(place(&key), tags(&[]), Read::Any).await {
                self.check(&key, number(&stored), floor, "what it set itself");
            }
        }
        self.truth().working -= 1;
    }

    /// A worker that sets a key which the other process sets, too, though not at the same time.
    async fn share(mut self) {
        let key = "shared".to_owned();
        for _ in 0..3 * STEPS {
            yields(self.draw.below(20)).await;
            let version = {
                let mut truth = self.truth();
                let sets = !std::mem::replace(&mut truth.is_set, true);
                let version = truth.versions.entry(key.clone()).or_default();
                *version += u64::from(sets);
                sets.then_some(*version)
            };
            if let Some(version) = version {
                self.set_shared(&key, version).await;
                self.truth().is_set = false;
            }
            let floor = self.floor(&key);
            if let Some(stored) = self.stack.get(place(&key), tags(&[]), Read::Any).await {
                let value = number(&stored);
                self.check(&key, value, floor, "what both set");
                let mut truth = self.truth();
                if truth.failed.contains(&value) {
                    truth.made_good.insert(value);
                }
            }
        }
        self.truth().working -= 1;
    }

    async fn set_shared(&mut self, key: &str, version: u64) {
        let written = if self.draw.below(4) == 0 {
            self.stack.delete(place(key)).await.1 == Done::Now
        } else {
            let value = version.to_string().into_bytes();
            let set = self.stack.set(place(key), value, meta(&[])).await;
            if !set.is_stored() {
                self.truth().failed.insert(version);
            }
            set.is_stored()
        };
        self.seen(&[key.to_owned()], &[version], written);
    }

    async fn look_at_others(&mut self) {
        let key = format!("own{}", self.draw.below(2));
        let floor = self.floor(&key);
        if let Some(stored) = self.stack.get(place(&key), tags(&[]), Read::Any).await {
            self.check(&key, number(&stored), floor, "what others set");
        }
    }

    async fn call(&mut self, key: &str) {
        let floor = self.floor(key);
        let (kept, since) = {
            let memory = self.memory();
            (memory.entries.get(key).copied(), memory.number)
        };
        if let Some(value) = kept {
            self.check(key, value, floor, "memory");
            return;
        }
        let tag = tag_of(key);
        // Half of the callers learn of the tag from the entry alone.
        let known = if self.draw.below(2) == 0 {
            tags(&[&tag])
        } else {
            tags(&[])
        };
        let value = match self.stack.fetch(place(key), known, Read::Any).await {
            Fetched::Found(stored) => {
                let value = number(&stored);
                self.check(key, value, floor, &format!("tier {}", stored.tier));
                value
            }
            Fetched::Older(..) => unreachable!("no place has an older name"),
            Fetched::Elsewhere => unreachable!("a fetch waits"),
            Fetched::Lead(seat) => {
                let value = self.truth().versions.get(key).copied().unwrap_or(0);
                yields(self.draw.below(6)).await;
                let payload = value.to_string().into_bytes();
                let written = self.stack.settle(seat, payload, meta(&[&tag])).await;
                if written == Written::Overtaken {
                    return;
                }
                value
            }
        };
        self.memory().keep(key, value, since);
    }

    /// The source changes, for these keys.
    fn change(&self, keys: &[String]) {
        let mut truth = self.truth();
        for key in keys {
            *truth.versions.entry(key.clone()).or_default() += 1;
        }
    }

    /// What changed has to be seen from now on: here, and if the stores have it, by others that look after this.
    fn done(&self, keys: &[String], stored: bool) {
        self.seen(keys, &self.snapshot(keys), stored);
    }

    fn snapshot(&self, keys: &[String]) -> Vec<u64> {
        let truth = self.truth();
        keys.iter().map(|key| truth.versions[key]).collect()
    }

    fn seen(&self, keys: &[String], versions: &[u64], stored: bool) {
        let mut truth = self.truth();
        for (key, version) in keys.iter().zip(versions) {
            let floor = truth.floors[self.process].entry(key.clone()).or_default();
            *floor = (*floor).max(*version);
            if stored {
                let announced = truth.announced.entry(key.clone()).or_default();
                *announced = (*announced).max(*version);
            }
        }
    }

    async fn undo(&mut self, thing: &str, keys: Vec<String>, undo: impl Future<Output = Done>) {
        self.change(&keys);
        let versions = self.snapshot(&keys);
        if self.fault == Fault::OwnMemoryFirst {
            self.memory().strike(thing);
            yields(3).await;
        }
        let done = undo.await;
        if self.fault != Fault::OwnMemoryFirst {
            self.memory().strike(thing);
        }
        self.seen(&keys, &versions, done == Done::Now);
    }

    async fn delete(&mut self, key: &str) {
        let delete = self.stack.delete(place(key));
        self.undo(key, vec![key.to_owned()], async { delete.await.1 })
            .await;
    }

    async fn invalidate(&mut self, tag: &str) {
        let all = (0..KEYS).map(|number| format!("k{number}"));
        let keys = all.filter(|key| tag_of(key) == tag).collect();
        let invalidate = self.stack.invalidate(tags(&[tag]));
        self.undo(tag, keys, invalidate).await;
    }

    async fn clear(&mut self) {
        let keys = (0..KEYS).map(|number| format!("k{number}")).collect();
        let clear = self.stack.clear_function("price".into());
        self.undo("everything", keys, clear).await;
    }

    /// Adds one to a number that is cleared by nobody.
    async fn count(&mut self) {
        let add = |there: Option<&Stored>| {
            let before = there.map_or(0, |stored| text(stored).parse::<i64>().expect("a number"));
            Change::Write((before + 1).to_string().into_bytes(), Meta::default(), ())
        };
        if self.stack.amend(counter(), add).await.is_ok() {
            self.truth().counted += 1;
        }
    }

    /// Looks at what others did as long as somebody works.
    async fn watch(self) {
        while self.truth().working > 0 {
            let announced = self.truth().announced.clone();
            let errors = self.stack.stats()[1].errors.clone();
            let events = self.stack.watch().await;
            let heard = self.stack.stats()[1].errors == errors;
            if self.fault != Fault::Deaf {
                self.follow(&events);
            }
            // A look that failed has seen nothing.
            if heard {
                self.have_seen(announced);
            }
            yields(3).await;
        }
    }

    fn have_seen(&self, announced: HashMap<String, u64>) {
        let mut truth = self.truth();
        for (key, version) in announced {
            let floor = truth.floors[self.process].entry(key).or_default();
            *floor = (*floor).max(version);
        }
    }

    fn follow(&self, events: &[Event]) {
        let mut memory = self.memory();
        for event in events {
            match event {
                Event::Key(stored) => {
                    let mut keys = (0..KEYS).map(|number| format!("k{number}"));
                    let key = keys.find(|key| *name(key) == **stored);
                    key.iter().for_each(|key| memory.strike(key));
                }
                Event::Tag(tag) => memory.strike(tag),
                Event::Function(_) | Event::Everything => memory.strike("everything"),
            }
        }
    }
}

/// Where the number lies: no clearing of the other keys meets it.
fn counter() -> Place {
    Place::from(Spot {
        name: format!("{}number", prefix(&[NAMESPACE, "counts", ""])).into(),
        function: "counts".into(),
        ..Spot::clone(&place("number"))
    })
}

fn number(stored: &Stored) -> u64 {
    text(stored).parse().expect("a number")
}

/// Lets verbs of the stores fail for a while, now and then.
async fn disturb(shelves: Vec<Arc<Shelf>>, truth: Arc<Mutex<Truth>>, mut draw: Draw) {
    const FAILING: [&str; 8] = [
        "get",
        "get_with",
        "settle",
        "lease",
        "invalidate",
        "delete",
        "begin",
        "*",
    ];
    while truth.lock().expect("no panic").working > 0 {
        yields(draw.below(30)).await;
        let shelf = &shelves[draw.below(shelves.len())];
        shelf.fail(FAILING[draw.below(FAILING.len())]);
        shelf.faults.lock().expect("no panic").done = draw.below(2) == 0;
        yields(draw.below(20)).await;
        shelf.fail("");
    }
}

/// Has the stores away, one process's at a time, and lets time pass.
async fn cut_off(
    (shelves, hand): (Vec<Arc<Shelf>>, ManualHand),
    truth: Arc<Mutex<Truth>>,
    mut draw: Draw,
) {
    const FAILING: [&str; 4] = ["set delete", "set_if", "delete_if", "*"];
    while truth.lock().expect("no panic").working > 0 {
        yields(draw.below(60)).await;
        let shelf = &shelves[draw.below(shelves.len())];
        // Mostly it is gone as a whole.
        shelf.fail(FAILING[draw.below(8).min(3)]);
        for _ in 0..draw.below(60) {
            hand.advance(Duration::from_millis(draw.below(80) as u64));
            yields(1).await;
        }
        shelf.fail("");
        hand.advance(Duration::from_millis(draw.below(800) as u64));
    }
}

/// Plays one history; what was wrong with it.
fn play(setting: Setting) -> Option<String> {
    play_out(setting).wrong
}

fn play_out(setting: Setting) -> Truth {
    let mut draw = Draw(setting.seed);
    let host = Host::new(2);
    let first = host.process_with(Facets::All, |tiers| {
        let write = if setting.behind {
            Write::Behind
        } else {
            Write::Through
        };
        tiers.iter_mut().for_each(|tier| tier.write = write);
    });
    let processes: [Process; 2] = match setting.hosts {
        1 => [first, host.process()],
        _ => [first, host.beside().process()],
    };
    let truth = Arc::new(Mutex::new(Truth::default()));
    let mut tasks: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for (number, process) in processes.iter().enumerate() {
        for shelf in &process.shelves {
            let mut faults = shelf.faults.lock().expect("no panic");
            faults.polls = 1;
            faults.lax = setting.fault == Fault::LaxLeases;
            faults.careless = setting.fault == Fault::CarelessSets;
        }
        let worker = Worker {
            process: number,
            stack: Arc::clone(&process.stack),
            memory: Arc::default(),
            truth: Arc::clone(&truth),
            draw: Draw(draw.below(usize::MAX) as u64),
            behind: setting.behind && number == 0,
            fault: setting.fault,
        };
        for _ in 0..2 {
            let draw = Draw(draw.below(usize::MAX) as u64);
            let worker = worker.clone();
            tasks.push(Box::pin(Worker { draw, ..worker }.work()));
        }
        tasks.push(Box::pin(worker.clone().set()));
        if setting.late {
            tasks.push(Box::pin(worker.clone().share()));
        }
        tasks.push(Box::pin(worker.watch()));
    }
    truth.lock().expect("no panic").working = if setting.late { 8 } else { 6 };
    if setting.late {
        processes[0].far().count_writes();
        let far = processes
            .iter()
            .map(|process| Arc::clone(&process.shelves[1]));
        let draw = Draw(draw.below(usize::MAX) as u64);
        tasks.push(Box::pin(cut_off(
            (far.collect(), host.hand.clone()),
            Arc::clone(&truth),
            draw,
        )));
    }
    if setting.failures {
        let shelves = processes.iter().flat_map(|process| process.shelves.clone());
        let draw = Draw(draw.below(usize::MAX) as u64);
        tasks.push(Box::pin(disturb(
            shelves.collect(),
            Arc::clone(&truth),
            draw,
        )));
    }
    run(tasks, &mut draw);
    let mut truth = std::mem::take(&mut *truth.lock().expect("no panic"));
    let counted = processes
        .iter()
        .find_map(|process| wait(process.stack.get(counter(), tags(&[]), Read::Any)));
    let counted = counted.map_or(0, |stored| text(&stored).parse().expect("a number"));
    let lost = format!("{counted} was counted, and {} had to be", truth.counted);
    let miscounted = !setting.failures && !setting.late && counted != truth.counted;
    truth.wrong = truth.wrong.take().or(miscounted.then_some(lost));
    truth
}

/// Polls tasks at random until all are done.
fn run(mut tasks: Vec<Pin<Box<dyn Future<Output = ()>>>>, draw: &mut Draw) {
    let mut context = Context::from_waker(Waker::noop());
    let mut polls = 0;
    while !tasks.is_empty() {
        let at = draw.below(tasks.len());
        if tasks[at].as_mut().poll(&mut context).is_ready() {
            drop(tasks.swap_remove(at));
        }
        polls += 1;
        assert!(polls < 10_000_000, "a history that does not end");
    }
}

/// How many histories are played of each kind.
fn histories() -> u64 {
    let asked = std::env::var("EVERWARM_HISTORIES").ok();
    asked.map_or(300, |number| number.parse().expect("a number"))
}

/// Seeds of histories that met a fault, beyond those that are always played.
const MET: [u64; 1] = [8_824];

fn settings(fault: Fault) -> impl Iterator<Item = Setting> {
    (0..histories()).chain(MET).flat_map(move |seed| {
        [(1, false), (1, true), (2, false), (2, true)].map(|(hosts, failures)| Setting {
            seed,
            hosts,
            failures,
            late: false,
            behind: false,
            fault,
        })
    })
}

#[test]
fn no_history_serves_what_had_to_be_gone() {
    for setting in settings(Fault::None) {
        if let Some(wrong) = play(setting) {
            panic!("{setting:?}: {wrong}");
        }
    }
}

#[test]
fn no_history_with_writes_behind_does_either() {
    for setting in settings(Fault::None).take(histories() as usize / 5) {
        let setting = Setting {
            behind: true,
            ..setting
        };
        if let Some(wrong) = play(setting) {
            panic!("{setting:?}: {wrong}");
        }
    }
}

/// The same, with stores that are away for long. Who writes behind sets later than it says.
fn late(fault: Fault) -> impl Iterator<Item = Setting> {
    settings(fault)
        .filter(|setting| !setting.failures)
        .map(|setting| Setting {
            late: true,
            ..setting
        })
}

#[test]
fn no_history_brings_late_writes_over_what_others_did_since() {
    let mut made_good = 0;
    for setting in late(Fault::None) {
        let truth = play_out(setting);
        if let Some(wrong) = truth.wrong {
            panic!("{setting:?}: {wrong}");
        }
        made_good += truth.made_good.len();
    }
    assert!(made_good > 0, "none was ever made good");
}

#[test]
fn the_checker_finds_planted_faults() {
    for fault in [Fault::OwnMemoryFirst, Fault::LaxLeases, Fault::Deaf] {
        let found = settings(fault).any(|setting| play(setting).is_some());
        assert!(found, "{fault:?} was not found");
    }
    let found = late(Fault::CarelessSets).any(|setting| play(setting).is_some());
    assert!(found, "careless sets were not found");
}
