//! Everwarm's vocabulary and pure decisions.
//!
//! Nothing here does I/O, starts threads, reads a clock or draws random numbers: time and chance are arguments.
//!
//! A read asks [`judge`](judge::judge) what an entry is worth; a miss takes a [`seat`](flight::seat) and computes;
//! [`settle`](settle::settle) says what becomes of the outcome. [`generation`] says whether an entry still counts.
#![forbid(unsafe_code)]

pub mod breaker;
pub mod bus;
pub mod clock;
pub mod codec;
pub mod deadline;
pub mod draw;
pub mod duration;
pub mod error;
pub mod flight;
pub mod generation;
pub mod health;
pub mod judge;
pub mod key;
pub mod latency;
pub mod layer;
pub mod lease;
pub mod lifetime;
pub mod limiter;
pub mod limits;
pub mod mark;
pub mod parts;
pub mod policy;
pub mod retry;
pub mod settle;
pub mod shard;
pub mod size;
pub mod slide;
pub mod store;
pub mod template;
pub mod using;
pub mod waits;
