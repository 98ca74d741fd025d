//! Replies, found in bytes that come piece by piece.
//!
//! All that comes is read into one buffer, which stays. Where a reply ends is found first, without taking memory for what it says: a
//! length that a server only claims costs nothing. What was looked at is not looked at again: what each value is, and where its text
//! lies, is noted on the way. Once all of it has come its texts are copied out of the buffer in one piece, which they share.

use std::ops::Range;
use std::vec::Drain;

use everwarm_core::store::Bytes;

use crate::value::Value;

/// How deep replies may be nested.
const DEEPEST: usize = 32;
/// The longest line, which is that of an error.
const LONGEST_LINE: usize = 64 << 10;
/// The longest that a server keeps under one key.
const LONGEST: usize = 512 << 20;
/// Digits of a number that is surely small enough.
const SAFE_DIGITS: usize = 18;
/// Digits of a length that surely is.
const FEW_DIGITS: usize = 8;
/// Bytes that a line, or a text, ends with.
const END: usize = 2;
/// Bytes that are read at once.
const ROOM: usize = 64 << 10;
/// Where the first reply begins: some processors copy many times slower from the beginning of one page to just behind that of another,
/// and large memory begins a page, as what was received does.
const START: usize = 2 << 10;
/// Less room is not worth a read.
const LEAST_ROOM: usize = ROOM / 4;
/// Room that is kept for further replies.
const KEPT: usize = 1 << 20;
/// From so many bytes on a text may be used where it lies, for as long as its users like: it does not keep much besides itself.
const LARGE: usize = 64 << 10;
/// Values that room is kept for.
const KEPT_VALUES: usize = 1 << 12;

/// Bytes that no server of this protocol sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Bytes of which whole replies were not taken yet.
pub(crate) struct Replies {
    /// What has come, and room for more.
    bytes: Vec<u8>,
    /// Up to where it has come.
    end: usize,
    /// Where the next reply begins.
    from: usize,
    /// Up to where it was looked at.
    at: usize,
    /// How many values it still has from there on; 0 before it was looked at.
    open: usize,
    /// Its values up to there.
    noted: Vec<Noted>,
    /// Whether one of them is of a rare kind, and all are left to the library.
    is_rare: bool,
}

/// A value of a reply of which more may be to come. Places are counted from the beginning of the reply.
enum Noted {
    /// One without others and without a text.
    One(Value),
    Text(Range<usize>),
    /// So many of those behind it.
    Array(usize),
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            end: START,
            from: START,
            at: START,
            open: 0,
            noted: Vec::new(),
            is_rare: false,
        }
    }
}

