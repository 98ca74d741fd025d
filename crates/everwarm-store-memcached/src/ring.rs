//! Which server has a name: consistent hashing as libmemcached's weighted ketama does it, so that a server more or less moves only
//! its part of the names.

use md5::{Digest, Md5};

use crate::config::Server;

/// Points of a server on the ring, where all weigh the same.
const POINTS: f64 = 160.0;
/// Points that one digest gives.
const EACH: usize = 4;
/// The port that ketama leaves out of a server's name.
const USUAL: u16 = 11211;

/// The points of all servers, in order.
pub(crate) struct Ring(Vec<(u32, u16)>);

impl Ring {
    /// The ring of these servers.
    pub(crate) fn new(servers: &[Server]) -> Self {
        let total: f64 = servers.iter().map(|server| f64::from(server.weight)).sum();
        let mut points = Vec::new();
        for (at, server) in servers.iter().enumerate() {
            let share = f64::from(server.weight) / total;
            let digests = (share * POINTS / EACH as f64 * servers.len() as f64 + 1e-10).floor();
            for number in 0..digests as usize {
                let digest = digest(point_of(server, number).as_bytes());
                let at = u16::try_from(at).unwrap_or(u16::MAX);
                points.extend((0..EACH).map(|part| (number_in(&digest, part), at)));
            }
        }
        points.sort_unstable();
        Self(points)
    }

    /// The number of the server of a name.
    pub(crate) fn server(&self, name: &str) -> usize {
        let hash = number_in(&digest(name.as_bytes()), 0);
        let at = self.0.partition_point(|&(point, _)| point < hash);
        let point = self.0.get(at).or(self.0.first());
        point.map_or(0, |&(_, server)| usize::from(server))
    }
}

fn point_of(server: &Server, number: usize) -> String {
    match server.port {
        USUAL => format!("{}-{number}", server.host),
        port => format!("{}:{port}-{number}", server.host),
    }
}

fn digest(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn number_in(digest: &[u8; 16], part: usize) -> u32 {
    let bytes = [0, 1, 2, 3].map(|at| digest[part * 4 + at]);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(all: &[(&str, u16, u32)]) -> Vec<Server> {
        let server = |&(host, port, weight): &(&str, u16, u32)| Server {
            host: host.to_owned(),
            port,
            weight,
        };
        all.iter().map(server).collect()
    }

    const FOUR: [(&str, u16, u32); 4] = [
        ("10.0.1.1", 11211, 600),
        ("10.0.1.2", 11211, 300),
        ("10.0.1.3", 11212, 200),
        ("cache.internal", 11211, 350),
    ];

    /// By another implementation.
    const GOLDEN: [usize; 24] = [
        0, 3, 0, 2, 1, 3, 3, 3, 0, 2, 1, 0, 3, 0, 2, 1, 1, 1, 3, 0, 0, 3, 1, 2,
    ];

    #[test]
    fn a_name_has_its_server_for_ever() {
        let ring = Ring::new(&servers(&FOUR));
        let places: Vec<usize> = (0..24)
            .map(|n| ring.server(&format!("shop:price:{n}")))
            .collect();
        assert_eq!(places, GOLDEN);
    }

    #[test]
    fn a_server_more_takes_its_part_and_moves_no_other_name() {
        let names: Vec<String> = (0..4_000).map(|n| format!("shop:{n}")).collect();
        let equal = |count: usize| {
            let hosts: Vec<String> = (0..count).map(|n| format!("h{n}")).collect();
            let all: Vec<_> = hosts.iter().map(|host| (host.as_str(), 11211, 1)).collect();
            Ring::new(&servers(&all))
        };
        let (three, four) = (equal(3), equal(4));
        let mut moved = 0;
        for name in &names {
            let (before, after) = (three.server(name), four.server(name));
            assert!(
                after == before || after == 3,
                "{name} went from {before} to {after}"
            );
            moved += usize::from(after != before);
        }
        assert!((700..1_300).contains(&moved), "{moved} of 4000 names moved");
    }

    #[test]
    fn a_server_has_names_by_its_weight() {
        let ring = Ring::new(&servers(&[("a", 1, 3), ("b", 1, 1)]));
        let of_first = (0..4_000)
            .filter(|n| ring.server(&format!("shop:{n}")) == 0)
            .count();
        assert!((2_700..3_300).contains(&of_first), "{of_first} of 4000");
    }
}
