//! Where stores behind a connection do their I/O: one runtime per process, and the caller's own thread where that only waits.
//!
//! Tasks have their answers brought by [`handle`]'s threads, whichever executor they run on. A thread that has nothing else to do
//! says so with [`waiting`], and a store that finds [`may_block`] asks with blocking I/O on that very thread: nothing is handed to
//! another one and back.
//!
//! ```
//! use everwarm_runtime::{handle, may_block, waiting};
//!
//! let answer = handle()?.spawn(async { 2 + 2 });
//! assert_eq!(handle()?.block_on(answer)?, 4);
//! assert!(waiting(may_block) && !may_block());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod pause;
mod runtime;
mod waiting;

pub use pause::pause;
pub use runtime::handle;
pub use waiting::{may_block, waiting};