impl Replies {
    /// Room for what comes next.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.from > START {
            self.bytes.copy_within(self.from..self.end, START);
            let gone = self.from - START;
            self.at -= gone;
            self.end -= gone;
            self.from = START;
        }
        if self.bytes.is_empty() {
            // Memory that nobody has touched, and that a connection without replies never does.
            self.bytes = vec![0; START + ROOM];
        } else if self.bytes.len() - self.end < LEAST_ROOM {
            self.bytes.resize(self.end + ROOM, 0);
        }
        let room = &mut self.bytes[self.end..];
        let most = room.len().min(ROOM);
        &mut room[..most]
    }

    /// So many bytes have come into that room.
    pub(crate) fn came(&mut self, count: usize) {
        self.end += count;
    }

    /// Whether nothing has come that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.end
    }

    /// The next reply, once all of it has come.
    ///
    /// # Errors
    /// If it is none.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Garbled> {
        if !self.is_whole()? {
            return Ok(None);
        }
        let value = if self.is_rare {
            let whole = redis::parse_redis_value(&self.bytes[self.from..self.at]);
            whole.map_err(|_| Garbled)?.into()
        } else {
            let mut texts = self.texts();
            built(&mut self.noted.drain(..), &mut texts, 0)?
        };
        self.is_rare = false;
        self.noted.shrink_to(KEPT_VALUES);
        self.from = self.at;
        if self.is_empty() {
            (self.from, self.at, self.end) = (START, START, START);
            self.bytes.truncate(KEPT);
            self.bytes.shrink_to(KEPT);
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
            let come = &self.bytes[..self.end];
            let (next, (noted, length, more)) = match short(&come[self.at..]) {
                Some((length, line)) => {
                    let next = self.at + line;
                    (next, text(length, next - self.from))
                }
                None => {
                    let Some((kind, line, next)) = line_at(come, self.at)? else {
                        return Ok(false);
                    };
                    (next, begun(kind, line, next - self.from)?)
                }
            };
            let end = next + length;
            if end > self.end {
                return Ok(false);
            }
            self.note(noted);
            self.at = end;
            self.open = self.open - 1 + more;
            if self.open > LONGEST {
                return Err(Garbled);
            }
        }
        Ok(true)
    }

    fn note(&mut self, noted: Option<Noted>) {
        match noted {
            Some(noted) if !self.is_rare => self.noted.push(noted),
            Some(_) => {}
            None => {
                self.is_rare = true;
                self.noted.clear();
            }
        }
    }

    /// The texts of a reply that has come.
    fn texts(&mut self) -> Texts {
        let places = || {
            self.noted.iter().filter_map(|noted| match noted {
                Noted::Text(place) => Some(place),
                _ => None,
            })
        };
        let (Some(first), Some(last)) = (places().next(), places().next_back()) else {
            return Texts::default();
        };
        let (begin, place) = (first.start, self.from + first.start..self.from + last.end);
        let all = if place.len() > KEPT && self.at == self.end {
            // So much room is not kept, and goes with what is in it.
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.truncate(self.end);
            bytes.shrink_to_fit();
            Bytes::from(bytes).slice(place)
        } else {
            Bytes::copy_from_slice(&self.bytes[place])
        };
        Texts { all, begin }
    }
}

/// The texts of a reply, and what is between them.
#[derive(Default)]
struct Texts {
    all: Bytes,
    /// The place of the first.
    begin: usize,
}

