fn run(work: everwarm::Work) {
    work();
}

#[everwarm::cached(ttl = "5m", refresh_every = "30s")]
fn unrun(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(refresh_every = "30s", background = run)]
fn endless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "30s", refresh_every = "30s", background = run)]
fn late(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_every = "30s", refresh_ahead = 0.8, background = run)]
fn twice(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_every = 0.8, sliding = 0.5, background = run)]
fn sliding(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_every = "30s", background = run)]
fn borrowed(sku: &str) -> usize {
    sku.len()
}

fn main() {}
