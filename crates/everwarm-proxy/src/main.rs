//! A fault proxy as a program: `everwarm-proxy --upstream HOST:PORT [--listen HOST:PORT] [--control HOST:PORT] [--seed N]`.
//!
//! It prints one line, `listen=HOST:PORT control=HOST:PORT`, and runs until it is ended. The control socket speaks the lines of
//! `everwarm_proxy::answer`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // That is how it says where it is.

use std::error::Error;
use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;

use everwarm_proxy::{Proxy, serve};

const USAGE: &str =
    "everwarm-proxy --upstream HOST:PORT [--listen HOST:PORT] [--control HOST:PORT] [--seed N]";

fn main() -> Result<(), Box<dyn Error>> {
    let any = || "127.0.0.1:0".to_owned();
    let (mut upstream, mut listen, mut control, mut seed) = (None, any(), any(), 0);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--upstream" => upstream = Some(value),
            "--listen" => listen = value,
            "--control" => control = value,
            "--seed" => seed = value.parse()?,
            _ => return Err(USAGE.into()),
        }
    }
    let proxy = Arc::new(Proxy::start_at(listen, upstream.ok_or(USAGE)?, seed)?);
    let control = TcpListener::bind(control)?;
    println!(
        "listen={} control={}",
        proxy.address(),
        control.local_addr()?
    );
    io::stdout().flush()?;
    Ok(serve(&proxy, &control)?)
}
