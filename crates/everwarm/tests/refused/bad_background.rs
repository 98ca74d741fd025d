fn run(work: everwarm::Work) {
    work();
}

fn spawn(_task: everwarm::Task) {}

#[everwarm::cached(ttl = "5m", background = run)]
fn windowless(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_ahead = 0.8, background = run)]
async fn awaited(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_ahead = 0.8, spawn = spawn)]
fn blocking(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(ttl = "5m", refresh_ahead = 0.8, background = run)]
fn borrowed(sku: &str) -> usize {
    sku.len()
}

struct Shop {
    id: u64,
}

impl Shop {
    #[everwarm::cached(ttl = "5m", refresh_ahead = 0.8, background = run, key = "{self.id}")]
    fn open(&self) -> bool {
        self.id > 0
    }
}

#[everwarm::cached(ttl = "5m", refresh_ahead = 0.8, background = 7)]
fn numbered(sku: u64) -> u64 {
    sku
}

fn main() {}
