//! The embedded store: one directory, many processes.
#![forbid(unsafe_code)]
