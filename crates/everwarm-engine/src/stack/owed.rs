//! Debts: invalidations and deletions that have not reached the stores.
//!
//! One is incurred before a store is asked and paid when it has answered, so that one whose caller gave up on the way is
//! repeated too. What a debt is about is a miss meanwhile, and is stored nowhere. They are tried again after pauses of up to two
//! seconds, and at the first sign that a store is back. Of a name the last write or deletion is owed ([late](super::late)).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::Tag;

use super::Stack;
use super::ghosts::Ghosts;
use super::late::{Late, Paid, Steps};
use super::queue::Nap;
use crate::shim::{AtomicU64, Mutex};

/// How many debts there may be; beyond, they become one that is about everything.
const ROOM: usize = 1_024;

/// How many bytes of values may wait; what is beyond is owed as a deletion.
const ROOM_FOR_VALUES: u64 = 16 << 20;

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How often they are tried at most when a store seems to be back.
const AT_A_RETURN: Duration = Duration::from_millis(250);

/// What the stores have to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Debt {
    /// To invalidate these tags.
    Tags(Arc<[Tag]>),
    /// To delete this name.
    Name(Arc<str>),
    /// To clear the names that begin with this.
    Prefix(Arc<str>),
    /// To delete this name, unless what was written there is: an envelope with this digest.
    Written(Arc<str>, u64),
    /// To write or delete one name, unless that is outdated.
    Late(Arc<Late>),
}

impl Debt {
    fn is_about(&self, name: &str, tags: &[Tag]) -> bool {
        match self {
            Self::Tags(owed) => owed.iter().any(|tag| tags.contains(tag)),
            Self::Name(owed) | Self::Written(owed, _) => **owed == *name,
            Self::Late(late) => *late.place.name == *name,
            Self::Prefix(owed) => name.starts_with(&**owed),
        }
    }

    /// The only name it is about, if it is about one.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::Name(name) | Self::Written(name, _) => Some(name),
            Self::Late(late) => Some(&late.place.name),
            Self::Tags(_) | Self::Prefix(_) => None,
        }
    }

    /// Whether nothing is left of an earlier debt once this is paid.
    fn replaces(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Late(late), Self::Late(earlier)) => late.place.name == earlier.place.name,
            _ => self == earlier,
        }
    }

    /// How many bytes wait with it.
    fn size(&self) -> u64 {
        match self {
            Self::Late(late) => late.size(),
            _ => 0,
        }
    }

    /// The same, if nothing may wait with it.
    fn slim(self) -> Self {
        match self {
            Self::Late(late) if late.size() > 0 => Self::Late(Arc::new(late.without_value())),
            debt => debt,
        }
    }
}

/// When debts are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    /// After their pauses.
    InTurn,
    /// Now: somebody asks for it, or there will be no other time.
    Now,
}

/// All debts of a stack.
#[derive(Debug)]
pub(super) struct Owed {
    /// How many there are, for readers that would otherwise take the lock for nothing.
    count: AtomicU64,
    /// How often something was paid that had been owed for a while.
    repaid: AtomicU64,
    debts: Mutex<Debts>,
    /// Whether somebody pays: two at once would take each other's numbers for those of others.
    is_paid: AtomicBool,
    ghosts: Mutex<Ghosts>,
    /// What others wrote since this process was to write it, for memory in front.
    outdated: Mutex<Vec<Arc<str>>>,
}

#[derive(Debug)]
struct Debts {
    all: Vec<Owing>,
    last: u64,
    tried_at: Instant,
    retry_at: Instant,
    wait: Duration,
    /// How often stores had come back when they were tried.
    returns: u64,
}

#[derive(Debug)]
struct Owing {
    id: u64,
    debt: Debt,
    /// Whether nobody is about to pay it.
    due: bool,
}

