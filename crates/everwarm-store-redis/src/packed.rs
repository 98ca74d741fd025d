//! Commands as they are sent.

use redis::{Cmd, Pipeline};

use crate::value::Value;

/// Bytes of a verb and what stands around it; or around a word.
const AROUND: usize = 32;
/// What a line ends with.
const END: &[u8] = b"\r\n";

/// The bytes of some commands, and how many these are.
#[derive(Default)]
pub(crate) struct Packed {
    /// What is sent.
    pub(crate) bytes: Vec<u8>,
    /// How many replies there will be.
    pub(crate) count: usize,
    /// What shows whether they are those to these commands.
    pub(crate) shape: Shape,
}

/// Which of some replies is an array, and of how many values, if one is known to be: the reply to another command hardly is. Replies are
/// told apart by their order alone; one too many, or one too few, and all that follow on the connection are somebody else's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape(Option<(usize, usize)>);

impl Shape {
    /// Whether this can be the reply at this place.
    pub(crate) fn fits(self, at: usize, reply: &Value) -> bool {
        match (self.0, reply) {
            (Some((place, count)), Value::Array(values)) if place == at => values.len() == count,
            (Some((place, _)), reply) if place == at => matches!(reply, Value::ServerError(_)),
            _ => true,
        }
    }
}

impl Packed {
    /// None, with room for so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Adds a command.
    pub(crate) fn add(&mut self, command: &Cmd) {
        command.write_packed_command(&mut self.bytes);
        self.count += 1;
    }

    /// Adds a command of one word.
    pub(crate) fn word(&mut self, word: &str) {
        self.words(word, [""; 0]);
    }

    /// Adds a command of a verb and other words.
    pub(crate) fn words<W: AsRef<str>>(
        &mut self,
        verb: &str,
        others: impl IntoIterator<Item = W, IntoIter: ExactSizeIterator>,
    ) {
        let others = others.into_iter();
        self.begin(verb, others.len());
        others.for_each(|word| self.one(word.as_ref()));
        self.count += 1;
    }

    /// Adds a command of a verb and one word, in its parts.
    pub(crate) fn parts(&mut self, verb: &str, parts: &[&str]) {
        self.first(verb, parts, &Words::default());
    }

    /// Adds a command of a verb, a word in its parts, and words that were written before.
    pub(crate) fn first(&mut self, verb: &str, parts: &[&str], others: &Words) {
        self.begin(verb, 1 + others.count);
        put(&mut self.bytes, parts);
        self.bytes.extend_from_slice(&others.bytes);
        self.count += 1;
    }

    /// Adds a command of a verb, words that all begin with `beginning`, and words that were written before.
    pub(crate) fn all_in(
        &mut self,
        verb: &str,
        (beginning, words): (&str, &[&str]),
        others: &Words,
    ) {
        self.begin(verb, words.len() + others.count);
        for word in words {
            put(&mut self.bytes, &[beginning, word]);
        }
        self.bytes.extend_from_slice(&others.bytes);
        self.count += 1;
    }

    /// Adds a command of a verb and words that were written before.
    pub(crate) fn written(&mut self, verb: &str, words: &Words) {
        self.bytes.reserve(words.bytes.len() + AROUND);
        self.begin(verb, words.count);
        self.bytes.extend_from_slice(&words.bytes);
        self.count += 1;
    }

    /// Adds commands.
    pub(crate) fn all(&mut self, others: &Self) {
        self.bytes.extend_from_slice(&others.bytes);
        let behind = |(at, count)| (self.count + at, count);
        self.shape.0 = self.shape.0.or(others.shape.0.map(behind));
        self.count += others.count;
    }

    /// The keys of the commands, which only read.
    pub(crate) fn keys(&self) -> Vec<String> {
        let commands = self.commands();
        let keys = commands.iter().flat_map(|words| keys_in(words));
        let text = |key: &&[u8]| String::from_utf8_lossy(key).into_owned();
        keys.map(text).collect()
    }

    /// The words of each command.
    fn commands(&self) -> Vec<Vec<&[u8]>> {
        let mut commands = Vec::with_capacity(self.count);
        let mut left = &self.bytes[..];
        while let Some(count) = number(&mut left) {
            let mut words = Vec::with_capacity(count);
            for _ in 0..count {
                let length = number(&mut left).unwrap_or(0).min(left.len());
                let (word, behind) = left.split_at(length);
                words.push(word);
                left = behind.strip_prefix(b"\r\n").unwrap_or(behind);
            }
            if !words.is_empty() {
                commands.push(words);
            }
        }
        commands
    }

