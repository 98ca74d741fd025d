//! Replies, found in bytes that come piece by piece.
//!
//! Where a reply ends is found first, without taking memory for what it says: a length that a server only claims costs nothing.
//! What was looked at is not looked at again when more has come.

use redis::Value;

/// How deep replies may be nested.
const DEEPEST: usize = 32;
/// The longest line, which is that of an error.
const LONGEST_LINE: usize = 64 << 10;
/// The longest that a server keeps under one key.
const LONGEST: usize = 512 << 20;
/// Digits of a number that is surely small enough.
const SAFE_DIGITS: usize = 18;
/// Room that is kept for further replies.
const KEPT: usize = 1 << 20;

/// Bytes that no server of this protocol sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Bytes of which whole replies were not taken yet.
#[derive(Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
    /// Where the next reply begins.
    from: usize,
    /// Up to where it was looked at.
    at: usize,
    /// How many values it still has from there on; 0 before it was looked at.
    open: usize,
}

impl Replies {
    /// Takes in what has come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.from > 0 {
            self.bytes.drain(..self.from);
            self.at -= self.from;
            self.from = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.bytes.len()
    }

    /// The next reply, once all of it has come.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Garbled> {
        if !self.is_whole()? {
            return Ok(None);
        }
        let whole = &self.bytes[self.from..self.at];
        let value = match built(whole, &mut 0, 0)? {
            Some(value) => value,
            None => redis::parse_redis_value(whole).map_err(|_| Garbled)?,
        };
        self.from = self.at;
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            (self.from, self.at) = (0, 0);
        }
        Ok(Some(value))
    }

    /// Looks on for the end of the next reply, and goes there.
    fn is_whole(&mut self) -> Result<bool, Garbled> {
        if self.open == 0 {
            if self.is_empty() {
                return Ok(false);
            }
            self.open = 1;
        }
        while self.open > 0 {
            let Some((kind, line, next)) = line_at(&self.bytes, self.at)? else {
                return Ok(false);
            };
            let mut more = 0;
            match kind {
                b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => self.at = next,
                b'$' | b'=' | b'!' => {
                    let end = next + count(line)?.map_or(0, |length| length + 2);
                    if end > self.bytes.len() {
                        return Ok(false);
                    }
                    self.at = end;
                }
                b'*' | b'~' | b'>' | b'%' | b'|' => {
                    let values = count(line)?.unwrap_or(0);
                    more = match kind {
                        b'%' => 2 * values,
                        // Attributes stand before what they are about.
                        b'|' => 2 * values + 1,
                        _ => values,
                    };
                    self.at = next;
                }
                _ => return Err(Garbled),
            }
            self.open = self.open - 1 + more;
            if self.open > LONGEST {
                return Err(Garbled);
            }
        }
        Ok(true)
    }
}

/// The kind of the value that begins there, the rest of its line, and where the next line begins.
type Line<'a> = Option<(u8, &'a [u8], usize)>;

fn line_at(bytes: &[u8], at: usize) -> Result<Line<'_>, Garbled> {
    let rest = bytes.get(at..).unwrap_or_default();
    let looked_at = &rest[..rest.len().min(LONGEST_LINE)];
    match looked_at.iter().position(|byte| *byte == b'\n') {
        Some(end) if end >= 2 && rest[end - 1] == b'\r' => {
            Ok(Some((rest[0], &rest[1..end - 1], at + end + 1)))
        }
        Some(_) => Err(Garbled),
        None if rest.len() >= LONGEST_LINE => Err(Garbled),
        None => Ok(None),
    }
}

/// A length; None for what is not there.
fn count(line: &[u8]) -> Result<Option<usize>, Garbled> {
    match number(line)? {
        -1 => Ok(None),
        number => match usize::try_from(number) {
            Ok(count) if count <= LONGEST => Ok(Some(count)),
            _ => Err(Garbled),
        },
    }
}

fn number(line: &[u8]) -> Result<i64, Garbled> {
    // Nearly all are lengths of a few digits.
    if matches!(line.len(), 1..=SAFE_DIGITS) && line.iter().all(u8::is_ascii_digit) {
        let digits = line.iter().map(|digit| i64::from(digit - b'0'));
        return Ok(digits.fold(0, |all, digit| all * 10 + digit));
    }
    let text = std::str::from_utf8(line).map_err(|_| Garbled)?;
    text.parse().map_err(|_| Garbled)
}

