//! What a process hears of the bus: core's inbox, with the faults of transports that do not mind what it says.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::bus::inbox::Inbox;
use everwarm_core::bus::spaces::Spaces;
use everwarm_core::clock::{Clock, Instant};
use everwarm_core::mark::Mark;
use everwarm_core::store::{Message, Messages};
use everwarm_engine::Ticker;

use crate::fault::Fault;
use crate::node::NAMESPACE;
use crate::server::Sent;

/// The inbox of one process.
pub(crate) struct Hearing {
    own: u64,
    fault: Option<Fault>,
    clock: Ticker,
    /// The one namespace that all have.
    spaces: Spaces,
    inbox: Mutex<Inbox>,
    /// The highest number that was told, for those who believe it.
    told: Mutex<Option<Mark>>,
}

impl Hearing {
    /// Of the process with this connection, whose inbox takes so many messages.
    pub(crate) fn new(own: u64, room: usize, fault: Option<Fault>, clock: &Ticker) -> Self {
        let mut inbox = Inbox::new(0, room);
        let mut spaces = Spaces::new(1, 1);
        spaces.attend(NAMESPACE, &mut inbox);
        Self {
            own,
            fault,
            clock: clock.clone(),
            spaces,
            inbox: Mutex::new(inbox),
            told: Mutex::default(),
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().expect("no panic")
    }

    /// Takes in a message.
    pub(crate) fn take_in(&self, sent: Sent) {
        let Sent { by, mark, message } = sent;
        if self.fault == Some(Fault::ForgeryBelieved) {
            let mut told = self.told.lock().expect("no panic");
            if told.is_some_and(|told| told.epoch == mark.epoch && mark.number <= told.number) {
                return;
            }
            *told = Some(mark);
        }
        if let Some(mark) = self.spaces.numbered(NAMESPACE, mark) {
            let message = (by != self.own).then_some(message);
            self.inbox().message(mark, message);
        }
    }

    /// Takes in what is no message.
    pub(crate) fn hear(&self, event: Event) {
        self.inbox().hear(event);
    }

    /// Takes in the reading of the shard that was asked for then.
    pub(crate) fn beat(&self, at: Mark, asked: Instant) {
        let told = *self.told.lock().expect("no panic");
        let believed = told.filter(|told| told.epoch == at.epoch && told.number > at.number);
        let begins = || Message::Begins {
            space: NAMESPACE.into(),
            at,
        };
        self.inbox().beat(believed.unwrap_or(at), asked, begins);
    }

    pub(crate) fn change(&self) -> u64 {
        self.inbox().change()
    }

    pub(crate) fn failovers(&self) -> u64 {
        self.inbox().failovers()
    }

    pub(crate) fn silence(&self) -> Duration {
        let silence = self.inbox().silence(self.clock.now());
        match self.fault {
            Some(Fault::RestartTrustsDisk) if silence == Duration::MAX => Duration::ZERO,
            Some(Fault::SilenceIsCalm) => Duration::ZERO,
            _ => silence,
        }
    }

    pub(crate) fn messages(&self, after: u64) -> Messages {
        // The first gaps are what was missed before the process began.
        const FIRST: u64 = 3;
        let mut messages = self.inbox().messages(after);
        if let Some(Fault::BeginningTrusted | Fault::RestartTrustsDisk) = self.fault {
            let begins = |message: &Message| matches!(message, Message::Begins { .. });
            messages.messages.retain(|message| !begins(message));
        }
        let is_minded = match self.fault {
            Some(Fault::GapIgnored) => after < FIRST,
            Some(Fault::RestartTrustsDisk) => after >= FIRST,
            _ => true,
        };
        Messages {
            gap: messages.gap && is_minded,
            ..messages
        }
    }
}
