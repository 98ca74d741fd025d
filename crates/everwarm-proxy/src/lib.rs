//! A TCP proxy with seeded faults, to put in front of any server in tests.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use everwarm_proxy::{Fault, Proxy};
//!
//! // A server that sends back what it hears.
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let address = server.local_addr()?;
//! std::thread::spawn(move || {
//!     for stream in server.incoming().flatten() {
//!         std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
//!     }
//! });
//!
//! let proxy = Proxy::start(address, 1)?;
//! proxy.set(Fault::corrupt().down().times(1));
//! let mut client = TcpStream::connect(proxy.address())?;
//! let mut heard = [0; 5];
//! client.write_all(b"hello")?;
//! client.read_exact(&mut heard)?;
//! assert_ne!(&heard, b"hello");
//! assert_eq!(proxy.count("corrupt"), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What happens to which bytes is decided without I/O, from the seed, the connection's number and the bytes that were read at once:
//!
//! - `draw`: chance; `fault`, `faults`: what can go wrong, and what is in force
//! - `frames`, `swap`: where replies of Redis end, and two of them exchanged
//! - `stream`: one direction of a connection, from bytes read to what is sent and when
//! - `deeds`: what was done
//!
//! and done by:
//!
//! - `proxy`: the handle, and the thread behind it; `shared`: what both know
//! - `listen`: connections are taken, refused, left hanging; `pump`: bytes go through
//! - `words`, `control`: the same by lines of text, for other languages
#![forbid(unsafe_code)]

mod control;
mod deeds;
mod draw;
mod fault;
mod faults;
mod frames;
mod listen;
mod proxy;
mod pump;
mod shared;
mod stream;
mod swap;
mod words;

pub use control::serve;
pub use deeds::Deed;
pub use fault::{Fault, Kind, Way};
pub use proxy::Proxy;
pub use words::answer;
