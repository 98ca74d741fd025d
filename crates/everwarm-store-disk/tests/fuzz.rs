//! Fuzzing of what the store reads: seeded mutations of its files.

mod damaged;
mod support;

use damaged::Sound;
use everwarm_conformance::{fuzz, hunt};

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
    fuzz("disk files", &corpus, |data| {
        // What does not hold is a panic.
        let (number, bytes) = data.split_first()?;
        sound.use_with(usize::from(*number) % corpus.len(), bytes);
        None
    });
    // The planted fault: who believes that every entry is still there. So what is damaged does reach the store.
    let believing = hunt(&corpus, |data| {
        let (number, bytes) = data.split_first()?;
        let is_whole = sound.is_whole_with(usize::from(*number) % corpus.len(), bytes);
        (!is_whole).then_some("an entry is gone")
    });
    assert!(believing.is_some());
}
