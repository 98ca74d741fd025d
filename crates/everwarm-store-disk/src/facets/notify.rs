//! What others changed: the log's own records, each of which says where the one before it lies that others are told of.
//!
//! The number of a message is the place of its record. It is written with the step itself, in the head, so that there is no write
//! without its message. The index follows the head, so who hears of another's last step sees to it that the index does: else what
//! was there before would be read again, and kept.

use std::os::unix::fs::FileExt;

use everwarm_core::store::{Answer, Failure, Message, Messages, Notify};
use parking_lot::Mutex;

use super::generations::{mark, tag_and_number};
use crate::error::{Step, Trouble};
use crate::files::Files;
use crate::head::{Head, TOLD_AT};
use crate::index::Index;
use crate::record::{HEADER, Header, Kind, LONGEST_NAME};
use crate::store::Disk;

/// Who is behind by more has to take everything as changed.
const MOST: usize = 4096;

/// The last messages that this process wrote one after the other: it need not read them to learn that they are its own.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Run>);

/// Messages behind one another, in one life of the store.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    life: u64,
    /// The message before them.
    after: u64,
    /// The last of them.
    to: u64,
}

impl Own {
    /// A step of this process was done, before which `before` was the last message.
    pub(crate) fn add(&self, before: u64, head: &Head) {
        if before == head.told {
            return;
        }
        let mut run = self.0.lock();
        let goes_on = run.life == head.life && run.to == before;
        let after = if goes_on { run.after } else { before };
        *run = Run {
            life: head.life,
            after,
            to: head.told,
        };
    }

    /// The last message that may be another's, from this one back.
    fn before(&self, life: u64, message: u64) -> u64 {
        let run = self.0.lock();
        if run.life == life && run.to == message {
            run.after
        } else {
            message
        }
    }
}

impl Notify for Disk {
    fn change(&self) -> u64 {
        let mut told = [0; 8];
        // A look that fails gives a number that is no message's: whoever asks then is told of the failure.
        let read = self
            .files()
            .map(|files| files.head.read_exact_at(&mut told, TOLD_AT));
        match read {
            Ok(Ok(())) => u64::from_le_bytes(told),
            _ => 0,
        }
    }

    fn messages(&self, after: u64) -> Answer<'_, Messages> {
        Answer::Now(self.files().and_then(|files| messages(files, after)))
    }
}

fn messages(files: &Files, after: u64) -> Result<Messages, Failure> {
    let read = files
        .read_head()
        .and_then(|head| Ok((files.follow(&head)?, head)));
    let (index, head) = match read {
        Ok(read) => read,
        Err(Trouble::Failed(failure)) => return Err(failure),
        // Whoever writes next sees to the damage.
        Err(_) => {
            return Ok(Messages {
                up_to: after,
                gap: true,
                ..Messages::default()
            });
        }
    };
    if head.writer != files.writer && head.told != after && head.last <= head.told {
        files.catch_up()?;
    }
    let messages = match walk(files, &index, &head, after) {
        Ok(messages) => messages,
        Err(Trouble::Failed(failure)) => return Err(failure),
        Err(_) => None,
    };
    Ok(Messages {
        up_to: head.told,
        gap: messages.is_none(),
        messages: messages.unwrap_or_default(),
    })
}

/// The messages after one, in their order; `None` if some are lost.
fn walk(files: &Files, index: &Index, head: &Head, after: u64) -> Step<Option<Vec<Message>>> {
    let mut messages = Vec::new();
    let mut place = head.told;
    let mut steps = 0;
    if place > after {
        // Where own messages begin before that one, all after it are own.
        place = files.own.before(head.life, place).max(after);
    }
    while place != after {
        steps += 1;
        if place < head.start || place < after || steps > MOST {
            return Ok(None);
        }
        let record = files.record(index, place, HEADER + LONGEST_NAME + 64)?;
        let Some(record) = record else {
            return Ok(None);
        };
        let Some((header, name)) = Header::read(&record, (head.life, place)) else {
            return Ok(None);
        };
        if header.writer != files.writer {
            messages.push(match header.kind {
                Kind::Entry | Kind::Delete => Message::Key(name.into()),
                Kind::Clear => Message::Clear(name.into()),
                Kind::Invalidate => {
                    let Some((tag, number)) = header.value(&record).and_then(tag_and_number) else {
                        return Ok(None);
                    };
                    Message::Tag {
                        namespace: name.into(),
                        tag,
                        marker: mark(head.life, number),
                    }
                }
                Kind::Pad | Kind::Lease => return Ok(None),
            });
        }
        place = header.told_before;
    }
    messages.reverse();
    Ok(Some(messages))
}
