//! Errors: what happened, to what, and what to do about it.

use std::fmt;

/// What sort of mistake or refusal an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A value of the configuration that cannot be meant.
    Config,
    /// An option that does not exist.
    UnknownOption,
    /// An argument that cannot be part of a key.
    KeyRefused,
    /// Something this cache or store cannot do.
    Unsupported,
    /// A call that waits for itself.
    Recursion,
    /// A time limit that ended.
    Timeout,
    /// A read that was to be answered from the cache alone, and was not there.
    NotCached,
    /// A cache that was closed.
    Closed,
}

impl ErrorKind {
    /// The name users see: the class that Python raises.
    ///
    /// ```
    /// use everwarm_core::error::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::Config.name(), "ConfigError");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "ConfigError",
            Self::UnknownOption => "UnknownOption",
            Self::KeyRefused => "KeyRefused",
            Self::Unsupported => "Unsupported",
            Self::Recursion => "Recursion",
            Self::Timeout => "Timeout",
            Self::NotCached => "NotCached",
            Self::Closed => "Closed",
        }
    }
}

/// An error of the cache itself; errors of the user's function are never wrapped in it.
///
/// ```
/// use everwarm_core::error::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Closed, "the cache \"shop\" is closed", "build another one");
/// assert_eq!(error.to_string(), "the cache \"shop\" is closed\nhint: build another one");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: String,
}

impl Error {
    /// An error of `kind`: the message says what happened to what, the hint what to write or do instead.
    pub fn new(kind: ErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A value of the configuration that cannot be meant.
    pub fn config(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message, hint)
    }

    /// An option nobody knows; the hint names the nearest of those that are `known`, else all of them.
    ///
    /// ```
    /// use everwarm_core::error::Error;
    ///
    /// let error = Error::unknown_option("tll", &["ttl", "jitter"]);
    /// assert_eq!(error.to_string(), "there is no option \"tll\"\nhint: did you mean \"ttl\"?");
    /// ```
    #[must_use]
    pub fn unknown_option(option: &str, known: &[&str]) -> Self {
        let hint = match nearest(option, known.iter().copied()) {
            Some(candidate) => format!("did you mean {candidate:?}?"),
            None => format!("the options are {}", known.join(", ")),
        };
        Self::new(
            ErrorKind::UnknownOption,
            format!("there is no option {:?}", excerpt(option)),
            hint,
        )
    }

    /// What sort of error this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, to what.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write or do instead.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.message, self.hint)
    }
}

impl std::error::Error for Error {}

/// Text longer than this is no misspelt word, and is not repeated whole in a message.
const LONGEST_WORD: usize = 40;

/// `text` as far as a message repeats it.
pub(crate) fn excerpt(text: &str) -> String {
    if text.chars().count() <= LONGEST_WORD {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST_WORD).collect();
    short.push('…');
    short
}

/// The candidate that `word` was probably meant to be, if one is near: at most one slip for every three letters.
///
/// A slip is a letter too many, missing, wrong, or swapped with its neighbour; case does not count. Of equally near
/// candidates the first is taken.
///
/// ```
/// use everwarm_core::error::nearest;
///
/// assert_eq!(nearest("max_entires", ["max_bytes", "max_entries"]), Some("max_entries"));
/// assert_eq!(nearest("colour", ["ttl", "jitter"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.len() > LONGEST_WORD {
        return None;
    }
    let mut best = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let allowed = (word.len().max(letters.len()) / 3).max(1);
        let slips = slips_between(&word, &letters);
        if slips <= allowed && slips < letters.len() && best.is_none_or(|(least, _)| slips < least)
        {
            best = Some((slips, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The optimal string alignment distance, row by row.
fn slips_between(one: &[char], other: &[char]) -> usize {
    let mut before = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; other.len() + 1];
        for j in 1..=other.len() {
            let wrong = usize::from(one[i - 1] != other[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + wrong);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}
