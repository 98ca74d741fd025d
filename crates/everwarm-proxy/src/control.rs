//! The lines of `words` over a socket.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crate::proxy::Proxy;
use crate::words::answer;

/// Answers each line of each client with [`answer`] and a line end, until the listener fails.
///
/// # Errors
/// Those of the listener.
pub fn serve(proxy: &Arc<Proxy>, listener: &TcpListener) -> io::Result<()> {
    for client in listener.incoming() {
        let (client, proxy) = (client?, Arc::clone(proxy));
        // Whether a client is gone is its own matter.
        thread::spawn(move || talk(&proxy, &client));
    }
    Ok(())
}

fn talk(proxy: &Proxy, client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut writer = client;
    for line in BufReader::new(client).lines() {
        let mut text = answer(proxy, &line?);
        text.push('\n');
        writer.write_all(text.as_bytes())?;
    }
    Ok(())
}
