//! What the handles of a memory store tell each other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::store::{Answer, Message, Messages, Notify};
use parking_lot::Mutex;

use super::MemoryStore;

/// Messages that are remembered.
const REMEMBERED: usize = 4_096;

/// The last messages, numbered from 1 on.
#[derive(Default)]
pub(super) struct News {
    last: AtomicU64,
    /// Who tells, and what.
    told: Mutex<VecDeque<(u64, Message)>>,
}

impl News {
    pub(super) fn tell(&self, by: u64, message: Message) {
        let mut told = self.told.lock();
        if told.len() == REMEMBERED {
            told.pop_front();
        }
        told.push_back((by, message));
        self.last.fetch_add(1, Ordering::Release);
    }

    fn since(&self, after: u64, own: u64) -> Messages {
        let told = self.told.lock();
        let last = self.last.load(Ordering::Relaxed);
        let missed = last.wrapping_sub(after);
        let gap = missed > told.len() as u64;
        let skipped = if gap { 0 } else { told.len() - missed as usize };
        let others = told.iter().skip(skipped).filter(|(by, _)| *by != own);
        Messages {
            messages: others.map(|(_, message)| message.clone()).collect(),
            up_to: last,
            gap,
        }
    }
}

impl Notify for MemoryStore {
    fn change(&self) -> u64 {
        self.place.news.last.load(Ordering::Acquire)
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        self.at_once(|place| Ok(place.news.since(after, self.own)))
    }
}
