//! What a process hears of the bus: core's inbox, with the faults of transports that do not mind what it says.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use everwarm_core::bus::ear::Event;
use everwarm_core::bus::inbox::Inbox;
use everwarm_core::clock::Clock;
use everwarm_core::store::Messages;
use everwarm_engine::Ticker;

use crate::fault::Fault;
use crate::server::Sent;

/// The inbox of one process.
pub(crate) struct Hearing {
    own: u64,
    fault: Option<Fault>,
    clock: Ticker,
    inbox: Mutex<Inbox>,
}

impl Hearing {
    /// Of the process with this connection, whose inbox takes so many messages.
    pub(crate) fn new(own: u64, room: usize, fault: Option<Fault>, clock: &Ticker) -> Self {
        Self {
            own,
            fault,
            clock: clock.clone(),
            inbox: Mutex::new(Inbox::new(1, room)),
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().expect("no panic")
    }

    /// Takes in a message.
    pub(crate) fn take_in(&self, sent: Sent) {
        let Sent { by, mark, message } = sent;
        self.inbox()
            .message(mark, (by != self.own).then_some(message));
    }

    /// Takes in what is no message.
    pub(crate) fn hear(&self, event: Event) {
        self.inbox().hear(event);
    }

    pub(crate) fn change(&self) -> u64 {
        self.inbox().change()
    }

    pub(crate) fn failovers(&self) -> u64 {
        match self.fault {
            Some(Fault::FailoverUnheard) => 0,
            _ => self.inbox().failovers(),
        }
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
        let messages = self.inbox().messages(after);
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
