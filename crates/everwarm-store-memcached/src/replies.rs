//! What a server says, taken apart as it comes.

use everwarm_core::store::{Bytes, Failure};

use crate::error::{answered, unexpected};

/// The longest line that is waited for.
const LONGEST_LINE: usize = 4 << 10;
/// The largest value that is taken in: more than any server is set up for.
const LARGEST: usize = 1 << 30;
/// Lines of statistics that are taken in.
const MOST_LINES: usize = 10_000;

/// What a server said to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// There it is.
    Data(Bytes),
    /// It is done, or there without being asked for.
    Done,
    /// Nothing is there.
    Nothing,
    /// It was not stored: something is there, or nothing.
    NotStored,
    /// Something else is there by now.
    Changed,
    /// A line without a key: `MN`, `STORED`, `VERSION`.
    Word,
    /// What it says of itself.
    Statistics(Vec<(String, String)>),
    /// It refused.
    Refused(Failure),
}

/// What a server said, and what it told of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) said: Said,
    pub(crate) flags: u32,
    /// Seconds that the item has left; None: it has no end, or that was not asked for.
    pub(crate) left: Option<u32>,
    /// The number of the item's last write.
    pub(crate) cas: u64,
    /// The number of the command.
    pub(crate) number: Option<u32>,
}

impl Reply {
    pub(crate) const fn new(said: Said) -> Self {
        Self {
            said,
            flags: 0,
            left: None,
            cas: 0,
            number: None,
        }
    }

    /// The data that was asked for; None if nothing is there.
    ///
    /// # Errors
    /// What the server refused, and `Corruption` for another answer.
    pub(crate) fn data(&self) -> Result<Option<&Bytes>, Failure> {
        match &self.said {
            Said::Data(data) => Ok(Some(data)),
            Said::Nothing => Ok(None),
            _ => Err(self.unexpected("a read")),
        }
    }

    /// Whether something is there, where its data was not asked for.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub(crate) fn is_there(&self) -> Result<bool, Failure> {
        match &self.said {
            Said::Done => Ok(true),
            Said::Nothing => Ok(false),
            _ => Err(self.unexpected("a look")),
        }
    }

    /// What became of a write.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub(crate) fn written(&self) -> Result<Written, Failure> {
        match &self.said {
            Said::Done => Ok(Written::Done),
            Said::Nothing => Ok(Written::Gone),
            Said::NotStored | Said::Changed => Ok(Written::Not),
            _ => Err(self.unexpected("a write")),
        }
    }

    /// The failure of an answer that is none to this.
    pub(crate) fn unexpected(&self, what: &str) -> Failure {
        match &self.said {
            Said::Refused(failure) => failure.clone(),
            _ => unexpected(what),
        }
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is done.
    Done,
    /// It is not: something else is there.
    Not,
    /// It is not: nothing is there.
    Gone,
}

/// Bytes that came, and the replies in them.
#[derive(Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
    /// Where what was not taken yet begins.
    from: usize,
    /// Where the end of a line is looked for.
    looked: usize,
    /// The value that is under way: what its line said, and its length.
    value: Option<(Reply, usize)>,
    statistics: Vec<(String, String)>,
}

/// Why what came is no reply.
#[derive(Debug)]
pub(crate) struct Garbled;

