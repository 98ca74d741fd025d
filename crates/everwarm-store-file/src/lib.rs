//! One file per entry.
#![forbid(unsafe_code)]
