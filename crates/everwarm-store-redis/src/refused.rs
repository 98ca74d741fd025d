//! What a server refuses of all that the store does, where that was tried.

use everwarm_core::store::{Failure, FailureKind};
use redis::Value;

use crate::error::{answered, answered_as};
use crate::markers::text;

/// What was refused first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The command.
    pub(crate) command: String,
    /// Whether that is for want of rights.
    pub(crate) is_forbidden: bool,
}

impl Refused {
    fn new(command: &str, why: &Failure) -> Self {
        Self {
            command: command.to_owned(),
            is_forbidden: why.kind == FailureKind::Authentication,
        }
    }
}

/// What the replies to the script that tries, and to a transaction behind it, say.
pub(crate) fn refused(replies: &[Value]) -> Option<Refused> {
    let [tried, begun, .., ended] = replies else {
        return None;
    };
    let of_error = |(command, reply): (&str, &Value)| match reply {
        Value::ServerError(error) => Some(Refused::new(command, &answered(error))),
        _ => None,
    };
    let by_script = match tried {
        Value::Array(parts) => match parts.as_slice() {
            [command, why] => text(command)
                .zip(text(why))
                .map(|(command, why)| Refused::new(command, &answered_as(why))),
            _ => None,
        },
        reply => of_error(("EVAL", reply)),
    };
    let transaction = [("MULTI", begun), ("EXEC", ended)];
    by_script.or_else(|| transaction.into_iter().find_map(of_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn error(line: &str) -> Value {
        redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap()
    }

    #[test]
    fn the_first_that_is_refused_is_told() {
        let forbidden = "NOPERM this user has no permissions";
        let fine = || {
            [
                Value::Array(Vec::new()),
                Value::Okay,
                Value::Okay,
                Value::Okay,
            ]
        };
        let with = |at: usize, reply: Value| {
            let mut replies = fine();
            replies[at] = reply;
            refused(&replies).map(|refused| (refused.command, refused.is_forbidden))
        };
        let said = |command: &str, why: &str| Value::Array(vec![bulk(command), bulk(why)]);
        let is = |command: &str, is_forbidden| Some((command.to_owned(), is_forbidden));
        assert_eq!(refused(&fine()), None);
        assert_eq!(refused(&[]), None);
        assert_eq!(with(0, error(forbidden)), is("EVAL", true));
        assert_eq!(with(0, said("SET", forbidden)), is("SET", true));
        let inside = "-ERR The user executing the script can't run this command or subcommand";
        assert_eq!(with(0, said("PUBLISH", inside)), is("PUBLISH", true));
        assert_eq!(
            with(0, said("SET", "OOM command not allowed")),
            is("SET", false)
        );
        assert_eq!(with(1, error(forbidden)), is("MULTI", true));
        assert_eq!(with(3, error(forbidden)), is("EXEC", true));
    }
}