impl Owed {
    pub(super) fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            repaid: AtomicU64::new(0),
            debts: Mutex::new(Debts {
                all: Vec::new(),
                last: 0,
                tried_at: Instant::ZERO,
                retry_at: Instant::ZERO,
                wait: FIRST_WAIT,
                returns: 0,
            }),
            is_paid: AtomicBool::new(false),
            ghosts: Mutex::default(),
            outdated: Mutex::default(),
        }
    }

    /// How many debts there are.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// How often something was paid that had been owed for a while: since then, what a store was asked before says nothing of it.
    pub(super) fn repaid(&self) -> u64 {
        self.repaid.load(Ordering::Acquire)
    }

    /// Whether this name, or something with one of these tags, is owed.
    #[inline]
    pub(super) fn is_about(&self, name: &str, tags: &[Tag]) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self
                .debts
                .lock()
                .all
                .iter()
                .any(|owing| owing.debt.is_about(name, tags))
    }

    /// Whether what a store has answered, asked after something [was repaid](Self::repaid) so often may not count for this name and these
    /// tags: they are owed, or were.
    #[inline]
    pub(super) fn may_outdate(&self, name: &str, tags: &[Tag], repaid: Option<u64>) -> bool {
        // In this order: what is paid between the two is seen by the second.
        self.is_about(name, tags) || repaid.is_some_and(|repaid| repaid != self.repaid())
    }

    fn incur(&self, debt: Debt, all: impl FnOnce() -> Debt) -> (u64, Debt) {
        let mut debts = self.debts.lock();
        debts.last += 1;
        let id = debts.last;
        let debt = if debts.all.len() < ROOM {
            let stays = |owing: &Owing| !owing.due || !debt.replaces(&owing.debt);
            debts.all.retain(stays);
            let waiting: u64 = debts.all.iter().map(|owing| owing.debt.size()).sum();
            if waiting + debt.size() > ROOM_FOR_VALUES {
                debt.slim()
            } else {
                debt
            }
        } else {
            debts.all.clear();
            all()
        };
        debts.all.push(Owing {
            id,
            debt: debt.clone(),
            due: false,
        });
        self.count.store(debts.all.len() as u64, Ordering::Release);
        (id, debt)
    }

    /// A debt was paid that had been owed for a while.
    fn repay(&self, id: u64) {
        // Before it goes: who does not find it sees that it was there.
        self.repaid.fetch_add(1, Ordering::AcqRel);
        self.end(id, true);
    }

    fn end(&self, id: u64, paid: bool) {
        let mut debts = self.debts.lock();
        if paid {
            debts.all.retain(|owing| owing.id != id);
        } else if let Some(owing) = debts.all.iter_mut().find(|owing| owing.id == id) {
            owing.due = true;
        }
        self.count.store(debts.all.len() as u64, Ordering::Release);
    }

    /// A name was written: what is owed of an earlier write is outdated.
    pub(super) fn overwritten(&self, name: &str) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut debts = self.debts.lock();
        let is_earlier = |owing: &Owing| {
            let late = matches!(&owing.debt, Debt::Late(late) if *late.place.name == *name);
            owing.due && late
        };
        debts.all.retain(|owing| !is_earlier(owing));
        self.count.store(debts.all.len() as u64, Ordering::Release);
    }

    /// Whether a late write is owed still.
    pub(super) fn has(&self, late: &Late) -> bool {
        let debts = self.debts.lock();
        let mut all = debts.all.iter();
        all.any(|owing| matches!(&owing.debt, Debt::Late(owed) if **owed == *late))
    }

    /// Others wrote a name later than this process was to: memory in front has to follow.
    pub(super) fn outdates(&self, name: &Arc<str>) {
        self.outdated.lock().push(Arc::clone(name));
    }

    /// What others wrote later, since the last time this was asked.
    pub(super) fn take_outdated(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.outdated.lock())
    }

    /// Takes note of a write whose answer never came.
    pub(super) fn haunted(&self, now: Instant, name: &Arc<str>, digest: u64) {
        self.ghosts.lock().note(now, name, digest);
    }

    /// Whether what is under a name may be such a write.
    pub(super) fn is_ghost(&self, name: &str, digest: u64) -> bool {
        self.ghosts.lock().has(name, digest)
    }

    /// Whether all such writes are known that may still come.
    pub(super) fn knows_ghosts(&self, now: Instant) -> bool {
        self.ghosts.lock().are_known(now)
    }

    /// The debts that somebody has to pay now, after stores have come back so often; of a last try, those between two tries, too.
    fn due(&self, now: Instant, returns: u64, which: Try) -> Vec<(u64, Debt)> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let debts = self.debts.lock();
        let is_back = returns != debts.returns && now.since(debts.tried_at) >= AT_A_RETURN;
        if which == Try::InTurn && now < debts.retry_at && !is_back {
            return Vec::new();
        }
        let due = debts.all.iter().filter(|owing| owing.due);
        let due = due.map(|owing| (owing.id, owing.debt.clone()));
        let mut due: Vec<_> = due.collect();
        // What is only to go is told first: an old value is worse than one less.
        due.sort_by_key(|(_, debt)| debt.size() > 0);
        due
    }

    /// Sets when debts are tried again that could not all be paid: later each time, and not when all other processes do. `unit` is a
    /// draw.
    fn tried(&self, now: Instant, all_paid: bool, (returns, unit): (u64, f64)) {
        let mut debts = self.debts.lock();
        (debts.tried_at, debts.returns) = (now, returns);
        if all_paid {
            debts.wait = FIRST_WAIT;
        } else {
            debts.retry_at = now.after(debts.wait.mul_f64(0.5 + unit / 2.0));
            debts.wait = (debts.wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Who pays what is due, alone as long as this is there.
struct Payer<'a>(&'a AtomicBool);

impl Drop for Payer<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Who is about to pay a debt; dropped before it is paid, the debt is due for others.
pub(super) struct Debtor<'a> {
    stack: &'a Stack,
    id: u64,
    pub(super) debt: Debt,
    paid: bool,
}

impl Debtor<'_> {
    /// The debt was paid.
    pub(super) fn paid(mut self) {
        self.paid = true;
    }
}