    /// Begins a command of a verb and so many other words.
    fn begin(&mut self, verb: &str, others: usize) {
        head(&mut self.bytes, b'*', 1 + others);
        self.one(verb);
        if verb == "MGET" {
            self.shape.0.get_or_insert((self.count, others));
        }
    }

    fn one(&mut self, word: &str) {
        put(&mut self.bytes, &[word]);
    }
}

/// The keys among the words of a command that reads.
fn keys_in<'a, 'b>(words: &'b [&'a [u8]]) -> &'b [&'a [u8]] {
    match words[0] {
        b"MGET" => &words[1..],
        _ => words.get(1..2).unwrap_or_default(),
    }
}

/// Words of a command whose number is not known yet.
#[derive(Default)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    /// How many they are.
    count: usize,
}

impl Words {
    /// None, with room for so many that are as long as this one.
    pub(crate) fn with_room(count: usize, parts: &[&str]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        Self {
            bytes: Vec::with_capacity(count * (length + AROUND)),
            count: 0,
        }
    }

    /// Adds a word, in its parts.
    pub(crate) fn add(&mut self, parts: &[&str]) {
        put(&mut self.bytes, parts);
        self.count += 1;
    }

    /// How many they are.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// How many bytes they take.
    pub(crate) const fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a word, in its parts.
fn put(bytes: &mut Vec<u8>, parts: &[&str]) {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    bytes.reserve(length + AROUND);
    head(bytes, b'$', length);
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes.extend_from_slice(END);
}

fn head(bytes: &mut Vec<u8>, kind: u8, mut number: usize) {
    // The most digits that there are, and what stands around them.
    let mut line = [0; 1 + 20 + END.len()];
    let mut at = line.len() - END.len();
    line[at..].copy_from_slice(END);
    loop {
        at -= 1;
        line[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    at -= 1;
    line[at] = kind;
    bytes.extend_from_slice(&line[at..]);
}

/// The number in a head, which is taken off.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let digits = std::str::from_utf8(bytes.get(1..end)?).ok()?;
    *bytes = bytes.get(end + 2..)?;
    digits.parse().ok()
}

impl From<&Pipeline> for Packed {
    fn from(pipeline: &Pipeline) -> Self {
        Self {
            bytes: pipeline.get_packed_pipeline(),
            count: pipeline.len(),
            shape: Shape::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_to_another_command_does_not_fit() {
        let mut read = Packed::default();
        read.words("MGET", ["a", "b"]);
        let mut all = Packed::default();
        all.word("ASKING");
        all.all(&read);
        all.words("MGET", ["a"]);
        let array = |count| Value::Array(vec![Value::Nil; count]);
        for (at, reply, fits) in [
            (0, Value::Nil, true),
            (1, array(2), true),
            (1, array(1), false),
            (1, Value::Nil, false),
            (2, array(1), true),
        ] {
            assert_eq!(all.shape.fits(at, &reply), fits, "{reply:?} at {at}");
        }
        assert!(Packed::default().shape.fits(0, &array(3)));
    }

    #[test]
    fn keys_are_found_in_commands() {
        let mut read = Packed::default();
        read.parts("GET", &["a\r\n", "b"]);
        read.words("MGET", ["one", ""]);
        read.word("TIME");
        assert_eq!(read.keys(), ["a\r\nb", "one", ""]);
    }

    #[test]
    fn a_head_says_any_number() {
        for number in [0, 9, 10, 128, 65_536, usize::MAX] {
            let mut bytes = b"before".to_vec();
            head(&mut bytes, b'*', number);
            assert_eq!(bytes, format!("before*{number}\r\n").into_bytes());
        }
    }

    #[test]
    fn words_are_the_command_of_these_words() {
        let (mut one, mut other) = (Packed::default(), Packed::default());
        one.word("MULTI");
        let mut words = Words::default();
        words.add(&["a\r\nb"]);
        words.add(&[]);
        words.add(&["twelve", " ", "lette"]);
        one.written("MGET", &words);
        one.words("MGET", ["a\r\nb", "", "twelve lette"]);
        one.parts("GET", &["twelve", " ", "lette"]);
        let mut others = Words::default();
        others.add(&["second"]);
        one.first("MGET", &["fir", "st"], &others);
        other.add(&redis::cmd("MULTI"));
        let mut get = redis::cmd("MGET");
        get.arg("a\r\nb").arg("").arg("twelve lette");
        other.add(&get);
        other.add(&get);
        other.add(redis::cmd("GET").arg("twelve lette"));
        other.add(redis::cmd("MGET").arg("first").arg("second"));
        assert_eq!((one.bytes, one.count), (other.bytes, other.count));
    }
}
