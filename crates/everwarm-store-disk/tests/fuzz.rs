//! Fuzzing of what the store reads: seeded mutations of its files, and of URLs.

mod damaged;
mod support;

use damaged::Sound;
use everwarm_conformance::{Wrong, hunt};
use everwarm_store_disk::check;

/// The files of a sound store, each behind its number.
fn corpus(sound: &Sound) -> Vec<Vec<u8>> {
    let files = sound.files().enumerate();
    files
        .map(|(number, bytes)| [&[number as u8], bytes].concat())
        .collect()
}

#[test]
fn files() {
    let directory = tempfile::tempdir().unwrap();
    let sound = Sound::new(directory.path());
    let corpus = corpus(&sound);
    let found = hunt(&corpus, |data| {
        // What does not hold is a panic.
        let (number, bytes) = data.split_first()?;
        sound.use_with(usize::from(*number) % corpus.len(), bytes);
        None
    });
    assert_eq!(found, None);
    // The planted fault: who believes that every entry is still there. So what is damaged does reach the store.
    let believing = hunt(&corpus, |data| {
        let (number, bytes) = data.split_first()?;
        let is_whole = sound.is_whole_with(usize::from(*number) % corpus.len(), bytes);
        (!is_whole).then_some("an entry is gone")
    });
    assert!(believing.is_some());
}

/// A text of anybody: a URL that is taken, or an error that says so and shows nothing of a password.
fn fuzz_url(data: &[u8], check: impl Fn(&str) -> Result<(), String>) -> Wrong {
    let url = String::from_utf8_lossy(data);
    match check(&url) {
        Ok(()) => (!url.starts_with("disk:")).then_some("the URL of another store is taken"),
        Err(said) if said.contains("hush") && is_secret(&url) => Some("the error shows a secret"),
        Err(_) => None,
    }
}

/// Whether the word is there once, and in the user's part of the URL.
fn is_secret(url: &str) -> bool {
    let mut parts = url.split("hush");
    let before = parts.next().unwrap_or_default();
    let behind = parts.next().unwrap_or_default();
    let user = behind.split(['?', '&', '=']).next().unwrap_or_default();
    !before.contains('?') && user.contains('@') && parts.next().is_none()
}

const URLS: [&str; 6] = [
    "disk:",
    "disk:///var/cache/shop",
    "disk:///var/cache/shop?max_bytes=4MiB&durability=power",
    "disk://user:hush@/var/cache?max_entries=3",
    "disk:///a%20b?max_bytes=1GiB",
    "redis://user:hush@host/0",
];

#[test]
fn urls() {
    let found = hunt(&URLS, |data| {
        fuzz_url(data, |url| check(url).map_err(|error| error.to_string()))
    });
    assert_eq!(found, None);
}

#[test]
fn a_check_that_shows_what_it_was_given_is_found() {
    // The planted fault: the error repeats the URL.
    let telling = |url: &str| check(url).map_err(|error| format!("{error} in {url}"));
    assert!(hunt(&URLS, |data| fuzz_url(data, telling)).is_some());
}
