//! Requests: what is asked of the server of one slot, and which of its replies is the answer.

use redis::ServerError;

use crate::packed::Packed;
use crate::script::{Argument, Call, Script};
use crate::value::Value;

/// What a request without a value counts.
const SMALL: usize = 8 << 10;

/// Bytes of what may stand around a command.
const AROUND: usize = 32;

/// One thing that is asked of the server of one slot.
pub(crate) struct Request {
    /// The slot that says which server.
    pub(crate) slot: u16,
    asked: Asked,
}

enum Asked {
    One(Packed),
    Read(Packed),
    Script(Call),
}

/// In which form it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// After it was redirected to a server that only now gets the slot.
    pub(crate) is_asking: bool,
    /// With its script, which the server does not know.
    pub(crate) is_whole: bool,
}

impl Request {
    /// One command; its reply is the answer.
    pub(crate) const fn one(slot: u16, command: Packed) -> Self {
        Self {
            slot,
            asked: Asked::One(command),
        }
    }

    /// One command that reads entries; its reply is the answer, with what the server's clock shows.
    pub(crate) const fn read(slot: u16, command: Packed) -> Self {
        Self {
            slot,
            asked: Asked::Read(command),
        }
    }

    /// A script; what it returns is the answer.
    pub(crate) const fn script(
        slot: u16,
        script: &'static Script,
        keys: Vec<String>,
        arguments: Vec<Argument>,
    ) -> Self {
        Self {
            slot,
            asked: Asked::Script(Call {
                script,
                keys,
                arguments,
            }),
        }
    }

    /// The keys that it reads or changes, with their slot.
    pub(crate) fn keys(&self) -> (u16, Vec<String>) {
        let keys = match &self.asked {
            Asked::Script(call) => call.keys.clone(),
            Asked::One(command) | Asked::Read(command) => command.keys(),
        };
        (self.slot, keys)
    }

    /// Whether it is to be known what the server's clock shows.
    pub(crate) const fn is_timed(&self) -> bool {
        matches!(self.asked, Asked::Read(_))
    }

    /// Writes its commands for the server of this run.
    pub(crate) fn write(&self, packed: &mut Packed, form: Form, server: &str) {
        if form.is_asking {
            packed.word("ASKING");
        }
        match &self.asked {
            Asked::One(command) | Asked::Read(command) => packed.all(command),
            Asked::Script(call) => {
                if let Some(before) = call.before() {
                    packed.add(&before);
                    if form.is_asking {
                        // Each word of it is good for one command.
                        packed.word("ASKING");
                    }
                }
                packed.add(&call.command(form.is_whole, server));
            }
        }
    }

    /// Room that is enough for what it writes most often.
    pub(crate) fn room(&self) -> usize {
        match &self.asked {
            Asked::One(command) | Asked::Read(command) => command.bytes.len() + AROUND,
            Asked::Script(_) => 0,
        }
    }

    /// How many replies it gets.
    pub(crate) fn replies(&self, form: Form) -> usize {
        let asking = usize::from(form.is_asking);
        match &self.asked {
            Asked::Script(call) if call.is_in_two() => 2 * (asking + 1),
            Asked::One(_) | Asked::Read(_) | Asked::Script(_) => asking + 1,
        }
    }

    /// Bytes that it is counted as when the time for it is measured: many small requests take their time, too.
    pub(crate) fn size(&self) -> usize {
        match &self.asked {
            Asked::Script(call) => SMALL + call.size(),
            Asked::One(command) | Asked::Read(command) => SMALL + command.bytes.len(),
        }
    }
}

/// The answer among the replies to one request: the last, or the first error. All of them are taken, so that none is left for the next
/// request.
///
/// # Errors
/// What the server refused first.
pub(crate) fn answer(replies: impl IntoIterator<Item = Value>) -> Result<Value, ServerError> {
    let mut answer = Ok(Value::Nil);
    for reply in replies {
        match (&answer, reply) {
            (Ok(_), Value::ServerError(error)) => answer = Err(error),
            (Ok(_), reply) => answer = Ok(reply),
            (Err(_), _) => {}
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_the_answer_and_no_reply_is_left() {
        let said = [
            Value::Okay,
            Value::error("MOVED 1 h:1"),
            Value::Nil,
            Value::error("EXECABORT none"),
            Value::Int(7),
        ];
        let mut said = said.into_iter();
        let refused = answer(said.by_ref().take(4)).unwrap_err();
        assert_eq!(refused.code(), "MOVED");
        assert_eq!(answer(said.by_ref().take(1)), Ok(Value::Int(7)));
        assert_eq!(said.next(), None);
    }
}
