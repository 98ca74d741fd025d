//! Bytes of the wire, read without believing any of them.
//!
//! A length is checked against what remains before anything is made of it. Elements take a byte at least, so the elements that
//! all open containers together still have to give may not be more than the bytes that remain: whoever makes room for what a
//! container announces makes room for no more elements than there are bytes.

use std::fmt;

use super::extension::Extension;

/// Lists, dicts and extensions that may be open at once: a value of [`MAX_DEPTH`](super::MAX_DEPTH) takes three for each level
/// at most, and what describes it some more.
pub const MAX_LEVELS: usize = 512;

/// The next thing in the bytes. Of a list or a dict only the head is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// None.
    None,
    /// A truth value.
    Bool(bool),
    /// An int.
    Int(i64),
    /// An int above the signed ones.
    Uint(u64),
    /// A float.
    Float(f64),
    /// A text, which is yet to be checked to be UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list of so many elements, which follow.
    List(usize),
    /// A dict of so many pairs, which follow.
    Dict(usize),
    /// An extension and its bytes.
    Extension(Extension, &'a [u8]),
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end too early, or announce more than there is.
    Short,
    /// There is something behind the value.
    Left,
    /// A byte that begins nothing.
    Reserved,
    /// An extension of no number that is known.
    Unknown(i8),
    /// An extension that holds what it may not.
    Content(Extension),
    /// A text that is no UTF-8.
    Text,
    /// A key twice in one dict, or an element twice in one set.
    Twice,
    /// Containers within containers beyond the limit.
    Deep,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too early"),
            Self::Left => f.write_str("there are bytes behind the value"),
            Self::Reserved => f.write_str("a byte begins nothing"),
            Self::Unknown(number) => write!(f, "extension {number} is not known"),
            Self::Content(extension) => write!(f, "{extension:?} holds what it may not"),
            Self::Text => f.write_str("a text is no UTF-8"),
            Self::Twice => f.write_str("a key or an element is there twice"),
            Self::Deep => write!(f, "more than {MAX_LEVELS} levels are open"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads one value.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// The elements that open containers still have to give.
    owed: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the one value that these bytes are.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            owed: 1,
        }
    }

    /// The next thing.
    ///
    /// # Errors
    /// If there is none.
    #[inline]
    pub fn token(&mut self) -> Result<Token<'a>, Malformed> {
        let Some((&tag, rest)) = self.rest.split_first() else {
            return Err(Malformed::Short);
        };
        self.owed = self.owed.checked_sub(1).ok_or(Malformed::Left)?;
        self.rest = rest;
        let token = match tag {
            0x00..=0x7f => Token::Int(tag.into()),
            0xe0..=0xff => Token::Int((tag as i8).into()),
            0xa0..=0xbf => Token::Text(self.take((tag & 0x1f).into())?),
            0x80..=0x8f => self.container((tag & 0x0f).into(), 2)?,
            0x90..=0x9f => self.container((tag & 0x0f).into(), 1)?,
            0xc0 => Token::None,
            0xc2 | 0xc3 => Token::Bool(tag == 0xc3),
            0xcb => Token::Float(f64::from_bits(u64::from_be_bytes(self.array()?))),
            _ => self.long(tag)?,
        };
        if self.rest.len() < self.owed {
            return Err(Malformed::Short);
        }
        Ok(token)
    }

    /// What has a longer head.
    fn long(&mut self, tag: u8) -> Result<Token<'a>, Malformed> {
        Ok(match tag {
            0xc4..=0xc6 => {
                let len = self.len(1 << (tag - 0xc4))?;
                Token::Bytes(self.take(len)?)
            }
            0xc7..=0xc9 => {
                let len = self.len(1 << (tag - 0xc7))?;
                self.extension(len)?
            }
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcc => Token::Int(self.array::<1>()?[0].into()),
            0xcd => Token::Int(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Int(u32::from_be_bytes(self.array()?).into()),
            0xcf => {
                let value = u64::from_be_bytes(self.array()?);
                i64::try_from(value).map_or(Token::Uint(value), Token::Int)
            }
            0xd0 => Token::Int(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Token::Int(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Token::Int(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Token::Int(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.extension(1 << (tag - 0xd4))?,
            0xd9..=0xdb => {
                let len = self.len(1 << (tag - 0xd9))?;
                Token::Text(self.take(len)?)
            }
            0xdc | 0xdd => {
                let count = self.len(2 << (tag - 0xdc))?;
                self.container(count, 1)?
            }
            0xde | 0xdf => {
                let count = self.len(2 << (tag - 0xde))?;
                self.container(count, 2)?
            }
            _ => return Err(Malformed::Reserved),
        })
    }

    /// Says that there is nothing behind the value.
    ///
    /// # Errors
    /// If there is.
    pub const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Left)
        }
    }

    /// What lies behind the value that describes a tail.
    ///
    /// # Errors
    /// If the gap before it is longer than what is there, or no gap.
    pub fn tail(self) -> Result<&'a [u8], Malformed> {
        let (&gap, rest) = self.rest.split_first().ok_or(Malformed::Short)?;
        let (gap, tail) = rest.split_at_checked(gap.into()).ok_or(Malformed::Short)?;
        if gap.iter().any(|&byte| byte != 0) {
            return Err(Malformed::Reserved);
        }
        Ok(tail)
    }

    #[inline]
    fn container(&mut self, count: usize, each: usize) -> Result<Token<'a>, Malformed> {
        // On machines of 32 bits a count can be too much even as a number.
        let elements = count.checked_mul(each).ok_or(Malformed::Short)?;
        self.owed = self.owed.checked_add(elements).ok_or(Malformed::Short)?;
        Ok(if each == 1 {
            Token::List(count)
        } else {
            Token::Dict(count)
        })
    }

    fn extension(&mut self, len: usize) -> Result<Token<'a>, Malformed> {
        let number = self.array::<1>()?[0].cast_signed();
        let extension = Extension::from_number(number).ok_or(Malformed::Unknown(number))?;
        Ok(Token::Extension(extension, self.take(len)?))
    }

    /// A length of so many bytes.
    fn len(&mut self, width: usize) -> Result<usize, Malformed> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .fold(0, |len, &byte| len << 8 | usize::from(byte)))
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*taken)
    }
}
