fn run(work: everwarm::Work) {
    work();
}

fn spawn(_task: everwarm::Task) {}

#[everwarm::cached(hard_timeout = "2s")]
fn unrun(sku: u64) -> Result<u64, everwarm::Error> {
    Ok(sku)
}

#[everwarm::cached(soft_timeout = "2s", background = run)]
fn without_old(sku: u64) -> Result<u64, everwarm::Error> {
    Ok(sku)
}

#[everwarm::cached(hard_timeout = "2s", spawn = spawn)]
async fn unmeasured(sku: u64) -> Result<u64, everwarm::Error> {
    Ok(sku)
}

#[everwarm::cached(wait_timeout = "2s")]
async fn patient(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(wait_timeout = "0s")]
fn impatient(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(wait_timeout = "2s", timer = |_| std::future::pending())]
fn measured(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(timer = |_| std::future::pending())]
async fn unlimited(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(hard_timeout = "2s", background = run)]
fn infallible(sku: u64) -> u64 {
    sku
}

#[everwarm::cached(hard_timeout = "2s", background = run)]
fn of_another_error(sku: u64) -> Result<u64, String> {
    Ok(sku)
}

#[everwarm::cached(max_computations = 0)]
fn uncomputed(sku: u64) -> u64 {
    sku
}

fn main() {}
