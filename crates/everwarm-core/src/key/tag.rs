//! Tags: the first byte of every encoded value.

/// `None`.
pub const NONE: u8 = 0x00;
/// `False`.
pub const FALSE: u8 = 0x01;
/// `True`.
pub const TRUE: u8 = 0x02;
/// A float: its bits, most significant byte first.
pub const FLOAT: u8 = 0x03;
/// A complex number: the bits of both parts.
pub const COMPLEX: u8 = 0x04;
/// `Ellipsis`.
pub const ELLIPSIS: u8 = 0x05;
/// A non-negative integer; the tag carries the count of magnitude bytes, 0 to 8.
pub const INT: u8 = 0x10;
/// A non-negative integer of more than eight magnitude bytes: count, bytes.
pub const INT_LONG: u8 = 0x19;
/// A negative integer; the tag carries the count of magnitude bytes, 1 to 8.
pub const NEGATIVE: u8 = 0x20;
/// A negative integer of more than eight magnitude bytes: count, bytes.
pub const NEGATIVE_LONG: u8 = 0x29;
/// A text; the tag carries its length in bytes, 0 to 47.
pub const STR: u8 = 0x40;
/// A longer text: length, bytes.
pub const STR_LONG: u8 = 0x70;
/// A text above the limit for content: length, digest.
pub const STR_DIGEST: u8 = 0x71;
/// A byte string; the tag carries its length, 0 to 31.
pub const BYTES: u8 = 0x80;
/// A longer byte string: length, bytes.
pub const BYTES_LONG: u8 = 0xA0;
/// A byte string above the limit for content: length, digest.
pub const BYTES_DIGEST: u8 = 0xA1;
/// A mutable byte string: length, bytes.
pub const BYTEARRAY: u8 = 0xA2;
/// A mutable byte string above the limit for content: length, digest.
pub const BYTEARRAY_DIGEST: u8 = 0xA3;
/// A tuple; the tag carries its count, 0 to 14.
pub const TUPLE: u8 = 0xB0;
/// A longer tuple: count, elements.
pub const TUPLE_LONG: u8 = 0xBF;
/// A list; the tag carries its count, 0 to 14.
pub const LIST: u8 = 0xC0;
/// A longer list: count, elements.
pub const LIST_LONG: u8 = 0xCF;
/// A set: count, elements in ascending order of their bytes.
pub const SET: u8 = 0xD0;
/// A frozen set: count, elements in ascending order of their bytes.
pub const FROZENSET: u8 = 0xD1;
/// A map: count, pairs of key and value in ascending order of their bytes.
pub const DICT: u8 = 0xD2;
/// A type this specification knows by number: number, content as one value.
pub const KNOWN: u8 = 0xE0;
/// An object by its fields: class, count, pairs of name and value.
pub const RECORD: u8 = 0xE1;
/// An object by the key it declares: class, that key.
pub const DECLARED: u8 = 0xE2;
/// A class.
pub const CLASS: u8 = 0xE3;
/// A member of an enumeration: class, name.
pub const MEMBER: u8 = 0xE4;
/// A combination of flags: class, integer.
pub const FLAGS: u8 = 0xE5;
/// The default of a parameter, where that default has no encoding: the parameter's name.
pub const DEFAULT: u8 = 0xE8;
/// An object of this process, by its address. In memory only, never inside another value.
pub const IDENTITY: u8 = 0xE9;
/// A whole encoding above the limit for keys: length, digest. Never inside another value.
pub const KEY_DIGEST: u8 = 0xFF;

/// The longest text whose length the tag carries.
pub const STR_SHORT: usize = 47;
/// The longest byte string whose length the tag carries.
pub const BYTES_SHORT: usize = 31;
/// The greatest count of elements that the tag of a tuple or list carries.
pub const SEQUENCE_SHORT: usize = 14;

/// Numbers of the types that [`KNOWN`] stands for.
pub mod known {
    /// `datetime.date`: (year, month, day).
    pub const DATE: u8 = 1;
    /// `datetime.time`: (hour, minute, second, microsecond, fold, zone).
    pub const TIME: u8 = 2;
    /// `datetime.datetime`: (year, month, day, hour, minute, second, microsecond, fold, zone).
    pub const DATETIME: u8 = 3;
    /// `datetime.timedelta`: (days, seconds, microseconds).
    pub const TIMEDELTA: u8 = 4;
    /// `datetime.timezone`: (offset in microseconds) or (offset in microseconds, name).
    pub const TIMEZONE: u8 = 5;
    /// `zoneinfo.ZoneInfo`: key.
    pub const ZONEINFO: u8 = 6;
    /// `decimal.Decimal`: (sign, digits as text, exponent or the letter of a special value).
    pub const DECIMAL: u8 = 7;
    /// `fractions.Fraction`: (numerator, denominator).
    pub const FRACTION: u8 = 8;
    /// `uuid.UUID`: 16 bytes.
    pub const UUID: u8 = 9;
    /// A path of `pathlib`: (name of the class, text).
    pub const PATH: u8 = 10;
    /// An address, interface or network of `ipaddress`: (name of the class, text).
    pub const IP: u8 = 11;
    /// `re.Pattern`: (pattern, flags).
    pub const PATTERN: u8 = 12;
    /// `range`: (start, stop, step).
    pub const RANGE: u8 = 13;
    /// `slice`: (start, stop, step).
    pub const SLICE: u8 = 14;
    /// `memoryview`: (format, shape, bytes).
    pub const MEMORYVIEW: u8 = 15;
    /// `array.array`: (type code, bytes).
    pub const ARRAY: u8 = 16;
    /// `collections.OrderedDict`: ((key, value), ...).
    pub const ORDERED_DICT: u8 = 17;
    /// `collections.deque`: (greatest length, [element, ...]).
    pub const DEQUE: u8 = 18;
    /// `collections.defaultdict`: (default factory, dict).
    pub const DEFAULT_DICT: u8 = 19;
    /// `collections.Counter`: dict.
    pub const COUNTER: u8 = 20;
    /// `collections.ChainMap`: [map, ...].
    pub const CHAIN_MAP: u8 = 21;
    /// `types.MappingProxyType`: dict.
    pub const MAPPING_PROXY: u8 = 22;
    /// `types.SimpleNamespace`: dict.
    pub const NAMESPACE: u8 = 23;
    /// `numpy.ndarray`: (dtype, shape, content).
    pub const NDARRAY: u8 = 32;
    /// A scalar of numpy: (dtype, content).
    pub const NUMPY_SCALAR: u8 = 33;
    /// `numpy.dtype`: text.
    pub const NUMPY_DTYPE: u8 = 34;
    /// `pandas.Series`: (name, index, column).
    pub const PANDAS_SERIES: u8 = 40;
    /// `pandas.DataFrame`: (index, columns, [column, ...]).
    pub const PANDAS_FRAME: u8 = 41;
    /// An index of pandas: (name of the class, names, column).
    pub const PANDAS_INDEX: u8 = 42;
    /// `pandas.Timestamp`: (scalar of numpy, fold, zone).
    pub const PANDAS_TIMESTAMP: u8 = 43;
    /// `pandas.Timedelta`: (scalar of numpy).
    pub const PANDAS_TIMEDELTA: u8 = 44;
    /// `pandas.NaT` and `pandas.NA`: name of the class.
    pub const PANDAS_MISSING: u8 = 45;
    /// `polars.Series`: (name, dtype, content).
    pub const POLARS_SERIES: u8 = 48;
    /// `polars.DataFrame`: (height, [series, ...]).
    pub const POLARS_FRAME: u8 = 49;
}
