//! The servers of a cluster, asked themselves: who the masters are, which has what, and what becomes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use everwarm_store_redis::{Address, Config, Place};
use redis::{Connection, FromRedisValue, cmd};

use super::{config, until};

const CLUSTER: &str = "EVERWARM_TEST_REDIS_CLUSTER";
/// Shards of a namespace.
const SHARDS: u16 = 16;

/// The cluster that tests ask, and its servers.
pub(crate) fn cluster() -> Option<(Config, Vec<Address>)> {
    let config = config(CLUSTER)?;
    let Place::Cluster(seeds) = &config.place else {
        panic!("{CLUSTER} is a cluster");
    };
    let seeds = seeds.clone();
    Some((config, seeds))
}

/// A connection to one server.
pub(crate) fn connection(address: &Address) -> Connection {
    let client = redis::Client::open(format!("redis://{address}/")).expect("an address");
    client.get_connection().expect("a server")
}

/// What a server says.
pub(crate) fn ask<T: FromRedisValue>(
    connection: &mut Connection,
    words: &[&str],
) -> redis::RedisResult<T> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command.query(connection)
}

/// The masters of a cluster: their addresses and numbers.
pub(crate) fn masters(seed: &Address) -> Vec<(Address, String)> {
    let nodes: String = ask(&mut connection(seed), &["CLUSTER", "NODES"]).unwrap();
    let masters = nodes
        .lines()
        .filter(|line| line.contains("master") && !line.contains("fail"));
    masters
        .map(|line| {
            let number = line.split(' ').next().expect("a number");
            (place_in(line), number.to_owned())
        })
        .collect()
}

/// The replicas of a master.
pub(crate) fn replicas(master: &(Address, String)) -> Vec<Address> {
    let nodes: String = ask(&mut connection(&master.0), &["CLUSTER", "NODES"]).unwrap();
    let theirs = nodes
        .lines()
        .filter(|line| line.contains("slave") && line.contains(&master.1));
    theirs.map(place_in).collect()
}

/// Where the server is that a line of `CLUSTER NODES` tells of.
fn place_in(line: &str) -> Address {
    let place = line
        .split(' ')
        .nth(1)
        .and_then(|place| place.split('@').next());
    let (host, port) = place
        .and_then(|place| place.rsplit_once(':'))
        .expect("a place");
    Address::Tcp {
        host: host.to_owned(),
        port: port.parse().expect("a port"),
    }
}

/// The masters, once all of them agree who they are.
pub(crate) fn settled(seed: &Address) -> Vec<(Address, String)> {
    let mut settled = Vec::new();
    until("the masters agree", || {
        let mut told = masters(seed);
        told.sort();
        let agrees = |(other, _): &(Address, String)| {
            let mut theirs = masters(other);
            theirs.sort();
            let role: Vec<redis::Value> = ask(&mut connection(other), &["ROLE"]).unwrap();
            theirs == told && role[0] == redis::Value::BulkString("master".into())
        };
        let is_settled = told.len() == 3 && told.iter().all(agrees);
        settled = told;
        is_settled
    });
    settled
}

/// The key of an entry of this namespace that lies with a master; `None` if none does.
pub(crate) fn key_with(master: &Address, (space, text): (&str, &str)) -> Option<String> {
    let mut connection = connection(master);
    let keys = (0..SHARDS).map(|shard| format!("ew{{{space}.{shard:x}}}e:{space}:{text}"));
    // Another one's keys are refused.
    let mut keys = keys.filter(|key| ask::<u64>(&mut connection, &["EXISTS", key]).is_ok());
    keys.next()
}

/// A namespace that has shards with each of these masters.
pub(crate) fn spread(test: &str, masters: &[(Address, String)]) -> String {
    let mut spaces = (0..).map(|n| format!("{test}-{}-{n}", std::process::id()));
    let is_spread = |space: &String| {
        let mut masters = masters.iter();
        masters.all(|(master, _)| key_with(master, (space, "a")).is_some())
    };
    spaces.find(is_spread).expect("there are many")
}

/// A server that is down, until this is dropped.
pub(crate) struct Down(PathBuf);

impl Down {
    /// Ends a server of `scripts/servers`, and what it keeps in memory.
    pub(crate) fn of(server: &Address) -> Self {
        let Address::Tcp { port, .. } = server else {
            panic!("{server} has no port");
        };
        let servers = std::env::var("EVERWARM_TEST_SERVERS").expect("the servers of the scripts");
        let found = std::fs::read_dir(Path::new(&servers).join("cluster")).expect("a cluster");
        let mut found = found.map(|server| server.expect("a server").path());
        let line = format!("port {port}");
        let is_it = |server: &PathBuf| {
            let told = std::fs::read_to_string(server.join("redis.conf")).unwrap_or_default();
            told.lines().any(|each| each == line)
        };
        let down = Self(found.find(is_it).expect("one at this port"));
        // It gives no answer. Redis before 7.0 knows no NOW, and waits for no replica without it.
        let mut asked = connection(server);
        for words in [&["SHUTDOWN", "NOSAVE", "NOW"][..], &["SHUTDOWN", "NOSAVE"]] {
            let _ = ask::<()>(&mut asked, words);
        }
        let asks = || redis::Client::open(format!("redis://{server}/"))?.get_connection();
        until("it is down", || asks().is_err());
        down
    }
}

impl Drop for Down {
    fn drop(&mut self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut again = Command::new(root.join("scripts/servers/again"));
        let status = again.arg(&self.0).status().expect("the script");
        assert!(std::thread::panicking() || status.success(), "{status}");
    }
}
