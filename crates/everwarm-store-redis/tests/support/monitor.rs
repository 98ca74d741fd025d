//! What servers are asked, as they tell it themselves.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use everwarm_store_redis::{Address, Place};
use redis::{Connection, cmd};

use super::config;

/// All servers that a variable's URL names.
pub(crate) struct Monitors(Vec<Monitor>);

struct Monitor {
    told: BufReader<TcpStream>,
    admin: Connection,
}

impl Monitors {
    /// Listens from here on.
    pub(crate) fn of(variable: &str) -> Option<Self> {
        let addresses = match config(variable)?.place {
            Place::Server(address) => vec![address],
            Place::Cluster(addresses) => addresses,
            Place::Sentinel { .. } => panic!("sentinels are asked for no entries"),
        };
        Some(Self(addresses.iter().map(Monitor::new).collect()))
    }

    /// The verbs of all that was asked since the last call on the connections on which this key was asked for since then, but for scripts:
    /// the looks at shards are some, and are asked there, too.
    pub(crate) fn asked_with(&mut self, key: &str) -> Vec<String> {
        let all = self.0.iter_mut();
        all.flat_map(|monitor| monitor.asked_with(key)).collect()
    }
}

impl Monitor {
    fn new(address: &Address) -> Self {
        let client = redis::Client::open(format!("redis://{address}/")).expect("an address");
        let mut stream = TcpStream::connect(address.to_string()).expect("a server");
        stream.write_all(b"MONITOR\r\n").expect("a server");
        let mut monitor = Self {
            told: BufReader::new(stream),
            admin: client.get_connection().expect("a server"),
        };
        assert_eq!(monitor.line(), "+OK");
        monitor
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn asked_with(&mut self, key: &str) -> Vec<String> {
        let end = format!("end{}", everwarm_network::chance::number());
        cmd("ECHO")
            .arg(&end)
            .exec(&mut self.admin)
            .expect("an answer");
        let mut asked: Vec<(String, String, bool)> = Vec::new();
        loop {
            let line = self.line();
            if line.contains(&end) {
                break;
            }
            // +TIME [DATABASE PLACE] "VERB" ...
            let (who, words) = line.split_once("] ").expect("a place");
            let who = who.rsplit_once(' ').expect("a place").1;
            let verb = words.split('"').nth(1).expect("a verb");
            if who != "lua" && !verb.starts_with("EVAL") {
                asked.push((who.to_owned(), verb.to_owned(), words.contains(key)));
            }
        }
        let with: Vec<String> = asked
            .iter()
            .filter(|(_, _, is_it)| *is_it)
            .map(|(who, _, _)| who.clone())
            .collect();
        let ours = asked.into_iter().filter(|(who, _, _)| with.contains(who));
        ours.map(|(_, verb, _)| verb).collect()
    }
}