impl Texts {
    fn at(&mut self, place: Range<usize>) -> Bytes {
        let (begin, end) = (place.start - self.begin, place.end - self.begin);
        if (begin, end) == (0, self.all.len()) {
            // There is no other.
            return std::mem::take(&mut self.all);
        }
        let (length, others) = (end - begin, self.all.len() - (end - begin));
        if length >= LARGE && others > length / 8 {
            return Bytes::copy_from_slice(&self.all[begin..end]);
        }
        self.all.slice(begin..end)
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

/// A value of which one line has come, unless it is of a rare kind; how many bytes of its text follow, and how many values.
type Begun = (Option<Noted>, usize, usize);

/// The value that begins with this line, of which the next begins at this place.
fn begun(kind: u8, line: &[u8], place: usize) -> Result<Begun, Garbled> {
    let one = |value| (Some(Noted::One(value)), 0, 0);
    Ok(match kind {
        b'+' if line == b"OK" => one(Value::Okay),
        b'+' => {
            let word = std::str::from_utf8(line).map_err(|_| Garbled)?;
            one(Value::SimpleString(word.to_owned()))
        }
        b':' => one(Value::Int(number(line)?)),
        b'_' => one(Value::Nil),
        b'$' => count(line)?.map_or(one(Value::Nil), |length| text(length, place)),
        b'=' | b'!' => (None, count(line)?.map_or(0, |length| length + END), 0),
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            let values = count(line)?;
            let array = values.map_or(Noted::One(Value::Nil), Noted::Array);
            let behind = match (kind, values.unwrap_or(0)) {
                (b'%', pairs) => 2 * pairs,
                // Attributes stand before what they are about.
                (b'|', pairs) => 2 * pairs + 1,
                (_, values) => values,
            };
            ((kind == b'*').then_some(array), 0, behind)
        }
        b'-' | b'#' | b',' | b'(' => (None, 0, 0),
        _ => return Err(Garbled),
    })
}

/// A text of this length, which begins at this place.
fn text(length: usize, place: usize) -> Begun {
    let noted = Noted::Text(place..place + length);
    (Some(noted), length + END, 0)
}

/// The length in the first line, if that says it of a text in a few digits, and how long the line is. Nearly all lines of a long reply do.
fn short(come: &[u8]) -> Option<(usize, usize)> {
    let (b'$', line) = come.split_first()? else {
        return None;
    };
    let mut length = 0;
    for (at, byte) in line.iter().take(FEW_DIGITS + 1).enumerate() {
        match byte {
            b'0'..=b'9' => length = 10 * length + usize::from(byte - b'0'),
            b'\r' if at > 0 && line.get(at + 1) == Some(&b'\n') => {
                return Some((length, 1 + at + END));
            }
            _ => return None,
        }
    }
    None
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

/// The first of these values, with those that it consists of.
fn built(noted: &mut Drain<'_, Noted>, texts: &mut Texts, depth: usize) -> Result<Value, Garbled> {
    Ok(match noted.next().ok_or(Garbled)? {
        Noted::One(value) => value,
        Noted::Text(place) => Value::BulkString(texts.at(place)),
        Noted::Array(_) if depth == DEEPEST => return Err(Garbled),
        Noted::Array(count) => {
            // All of them have come.
            let mut values = Vec::with_capacity(count);
            for _ in 0..count {
                values.push(built(noted, texts, depth + 1)?);
            }
            Value::Array(values)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Replies {
        fn feed(&mut self, mut bytes: &[u8]) {
            while !bytes.is_empty() {
                let room = self.room();
                let (now, later) = bytes.split_at(room.len().min(bytes.len()));
                room[..now.len()].copy_from_slice(now);
                self.came(now.len());
                bytes = later;
            }
        }
    }

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
        let inner = Value::Array(vec![Value::Nil, Value::bulk("")]);
        let text = Value::bulk("a\r\nbc");
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
            let theirs = redis::parse_redis_value(one).expect("it is one");
            assert_eq!(Value::from(theirs), value);
            rest = next;
        }
        assert!(rest.is_empty());
    }

    fn next(replies: &mut Replies) -> Value {
        let next = replies.next().expect("it is a reply");
        next.expect("all of it has come")
    }

    fn texts(value: Value) -> Vec<Bytes> {
        let Value::Array(values) = value else {
            panic!("{value:?}");
        };
        let texts = values.into_iter().filter_map(|value| match value {
            Value::BulkString(text) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// How much memory a text keeps from where it begins, which nobody else keeps.
    fn kept(text: Bytes) -> usize {
        let own = text.try_into_mut().expect("it is nobody else's");
        own.capacity()
    }

    #[test]
    fn texts_of_a_reply_share_memory_that_holds_nothing_else() {
        let mut replies = Replies::default();
        replies.feed(b"*4\r\n$2\r\nab\r\n$-1\r\n*1\r\n:1\r\n$3\r\ncde\r\n");
        replies.feed(b"*3\r\n:1\r\n$3\r\nfgh\r\n:2\r\n");
        let mut both = texts(next(&mut replies));
        assert_eq!(both, [&b"ab"[..], b"cde"]);
        let alone = texts(next(&mut replies)).remove(0);
        // What comes later comes into the same buffer.
        replies.feed(b"$3\r\nxyz\r\n");
        assert_eq!(next(&mut replies), Value::bulk("xyz"));
        assert_eq!(replies.bytes.len(), START + ROOM);
        assert_eq!((&both[0][..], &alone[..]), (&b"ab"[..], &b"fgh"[..]));
        let between = b"\r\n$-1\r\n*1\r\n:1\r\n$3\r\n".len();
        let apart = both[1].as_ptr() as usize - both[0].as_ptr() as usize;
        assert_eq!(apart, b"ab".len() + between);
        both.truncate(1);
        assert_eq!(kept(both.remove(0)), apart + b"cde".len());
        assert_eq!(kept(alone), b"fgh".len());
    }

    #[test]
    fn a_large_text_keeps_no_others() {
        let text = |length: usize| format!("${length}\r\n{}\r\n", "x".repeat(length));
        for (beside, keeps_itself_alone) in [(LARGE, true), (LARGE / 4, true), (10, false)] {
            let mut replies = Replies::default();
            replies.feed(format!("*2\r\n{}{}", text(LARGE), text(beside)).as_bytes());
            let large = texts(next(&mut replies)).remove(0);
            assert_eq!(large.len(), LARGE);
            let keeps = kept(large);
            assert_eq!(
                keeps == LARGE,
                keeps_itself_alone,
                "{keeps} beside {beside}"
            );
            assert!(keeps < LARGE + LARGE / 8);
        }
    }

    #[test]
    fn more_comes_behind_what_is_left_of_a_reply() {
        let large = |at: u8| char::from(b'a' + at).to_string().repeat(ROOM - 20);
        let one = |at: u8| format!("*2\r\n${}\r\n{}\r\n:{at}\r\n", ROOM - 20, large(at));
        let all = (0..4).map(one).collect::<String>().into_bytes();
        for first in [0, 1, 5, 30, 5000] {
            let mut replies = Replies::default();
            let mut taken = 0;
            let (head, rest) = all.split_at(one(0).len() + first);
            for piece in std::iter::once(head).chain(rest.chunks(50_000)) {
                replies.feed(piece);
                while let Some(value) = replies.next().expect("they are replies") {
                    let both = vec![Value::bulk(large(taken)), Value::Int(taken.into())];
                    assert!(value == Value::Array(both), "{taken} after {first}");
                    taken += 1;
                }
            }
            assert_eq!(taken, 4);
            assert!(replies.is_empty());
        }
    }

    #[test]
    fn a_buffer_that_is_too_large_to_be_kept_goes_with_its_reply() {
        let large = "x".repeat(3 * KEPT);
        let one = format!("*2\r\n$2\r\nab\r\n${}\r\n{large}\r\n", large.len());
        for behind in ["", ":7\r\n"] {
            let mut replies = Replies::default();
            replies.feed(one.as_bytes());
            replies.feed(behind.as_bytes());
            let buffer = replies.bytes.as_ptr_range();
            let both = texts(next(&mut replies));
            assert!(both[0] == "ab" && both[1] == large);
            if behind.is_empty() {
                assert!(replies.bytes.is_empty());
            } else {
                assert!(!buffer.contains(&both[1].as_ptr()));
                assert_eq!(next(&mut replies), Value::Int(7));
            }
            assert!(replies.bytes.capacity() <= KEPT);
            replies.feed(b"$1\r\na\r\n");
            assert_eq!(next(&mut replies), Value::bulk("a"));
        }
    }

    #[test]
    fn what_is_only_claimed_costs_nothing() {
        let claimed: [&[u8]; 4] = [
            b"$536870912\r\nabc",
            b"*536870912\r\n:1\r\n",
            b"*3\r\n*500000000\r\n",
            b"%200000000\r\n+a\r\n",
        ];
        for bytes in claimed {
            let mut replies = Replies::default();
            replies.feed(bytes);
            assert_eq!(replies.next(), Ok(None));
            assert_eq!(replies.bytes.capacity(), START + ROOM);
            assert!(replies.noted.capacity() < 16);
        }
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
    fn a_length_of_few_digits_is_read_as_any_other() {
        for (come, read) in [
            ("$5\r\n", Some((5, 4))),
            ("$0\r\n\r\n", Some((0, 4))),
            ("$007\r\nabcdefg", Some((7, 6))),
            ("$99999999\r\n", Some((99_999_999, 11))),
            ("$100000000\r\n", None),
            ("$-1\r\n", None),
            ("$\r\n", None),
            ("$1 \r\n", None),
            ("$12\r", None),
            ("$12", None),
            ("*1\r\n", None),
            ("", None),
        ] {
            assert_eq!(short(come.as_bytes()), read, "{come:?}");
            if let (Some((length, next)), Some(line)) = (read, line_at(come.as_bytes(), 0).unwrap())
            {
                assert_eq!(
                    (count(line.1), line.2),
                    (Ok(Some(length)), next),
                    "{come:?}"
                );
            }
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
