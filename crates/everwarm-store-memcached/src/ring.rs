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
