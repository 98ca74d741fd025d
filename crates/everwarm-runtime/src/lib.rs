//! Where stores behind a connection do their I/O: one runtime per process, and the caller's own thread where that only waits.
//!
//! Tasks have their answers brought by [`handle`]'s threads, whichever executor they run on. A thread that has nothing else to do
//! says so with [`waiting`], and a store that finds [`may_block`] asks with blocking I/O on that very thread: nothing is handed to
//! another one and back. What the tasks of a loop ask in one of its turns leaves together ([`in_turn`]), and a loop that can ([`Loop`]) reads the answers
//! on its own thread.
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

mod alarms;
mod forking;
mod pause;
mod process;
mod reading;
mod runtime;
mod turn;
mod waiting;

pub use forking::{Inside, after_fork_in_child, after_fork_in_parent, before_fork, outside};
pub use pause::pause;
pub use process::{forked, forks_are_told, process_id};
pub use reading::{Loop, Reading};
pub use runtime::handle;
pub use turn::{in_turn, reads_itself, turn_over, write_soon};
pub use waiting::{may_block, waiting};
