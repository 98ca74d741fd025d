//! A record: one thing that was done, as it lies in the log. It says where it lies and proves that it is whole.

use twox_hash::XxHash3_64;

/// The bytes before the name.
pub(crate) const HEADER: usize = 64;
/// The longest name.
pub(crate) const LONGEST_NAME: usize = 1024;
/// Values of so many bytes and more lie in files of their own: below, the log is quicker.
pub(crate) const LARGE_FROM: usize = 64 << 10;
/// No record is longer.
pub(crate) const LONGEST: usize = HEADER + LONGEST_NAME + LARGE_FROM + 8;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: the next record is in the next segment.
    Pad = 1,
    /// An entry was set.
    Entry = 2,
    /// A lease was given; the value is its token.
    Lease = 3,
    /// An entry was deleted.
    Delete = 4,
    /// All names with a prefix were cleared.
    Clear = 5,
    /// A tag was invalidated; the name is its namespace, the value the tag and the marker's number.
    Invalidate = 6,
}

/// What stands before name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// The value is the [`Large`] that says where it is.
    pub(crate) is_large: bool,
    /// Others are told of it.
    pub(crate) is_told: bool,
    /// It ended the lease of its name.
    pub(crate) ends_lease: bool,
    pub(crate) name: u16,
    pub(crate) value: u32,
    pub(crate) deadline: u64,
    pub(crate) version: u64,
    pub(crate) writer: u64,
    /// Where the record lies that others were told of before.
    pub(crate) told_before: u64,
    pub(crate) value_check: u64,
}

impl Header {
    pub(crate) const fn is(kind: Kind, writer: u64) -> Self {
        Self {
            kind,
            is_large: false,
            is_told: false,
            ends_lease: false,
            name: 0,
            value: 0,
            deadline: u64::MAX,
            version: 0,
            writer,
            told_before: 0,
            value_check: 0,
        }
    }

    /// The bytes of the whole record.
    pub(crate) const fn length(&self) -> usize {
        (HEADER + self.name as usize + self.value as usize).next_multiple_of(8)
    }

    /// Appends the record that lies at `place` in the log of `life`.
    pub(crate) fn write(
        mut self,
        (life, place): (u64, u64),
        name: &str,
        value: &[u8],
        log: &mut Vec<u8>,
    ) {
        self.name = u16::try_from(name.len()).expect("names were checked");
        self.value = u32::try_from(value.len()).expect("values were checked");
        self.value_check = XxHash3_64::oneshot(value);
        let flags =
            u8::from(self.is_large) | u8::from(self.is_told) << 1 | u8::from(self.ends_lease) << 2;
        let sizes = u64::from(self.kind as u8)
            | u64::from(flags) << 8
            | u64::from(self.name) << 16
            | u64::from(self.value) << 32;
        let words = [
            life ^ place,
            sizes,
            self.deadline,
            self.version,
            self.writer,
            self.told_before,
            self.value_check,
        ];
        let from = log.len();
        log.reserve(self.length());
        log.extend_from_slice(&[0; 8]);
        log.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
        log.extend_from_slice(name.as_bytes());
        let check = XxHash3_64::oneshot(&log[from + 8..]);
        log[from..from + 8].copy_from_slice(&check.to_le_bytes());
        log.extend_from_slice(value);
        log.resize(from + self.length(), 0);
    }

    /// The header and the name, if these bytes are those of a record at `place`, and all of both is there.
    pub(crate) fn read(bytes: &[u8], at: (u64, u64)) -> Option<(Self, &str)> {
        let (header, name) = Self::read_named(bytes, at)?;
        Some((header, std::str::from_utf8(name).ok()?))
    }

    /// As [`read`](Self::read), with the name's bytes as they are.
    pub(crate) fn read_named(bytes: &[u8], (life, place): (u64, u64)) -> Option<(Self, &[u8])> {
        let word = |at: usize| {
            let word = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(word.try_into().ok()?))
        };
        let sizes = word(16)?;
        let header = Self {
            kind: Kind::of(sizes as u8)?,
            is_large: sizes >> 8 & 1 != 0,
            is_told: sizes >> 8 & 2 != 0,
            ends_lease: sizes >> 8 & 4 != 0,
            name: (sizes >> 16) as u16,
            value: (sizes >> 32) as u32,
            deadline: word(24)?,
            version: word(32)?,
            writer: word(40)?,
            told_before: word(48)?,
            value_check: word(56)?,
        };
        let proven = bytes.get(8..HEADER + usize::from(header.name))?;
        if word(8)? != life ^ place || word(0)? != XxHash3_64::oneshot(proven) {
            return None;
        }
        Some((header, &proven[HEADER - 8..]))
    }

    /// Where in the record's bytes its value is.
    pub(crate) fn value_in(&self) -> std::ops::Range<usize> {
        let from = HEADER + usize::from(self.name);
        from..from + self.value as usize
    }

    /// The value, if all of it is there and as it was written.
    pub(crate) fn value<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let value = bytes.get(self.value_in())?;
        (XxHash3_64::oneshot(value) == self.value_check).then_some(value)
    }
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [
            Self::Pad,
            Self::Entry,
            Self::Lease,
            Self::Delete,
            Self::Clear,
            Self::Invalidate,
        ]
        .into_iter()
        .find(|&kind| kind as u8 == byte)
    }
}

/// Where a large value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Large {
    /// The name of its file.
    pub(crate) file: u64,
    pub(crate) length: u64,
    pub(crate) check: u64,
}

impl Large {
    pub(crate) fn bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.file.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..].copy_from_slice(&self.check.to_le_bytes());
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let [file, length, check] = *words else {
            return None;
        };
        rest.is_empty().then(|| Self {
            file: u64::from_le_bytes(file),
            length: u64::from_le_bytes(length),
            check: u64::from_le_bytes(check),
        })
    }
}
