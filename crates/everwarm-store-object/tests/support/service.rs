//! A service of a few lines, for what a whole one does not do on request: it ignores conditions, tells a time of its own, refuses, counts
//! what it is asked, and knows the words of Google's conditions.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    /// Conditions of writes count for nothing.
    pub(crate) is_careless: bool,
    /// What it says the time is; nothing by default.
    pub(crate) date: Option<&'static str>,
    /// Every answer is this status, with this code of an error.
    pub(crate) refuses: Option<(&'static str, &'static str)>,
}

#[derive(Default)]
struct State {
    objects: HashMap<String, (Vec<u8>, u64)>,
    writes: u64,
    asked: Vec<String>,
}

/// The service.
pub(crate) struct Service {
    pub(crate) endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Service {
    pub(crate) fn start(ways: Ways) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (ways, state) = (ways.clone(), Arc::clone(&shared));
                thread::spawn(move || serve(&stream, &ways, &state));
            }
        });
        Self { endpoint, state }
    }

    /// What it was asked since the last time: methods, and the kind of object.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.state).asked)
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Asked {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

struct Said {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

fn said(status: &'static str, tag: u64, body: &[u8]) -> Said {
    Said {
        status,
        headers: format!("ETag: \"{tag}\"\r\nx-goog-generation: {tag}\r\n"),
        body: body.to_vec(),
    }
}

fn serve(mut stream: &TcpStream, ways: &Ways, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = asked(&mut reader) {
        let said = answer(asked, ways, &mut locked(state));
        let date = ways.date.map(|date| format!("Date: {date}\r\n"));
        let head = format!(
            "HTTP/1.1 {}\r\n{}{}Last-Modified: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Length: {}\r\n\r\n",
            said.status,
            date.unwrap_or_default(),
            said.headers,
            said.body.len()
        );
        let whole = [head.as_bytes(), &said.body].concat();
        if stream.write_all(&whole).is_err() {
            return;
        }
    }
}

fn asked(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let length = length.and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}

fn answer(asked: Asked, ways: &Ways, state: &mut State) -> Said {
    let kind = asked.path.rsplit('/').nth(1).unwrap_or_default();
    state.asked.push(format!("{} {kind}", asked.method));
    if let Some((status, code)) = ways.refuses {
        let body = format!("<Error><Code>{code}</Code></Error>");
        return said(status, 0, body.as_bytes());
    }
    let there = state.objects.get(&asked.path).cloned();
    let is_write = matches!(asked.method.as_str(), "PUT" | "DELETE");
    if is_write && !ways.is_careless && !holds(&asked.headers, there.as_ref().map(|(_, tag)| *tag))
    {
        return said("412 Precondition Failed", 0, b"");
    }
    match (asked.method.as_str(), there) {
        ("PUT", _) => {
            state.writes += 1;
            state.objects.insert(asked.path, (asked.body, state.writes));
            said("200 OK", state.writes, b"")
        }
        ("DELETE", _) => {
            state.objects.remove(&asked.path);
            said("204 No Content", 0, b"")
        }
        // The one range that is asked for is that of a head.
        (_, Some((bytes, tag))) if asked.headers.contains_key("range") => {
            let end = bytes.len().min(64);
            let mut said = said("206 Partial Content", tag, &bytes[..end]);
            said.headers += &format!("Content-Range: bytes 0-{}/{}\r\n", end - 1, bytes.len());
            said
        }
        (_, Some((bytes, tag))) => said("200 OK", tag, &bytes),
        _ => said("404 Not Found", 0, b"<Error><Code>NoSuchKey</Code></Error>"),
    }
}

/// Whether the conditions hold of the object with this tag.
fn holds(headers: &HashMap<String, String>, there: Option<u64>) -> bool {
    let tag = there.map(|tag| format!("\"{tag}\""));
    let generation = headers.get("x-goog-if-generation-match");
    (there.is_none() || !headers.contains_key("if-none-match"))
        && headers
            .get("if-match")
            .is_none_or(|wanted| Some(wanted) == tag.as_ref())
        && generation.is_none_or(|wanted| wanted.parse() == Ok(there.unwrap_or(0)))
}
