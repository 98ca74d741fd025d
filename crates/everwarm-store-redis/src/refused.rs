//! What a server refuses of all that the store does, where that was tried.

use everwarm_core::store::{Failure, FailureKind};

use crate::error::{answered, answered_as};
use crate::value::Value;

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

/// What the reply to the script that tries says.
pub(crate) fn refused(tried: &Value) -> Option<Refused> {
    match tried {
        Value::Array(parts) => match parts.as_slice() {
            [command, why] => command
                .text()
                .zip(why.text())
                .map(|(command, why)| Refused::new(command, &answered_as(why))),
            _ => None,
        },
        Value::ServerError(error) => Some(Refused::new("EVAL", &answered(error))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_refused_is_told() {
        let forbidden = "NOPERM this user has no permissions";
        let with =
            |reply: Value| refused(&reply).map(|refused| (refused.command, refused.is_forbidden));
        let said =
            |command: &str, why: &str| Value::Array(vec![Value::bulk(command), Value::bulk(why)]);
        let is = |command: &str, is_forbidden| Some((command.to_owned(), is_forbidden));
        assert_eq!(with(Value::Array(Vec::new())), None);
        assert_eq!(with(Value::error(forbidden)), is("EVAL", true));
        assert_eq!(with(said("SET", forbidden)), is("SET", true));
        let inside = "-ERR The user executing the script can't run this command or subcommand";
        assert_eq!(with(said("PUBLISH", inside)), is("PUBLISH", true));
        let before_7 = "@user_script: 4: The user executing the script can't run this command";
        assert_eq!(with(said("PUBLISH", before_7)), is("PUBLISH", true));
        assert_eq!(
            with(said("SET", "OOM command not allowed")),
            is("SET", false)
        );
    }
}
