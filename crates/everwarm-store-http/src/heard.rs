//! What was heard of others, until the process looks at it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use everwarm_core::store::{Message, Messages};

use crate::contract::bodies::News;

/// Messages that wait to be taken in; who is behind by more has to take everything as changed.
const ROOM: usize = 4096;

/// A bounded queue of messages. What came before a gap is not handed over after it.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    messages: VecDeque<(u64, Message)>,
    /// Counts messages and gaps.
    count: u64,
    gap_at: u64,
    /// The instant by which all that was done is known.
    confirmed: Option<Instant>,
    failovers: u64,
}

impl Heard {
    /// Takes in what was asked for at an instant; how many servers took over behind the one that was asked, since the last time.
    pub(crate) fn take(&mut self, news: News, asked: Instant) -> u64 {
        let room = ROOM.saturating_sub(self.messages.len());
        // Before the first answer nothing was heard: whatever was read until then may have changed.
        if self.confirmed.is_none() && self.count == 0
            || news.told.gap
            || news.told.messages.len() > room
        {
            self.messages.clear();
            self.count += 1;
            self.gap_at = self.count;
        }
        for message in news.told.messages.into_iter().take(ROOM) {
            self.count += 1;
            self.messages.push_back((self.count, message));
        }
        if let Some(silence) = news.silence {
            self.confirmed = asked.checked_sub(silence).or(self.confirmed);
        }
        let more = news.failovers.saturating_sub(self.failovers);
        self.failovers = news.failovers;
        more
    }

    pub(crate) const fn change(&self) -> u64 {
        self.count
    }

    /// What came after `after`; what came up to it is forgotten.
    pub(crate) fn messages(&mut self, after: u64) -> Messages {
        self.messages.retain(|(number, _)| *number > after);
        let messages = self.messages.iter().map(|(_, message)| message.clone());
        Messages {
            messages: messages.collect(),
            up_to: self.count,
            gap: self.gap_at > after,
        }
    }

    /// How long ago everything was known; [`Duration::MAX`] if it never was.
    pub(crate) fn silence(&self) -> Duration {
        self.confirmed
            .map_or(Duration::MAX, |confirmed| confirmed.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(names: &[&str], gap: bool) -> News {
        News {
            told: Messages {
                messages: names
                    .iter()
                    .map(|&name| Message::Key(name.into()))
                    .collect(),
                up_to: 0,
                gap,
            },
            silence: Some(Duration::ZERO),
            failovers: 0,
        }
    }

    #[test]
    fn to_begin_is_a_gap_and_each_message_comes_once() {
        let mut heard = Heard::default();
        assert_eq!(heard.silence(), Duration::MAX);
        heard.take(news(&[], false), Instant::now());
        assert!(heard.silence() < Duration::MAX);
        let began = heard.messages(0);
        assert!(began.gap && began.messages.is_empty());
        heard.take(news(&["a"], false), Instant::now());
        assert_ne!(heard.change(), began.up_to);
        let told = heard.messages(began.up_to);
        assert_eq!((told.messages.len(), told.gap), (1, false));
        let again = heard.messages(told.up_to);
        assert!(again.messages.is_empty() && !again.gap);
    }

    #[test]
    fn what_came_before_a_gap_is_not_told_after_it() {
        let mut heard = Heard::default();
        heard.take(news(&["a"], false), Instant::now());
        heard.take(news(&["b"], true), Instant::now());
        let told = heard.messages(0);
        assert_eq!(told.messages, [Message::Key("b".into())]);
        assert!(told.gap);
        let many = vec!["n"; ROOM];
        heard.take(news(&many, false), Instant::now());
        assert!(heard.messages(told.up_to).gap, "one was too many");
    }

    #[test]
    fn who_takes_over_behind_the_server_is_counted() {
        let mut heard = Heard::default();
        let of = |failovers| News {
            failovers,
            ..News::default()
        };
        let counts = [2, 2, 5, 0].map(|failovers| heard.take(of(failovers), Instant::now()));
        assert_eq!(counts, [2, 0, 3, 0]);
        assert_eq!(heard.silence(), Duration::MAX, "the server knows nothing");
    }
}
