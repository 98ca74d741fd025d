//! Everwarm's codec: bytes in, bytes out.
#![forbid(unsafe_code)]
