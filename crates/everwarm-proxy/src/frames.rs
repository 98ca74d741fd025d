//! Where the replies of a Redis server end, in RESP2 and RESP3, however the bytes are cut.

/// The end of a reply within the bytes that were fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// One behind its last byte.
    pub(crate) end: usize,
    /// Whether it is the server's own message, which answers no command.
    pub(crate) push: bool,
}

// Lines that carry no length are as long as they like; of others this much is looked at.
const LENGTH: usize = 24;

/// Follows a stream of replies.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What is left to come of the arrays that are open, outermost first.
    open: Vec<u64>,
    /// The begin of the line that is not complete.
    line: Vec<u8>,
    /// The bytes that are left of a string and its line end.
    body: u64,
    push: bool,
    foreign: bool,
}

impl Frames {
    /// Whether the next byte begins a reply.
    pub(crate) fn at_start(&self) -> bool {
        !self.foreign && self.open.is_empty() && self.line.is_empty() && self.body == 0
    }

    /// The replies that end in the next bytes of the stream; none any more, once it has spoken something else.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let (mut at, mut ends) = (0, Vec::new());
        while at < bytes.len() && !self.foreign {
            let done = if self.body > 0 {
                let some = self.body.min((bytes.len() - at) as u64);
                self.body -= some;
                at += some as usize;
                self.body == 0
            } else {
                if self.at_start() {
                    self.push = bytes[at] == b'>';
                }
                let byte = bytes[at];
                at += 1;
                if byte == b'\n' {
                    self.line_ended()
                } else {
                    if self.line.len() < LENGTH {
                        self.line.push(byte);
                    }
                    false
                }
            };
            if done && self.element_ended() {
                ends.push(Frame {
                    end: at,
                    push: self.push,
                });
            }
        }
        ends
    }

    /// Whether the line that has just ended is an element by itself.
    fn line_ended(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let length = || {
            let digits = std::str::from_utf8(line.get(1..)?).ok()?;
            digits.trim_end().parse::<i64>().ok()
        };
        match (line.first(), length()) {
            (Some(b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'('), _) => true,
            (Some(b'$' | b'=' | b'!'), Some(length)) if length >= 0 => {
                self.body = length.unsigned_abs() + 2;
                false
            }
            (Some(b'*' | b'~' | b'>'), Some(count)) if count > 0 => {
                self.open.push(count.unsigned_abs());
                false
            }
            (Some(b'%'), Some(count)) if count > 0 => {
                self.open.push(count.unsigned_abs().saturating_mul(2));
                false
            }
            (Some(b'$' | b'*' | b'=' | b'!' | b'~' | b'>' | b'%'), Some(_)) => true,
            _ => {
                self.foreign = true;
                false
            }
        }
    }

    /// Whether with the element that has just ended a whole reply has.
    fn element_ended(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: [&[u8]; 9] = [
        b"+OK\r\n",
        b"$5\r\na\r\nbc\r\n",
        b"$-1\r\n",
        b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n",
        b">2\r\n+message\r\n$0\r\n\r\n",
        b"%1\r\n+key\r\n,1.5\r\n",
        b"-ERR a long line that has no length but is complete only at its end\r\n",
        b"_\r\n",
        b"*-1\r\n",
    ];

    #[test]
    fn replies_end_where_they_end_however_they_are_cut() {
        let all = REPLIES.concat();
        let mut wanted = Vec::new();
        for reply in REPLIES {
            wanted.push(wanted.last().copied().unwrap_or(0) + reply.len());
        }
        for size in 1..=all.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for (number, piece) in all.chunks(size).enumerate() {
                found.extend(
                    frames
                        .feed(piece)
                        .iter()
                        .map(|f| (f.end + number * size, f.push)),
                );
            }
            assert_eq!(
                found.iter().map(|f| f.0).collect::<Vec<_>>(),
                wanted,
                "cut by {size}"
            );
            let pushes = found.iter().filter(|f| f.1).count();
            assert_eq!((pushes, frames.at_start()), (1, true));
        }
    }

    #[test]
    fn what_is_no_reply_has_no_ends() {
        let mut frames = Frames::default();
        assert_eq!(frames.feed(b"HTTP/1.1 200 OK\r\n+OK\r\n"), []);
        assert!(!frames.at_start());
        assert_eq!(frames.feed(b"+OK\r\n"), []);
    }
}
