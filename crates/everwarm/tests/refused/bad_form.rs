#[everwarm::cached]
fn generic<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

#[everwarm::cached]
fn hidden(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[everwarm::cached]
const fn constant(value: u64) -> u64 {
    value
}

#[everwarm::cached]
fn changing(values: &mut Vec<u64>) -> usize {
    values.len()
}

#[everwarm::cached]
fn apart((left, right): (u64, u64)) -> u64 {
    left + right
}

#[everwarm::cached]
fn borrowing(text: &str) -> &str {
    text
}

#[everwarm::cached]
fn lent<'a>(text: &'a str) -> std::borrow::Cow<'a, str> {
    text.into()
}

#[everwarm::cached]
fn later(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

#[everwarm::cached]
struct Thing;

fn main() {}
