//! Everwarm's vocabulary and pure decisions.
//!
//! Nothing here does I/O, starts threads, reads a clock or draws random numbers: time and chance are arguments.
#![forbid(unsafe_code)]

pub mod clock;
