#[everwarm::cached(tags = ["user:{id}"])]
fn misspelt(user_id: u64) -> u64 {
    user_id
}

#[everwarm::cached(key = "all")]
fn one_entry(id: u64) -> u64 {
    id
}

#[everwarm::cached(key = "{id:>8}")]
fn formatted(id: u64) -> u64 {
    id
}

#[everwarm::cached(key = "{id")]
fn open(id: u64) -> u64 {
    id
}

fn main() {}
