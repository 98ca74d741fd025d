//! Bodies of more than one thing: numbers of eight bytes, and bytes behind their length. What is read is checked before room is taken.

use std::time::Duration;

use bytes::Bytes;

/// Writes a body.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A number: eight bytes, the highest first.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// Bytes, behind how many they are: four bytes, the highest first.
    ///
    /// # Panics
    /// For 4 GiB and more, which no body holds.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("a body is shorter");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// One byte: whether something is so, or which of several.
    pub fn choice(&mut self, choice: u8) {
        self.0.push(choice);
    }

    /// A span in nanoseconds behind a 1; 0: without end.
    pub fn span(&mut self, span: Option<Duration>) {
        self.choice(span.is_some().into());
        if let Some(span) = span {
            self.number(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Things behind how many they are.
    pub fn many<T>(
        &mut self,
        things: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.number(things.len() as u64);
        things.for_each(|thing| write(self, thing));
    }

    /// The body.
    #[must_use]
    pub fn done(self) -> Bytes {
        self.0.into()
    }
}

/// Reads a body. Everything gives `None` where the body is something else.
#[derive(Clone, Debug)]
pub struct Reader(Bytes);

impl Reader {
    /// Of a body.
    #[must_use]
    pub const fn new(body: Bytes) -> Self {
        Self(body)
    }

    /// A number.
    pub fn number(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes((*self.take(8)?).try_into().ok()?))
    }

    /// Bytes, which share the room of the body.
    pub fn bytes(&mut self) -> Option<Bytes> {
        let length = u32::from_be_bytes((*self.take(4)?).try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }

    /// A text.
    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.into()).ok()
    }

    /// One byte below `of`.
    pub fn choice(&mut self, of: u8) -> Option<u8> {
        let choice = self.take(1)?[0];
        (choice < of).then_some(choice)
    }

    /// A span, or `Some(None)` where there is no end.
    pub fn span(&mut self) -> Option<Option<Duration>> {
        match self.choice(2)? {
            0 => Some(None),
            _ => Some(Some(Duration::from_nanos(self.number()?))),
        }
    }

    /// Things behind how many they are. Each takes a byte at least, so that no number takes more room than the body did.
    pub fn many<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok()?;
        if count > self.0.len() {
            return None;
        }
        let mut things = Vec::new();
        for _ in 0..count {
            things.push(read(self)?);
        }
        Some(things)
    }

    /// The end: whether all of it was read.
    #[must_use]
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.number(u64::MAX);
        writer.bytes(b"\0bytes");
        writer.choice(2);
        writer.span(None);
        writer.span(Some(Duration::from_nanos(7)));
        writer.many(["a", ""].iter(), |writer, text| {
            writer.bytes(text.as_bytes())
        });
        let body = writer.done();
        let read = |body: Bytes| {
            let mut reader = Reader::new(body);
            let read = (
                reader.number()?,
                reader.bytes()?,
                reader.choice(3)?,
                reader.span()?,
                reader.span()?,
                reader.many(Reader::text)?,
            );
            reader.end()?;
            Some(read)
        };
        let texts = vec!["a".to_owned(), String::new()];
        let span = Some(Duration::from_nanos(7));
        let expected = (
            u64::MAX,
            Bytes::from_static(b"\0bytes"),
            2,
            None,
            span,
            texts,
        );
        assert_eq!(read(body.clone()), Some(expected));
        for length in 0..body.len() {
            assert_eq!(read(body.slice(..length)), None, "{length}");
        }
        let longer: Bytes = [&body[..], b"x"].concat().into();
        assert_eq!(read(longer), None);
    }

    #[test]
    fn no_number_takes_more_room_than_there_are_bytes() {
        let mut writer = Writer::default();
        writer.number(u64::MAX);
        assert_eq!(Reader::new(writer.done()).many(Reader::number), None);
        let length = Bytes::from_static(&[0xff; 8]);
        assert_eq!(Reader::new(length).bytes(), None);
    }
}
