//! A door before a server, which can be shut, opened and held: what a client sees of a server that is killed, started or frozen.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A port that leads to a server, while it is open.
pub(crate) struct Door {
    place: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    behind: String,
    is_open: AtomicBool,
    through: Mutex<Vec<Through>>,
    passed: AtomicUsize,
    ended: Arc<AtomicUsize>,
}

/// One connection through the door.
struct Through {
    ends: [TcpStream; 2],
    is_held: Arc<AtomicBool>,
}

impl Door {
    /// A door that is shut, before the server of `redis://host:port/0`.
    pub(crate) fn shut_before(url: &str) -> Self {
        let rest = url.trim_start_matches("redis://");
        let behind = rest.split('/').next().expect("a host").to_owned();
        // The port stays ours as long as nobody else asks for just this one.
        let place = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        Self {
            place: place.expect("a free port"),
            inner: Arc::new(Inner {
                behind,
                is_open: AtomicBool::new(false),
                through: Mutex::default(),
                passed: AtomicUsize::new(0),
                ended: Arc::default(),
            }),
        }
    }

    /// The URL of the server behind it, through it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.place)
    }

    /// Connections that went through so far.
    pub(crate) fn passed(&self) -> usize {
        self.inner.passed.load(Ordering::SeqCst)
    }

    /// Connections that their client has ended.
    pub(crate) fn ended(&self) -> usize {
        self.inner.ended.load(Ordering::SeqCst)
    }

    /// Connections that their client has not ended.
    pub(crate) fn alive(&self) -> usize {
        let ended = self.ended();
        self.passed() - ended
    }

    /// Lets connections through.
    pub(crate) fn open(&self) {
        let listener = TcpListener::bind(self.place).expect("the port is still free");
        listener.set_nonblocking(true).expect("a listener");
        self.inner.is_open.store(true, Ordering::SeqCst);
        let inner = Arc::clone(&self.inner);
        thread::spawn(move || {
            while inner.is_open.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((client, _)) => inner.lead(client),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
    }

    /// Refuses connections, and cuts those that are there.
    pub(crate) fn shut(&self) {
        self.inner.is_open.store(false, Ordering::SeqCst);
        // The listener's thread looks every two milliseconds.
        thread::sleep(Duration::from_millis(20));
        self.cut();
    }

    /// Cuts the connections that are there.
    pub(crate) fn cut(&self) {
        for through in self.inner.through.lock().expect("no panic").drain(..) {
            for end in &through.ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    /// Brings nothing more of what the connections that are there say.
    pub(crate) fn hold(&self) {
        for through in self.inner.through.lock().expect("no panic").iter() {
            through.is_held.store(true, Ordering::SeqCst);
        }
    }
}

impl Inner {
    fn lead(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.behind) else {
            return;
        };
        self.passed.fetch_add(1, Ordering::SeqCst);
        let _ = (
            client.set_nonblocking(false),
            client.set_nodelay(true),
            server.set_nodelay(true),
        );
        let is_held = Arc::new(AtomicBool::new(false));
        let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        let ended = Arc::clone(&self.ended);
        let (from, to, held) = (copy(&client), copy(&server), Arc::clone(&is_held));
        thread::spawn(move || {
            carry(from, to, &held);
            ended.fetch_add(1, Ordering::SeqCst);
        });
        let (from, to, held) = (copy(&server), copy(&client), Arc::clone(&is_held));
        thread::spawn(move || carry(from, to, &held));
        self.through.lock().expect("no panic").push(Through {
            ends: [client, server],
            is_held,
        });
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_held: &AtomicBool) {
    let mut bytes = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if !is_held.load(Ordering::SeqCst) && to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut();
    }
}