impl Replies {
    /// Takes bytes in.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.from > 0 && self.from == self.bytes.len() {
            self.bytes.clear();
            self.from = 0;
        } else if self.from > 1 << 16 && self.from > self.bytes.len() / 2 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.bytes.len() && self.value.is_none() && self.statistics.is_empty()
    }

    /// The next reply, if it has come whole.
    ///
    /// # Errors
    /// If what came is none.
    pub(crate) fn next(&mut self) -> Result<Option<Reply>, Garbled> {
        loop {
            if let Some((_, length)) = &self.value {
                let whole = self.bytes.get(self.from..self.from + length + 2);
                let Some(whole) = whole else {
                    return Ok(None);
                };
                let data = whole.strip_suffix(b"\r\n").ok_or(Garbled)?;
                let data = Bytes::copy_from_slice(data);
                self.from += length + 2;
                self.looked = 0;
                let (mut reply, _) = self.value.take().ok_or(Garbled)?;
                reply.said = Said::Data(data);
                return Ok(Some(reply));
            }
            let Some(line) = self.line()? else {
                return Ok(None);
            };
            if let Some(reply) = self.take(&line)? {
                return Ok(Some(reply));
            }
        }
    }

    /// The next line, if it has come whole.
    fn line(&mut self) -> Result<Option<String>, Garbled> {
        let rest = &self.bytes[self.from..];
        let end = rest[self.looked..].iter().position(|&byte| byte == b'\n');
        let Some(end) = end.map(|end| self.looked + end) else {
            self.looked = rest.len();
            return if rest.len() > LONGEST_LINE {
                Err(Garbled)
            } else {
                Ok(None)
            };
        };
        let line = rest[..end].strip_suffix(b"\r").ok_or(Garbled)?;
        let line = String::from_utf8_lossy(line).into_owned();
        self.from += end + 1;
        self.looked = 0;
        Ok(Some(line))
    }

    /// Takes a line; a reply, unless more belongs to it.
    fn take(&mut self, line: &str) -> Result<Option<Reply>, Garbled> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let said = match word {
            "VA" => {
                let (length, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let length: usize = length.parse().map_err(|_| Garbled)?;
                if length > LARGEST {
                    return Err(Garbled);
                }
                self.value = Some((told(Said::Done, rest)?, length));
                return Ok(None);
            }
            "STAT" => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                if self.statistics.len() >= MOST_LINES {
                    return Err(Garbled);
                }
                self.statistics.push((name.to_owned(), text.to_owned()));
                return Ok(None);
            }
            "HD" => Said::Done,
            "EN" | "NF" => Said::Nothing,
            "NS" => Said::NotStored,
            "EX" => Said::Changed,
            "END" => {
                let all = std::mem::take(&mut self.statistics);
                return Ok(Some(Reply::new(Said::Statistics(all))));
            }
            "MN" | "STORED" | "VERSION" => return Ok(Some(Reply::new(Said::Word))),
            "ERROR" | "CLIENT_ERROR" | "SERVER_ERROR" => {
                return Ok(Some(Reply::new(Said::Refused(answered(word, rest)))));
            }
            _ => return Err(Garbled),
        };
        told(said, rest).map(Some)
    }
}

/// A reply, with what its line tells of the item.
fn told(said: Said, words: &str) -> Result<Reply, Garbled> {
    let mut reply = Reply::new(said);
    for word in words.split_ascii_whitespace() {
        let Some((flag, text)) = word.split_at_checked(1) else {
            return Err(Garbled);
        };
        match flag {
            "f" => reply.flags = number(text)?,
            "c" => reply.cas = number(text)?,
            "O" => reply.number = Some(number(text)?),
            "t" if text == "-1" => reply.left = None,
            "t" => reply.left = Some(number(text)?),
            _ => {}
        }
    }
    Ok(reply)
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, Garbled> {
    text.parse().map_err(|_| Garbled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use everwarm_core::store::FailureKind;

    const ALL: &[u8] = b"VA 2 f5 t10 c1 O9\r\nh\n\r\nHD O1\r\nEN O7 knope\r\nNF O3\r\nNS O10 c0\r\nEX O12 c0\r\n\
        VA 0 t-1\r\n\r\nMN\r\nSTAT pid 17\r\nSTAT name a b\r\nEND\r\nSERVER_ERROR object too large for cache\r\n";

    fn all(replies: &mut Replies) -> Vec<Reply> {
        std::iter::from_fn(|| replies.next().expect("it is a reply")).collect()
    }

    #[test]
    fn what_a_server_says_is_taken_apart_however_it_comes() {
        let mut replies = Replies::default();
        replies.feed(ALL);
        let whole = all(&mut replies);
        assert!(replies.is_empty());
        let said: Vec<_> = whole.iter().map(|reply| reply.said.clone()).collect();
        assert_eq!(said[0], Said::Data(Bytes::from("h\n")));
        assert_eq!(
            said[1..8],
            [
                Said::Done,
                Said::Nothing,
                Said::Nothing,
                Said::NotStored,
                Said::Changed,
                Said::Data(Bytes::new()),
                Said::Word
            ]
        );
        let pairs = [("pid", "17"), ("name", "a b")];
        let pairs = pairs.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(said[8], Said::Statistics(pairs.into()));
        assert!(matches!(&said[9], Said::Refused(why) if why.kind == FailureKind::Capacity));
        let first = (whole[0].flags, whole[0].left, whole[0].cas, whole[0].number);
        assert_eq!(first, (5, Some(10), 1, Some(9)));
        assert_eq!((whole[6].left, whole[6].number), (None, None));

        let mut replies = Replies::default();
        let mut singly = Vec::new();
        for byte in ALL {
            replies.feed(std::slice::from_ref(byte));
            singly.extend(all(&mut replies));
        }
        assert_eq!(singly, whole);
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let long = [b'x'; LONGEST_LINE + 1];
        for bytes in [
            &b"HELLO\r\n"[..],
            b"VA x\r\n",
            b"VA 99999999999\r\n",
            b"VA 1\r\nabc",
            b"HD\n",
            b"HD cx\r\n",
            &long,
        ] {
            let mut replies = Replies::default();
            replies.feed(bytes);
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(9)]).into_owned();
            assert!(replies.next().is_err(), "{text:?}");
        }
    }
}