impl Drop for Debtor<'_> {
    fn drop(&mut self) {
        self.stack.owed.end(self.id, self.paid);
    }
}

impl Stack {
    pub(super) fn incur(&self, debt: Debt) -> Debtor<'_> {
        let (id, debt) = self.owed.incur(debt, || self.whole());
        Debtor {
            stack: self,
            id,
            debt,
            paid: false,
        }
    }

    /// The right to pay; who pays in turn leaves it to who has it.
    async fn payer(&self, which: Try) -> Option<Payer<'_>> {
        let mut nap = Nap::new(self);
        loop {
            if !self.owed.is_paid.swap(true, Ordering::Acquire) {
                return Some(Payer(&self.owed.is_paid));
            }
            if which == Try::InTurn {
                return None;
            }
            nap.take().await;
        }
    }

    /// Pays what is due, as far as the stores can be told.
    pub(super) async fn pay_debts(&self, which: Try) {
        if self.owed.count() == 0 {
            return;
        }
        let Some(_payer) = self.payer(which).await else {
            return;
        };
        let returns = self.returns();
        let due = self.owed.due(self.now(), returns, which);
        if due.is_empty() {
            return;
        }
        let (mut all_paid, mut steps) = (true, Steps::new());
        for (id, debt) in due {
            let asked = self.failovers();
            let is_paid = match self.pay(&debt, &mut steps).await {
                Some(Paid::As(done)) => self.remember(done, asked),
                Some(Paid::Void) => true,
                None => false,
            };
            if is_paid {
                self.owed.repay(id);
                continue;
            }
            // What was done of it is not known.
            steps.lose();
            all_paid = false;
            // What a store refuses holds up nothing else; one that is away takes nothing.
            if self.misses_a_store() {
                break;
            }
        }
        let unit = self.options.draw.unit();
        self.owed.tried(self.now(), all_paid, (returns, unit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Debt {
        Debt::Name(name.into())
    }

    #[test]
    fn a_debt_is_about_its_name_prefix_or_tags() {
        let owed = Owed::new();
        let everything = || unreachable!("there is room");
        owed.incur(name("a:1"), everything);
        owed.incur(Debt::Prefix("b:".into()), everything);
        let (tags, _) = owed.incur(Debt::Tags(Arc::new([Tag([1; 16])])), everything);
        assert!(owed.is_about("a:1", &[]) && owed.is_about("b:2", &[]));
        assert!(!owed.is_about("a:2", &[Tag([2; 16])]));
        assert!(owed.is_about("a:2", &[Tag([1; 16])]));
        owed.end(tags, true);
        assert!(!owed.is_about("a:2", &[Tag([1; 16])]));
    }

    #[test]
    fn what_was_not_paid_is_due_after_a_while_or_once_a_store_is_back() {
        let owed = Owed::new();
        let (id, _) = owed.incur(name("a"), || name(""));
        assert_eq!(owed.due(Instant::ZERO, 0, Try::InTurn), []);
        owed.end(id, false);
        assert_eq!(owed.due(Instant::ZERO, 0, Try::InTurn), [(id, name("a"))]);
        owed.tried(Instant::ZERO, false, (0, 1.0));
        assert_eq!(owed.due(Instant::ZERO, 0, Try::InTurn), []);
        assert_eq!(
            owed.due(Instant::ZERO.after(FIRST_WAIT), 0, Try::InTurn)
                .len(),
            1
        );
        let mut now = Instant::ZERO;
        for _ in 0..10 {
            now = now.after(LONGEST_WAIT);
            assert_eq!(owed.due(now, 0, Try::InTurn).len(), 1, "within two seconds");
            owed.tried(now, false, (0, 1.0));
        }
        assert_eq!(owed.due(now.after(AT_A_RETURN), 0, Try::InTurn), []);
        assert_eq!(owed.due(now, 1, Try::InTurn), [], "not again and again");
        assert_eq!(owed.due(now.after(AT_A_RETURN), 1, Try::InTurn).len(), 1);
        owed.tried(now, false, (1, 0.0));
        assert_eq!(owed.due(now.after(AT_A_RETURN), 1, Try::InTurn), []);
        assert_eq!(
            owed.due(now.after(LONGEST_WAIT / 2), 1, Try::InTurn).len(),
            1
        );
    }

    #[test]
    fn what_is_owed_again_is_owed_once() {
        let owed = Owed::new();
        for _ in 0..3 {
            let (id, _) = owed.incur(name("a"), || unreachable!("there is room"));
            owed.end(id, false);
        }
        assert_eq!(owed.due(Instant::ZERO, 0, Try::InTurn), [(3, name("a"))]);
    }

    #[test]
    fn too_many_debts_become_one() {
        let owed = Owed::new();
        for number in 0..=ROOM {
            owed.incur(name(&number.to_string()), || Debt::Prefix("".into()));
        }
        assert_eq!(owed.debts.lock().all.len(), 1);
        assert!(owed.is_about("anything", &[]));
    }
}