/// The value that begins there, all of which has come; None if there are values of rare kinds in it.
fn built(bytes: &[u8], at: &mut usize, depth: usize) -> Result<Option<Value>, Garbled> {
    let (kind, line, next) = line_at(bytes, *at)?.ok_or(Garbled)?;
    *at = next;
    Ok(Some(match kind {
        b'+' if line == b"OK" => Value::Okay,
        b'+' => Value::SimpleString(String::from_utf8(line.to_vec()).map_err(|_| Garbled)?),
        b':' => Value::Int(number(line)?),
        b'_' => Value::Nil,
        b'$' => match count(line)? {
            None => Value::Nil,
            Some(length) => {
                let value = bytes.get(next..next + length).ok_or(Garbled)?;
                *at = next + length + 2;
                Value::BulkString(value.to_vec())
            }
        },
        b'*' => match count(line)? {
            None => Value::Nil,
            Some(_) if depth == DEEPEST => return Err(Garbled),
            Some(count) => {
                // Each value takes three bytes at least, and all of them have come.
                let mut values = Vec::with_capacity(count.min(bytes.len() / 3));
                for _ in 0..count {
                    match built(bytes, at, depth + 1)? {
                        Some(value) => values.push(value),
                        None => return Ok(None),
                    }
                }
                Value::Array(values)
            }
        },
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &[u8] = b"+OK\r\n+QUEUED\r\n$-1\r\n*3\r\n$5\r\na\r\nbc\r\n:-7\r\n*2\r\n_\r\n$0\r\n\r\n\
        -ERR no\r\n%1\r\n$1\r\nk\r\n#t\r\n*2\r\n:1\r\n-MOVED 1 h:1\r\n>2\r\n+message\r\n+x\r\n=5\r\ntxt:a\r\n*-1\r\n,1.5\r\n";

    fn taken(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<Value> {
        let (mut replies, mut values) = (Replies::default(), Vec::new());
        for piece in pieces {
            replies.feed(&piece);
            while let Some(value) = replies.next().expect("they are replies") {
                values.push(value);
            }
        }
        assert!(replies.is_empty());
        values
    }

    #[test]
    fn replies_are_the_same_in_whatever_pieces_they_come() {
        let whole = taken(std::iter::once(SAID.to_vec()));
        assert_eq!(whole.len(), 11);
        assert_eq!(whole[2], Value::Nil);
        let inner = Value::Array(vec![Value::Nil, Value::BulkString(Vec::new())]);
        let text = Value::BulkString(b"a\r\nbc".to_vec());
        assert_eq!(whole[3], Value::Array(vec![text, Value::Int(-7), inner]));
        for size in 1..20 {
            let pieces = SAID.chunks(size).map(<[u8]>::to_vec);
            assert_eq!(taken(pieces), whole, "pieces of {size}");
        }
    }

    #[test]
    fn they_are_what_the_library_takes_them_for() {
        let mut rest = SAID;
        for value in taken(std::iter::once(SAID.to_vec())) {
            let end = (1..=rest.len()).find(|end| redis::parse_redis_value(&rest[..*end]).is_ok());
            let (one, next) = rest.split_at(end.expect("one of them is whole"));
            assert_eq!(redis::parse_redis_value(one).expect("it is one"), value);
            rest = next;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn numbers_are_read_up_to_the_largest() {
        let largest = i64::MAX.to_string();
        for (line, read) in [
            ("0", Ok(0)),
            ("+7", Ok(7)),
            ("-1", Ok(-1)),
            ("007", Ok(7)),
            ("999999999999999999", Ok(999_999_999_999_999_999)),
            (&largest, Ok(i64::MAX)),
            ("9223372036854775808", Err(Garbled)),
            ("", Err(Garbled)),
            ("-", Err(Garbled)),
            ("1 ", Err(Garbled)),
            ("1:", Err(Garbled)),
            ("/", Err(Garbled)),
        ] {
            assert_eq!(number(line.as_bytes()), read, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_said_to_be_none() {
        let deep = b"*1\r\n".repeat(40);
        let deep = [&deep[..], b":1\r\n"].concat();
        let garbled: [&[u8]; 8] = [
            b"HTTP/1.1 400\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"\r\n",
            b"*99999999999\r\n",
            b"$536870913\r\n",
            b":one\r\n",
            &deep,
        ];
        for bytes in garbled {
            let mut replies = Replies::default();
            replies.feed(bytes);
            assert_eq!(replies.next(), Err(Garbled), "{bytes:?}");
        }
        let mut replies = Replies::default();
        replies.feed(&vec![b'+'; LONGEST_LINE]);
        assert_eq!(replies.next(), Err(Garbled));
    }
}
