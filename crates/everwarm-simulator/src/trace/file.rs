//! Traces in files: keys of eight bytes, the lowest first, compressed by gzip.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Trace;

/// What a trace's file is called.
const ENDING: &str = ".u64.gz";

/// The trace files in a folder, by name.
///
/// # Errors
///
/// What the operating system says of the folder.
pub fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(ENDING) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a trace; the program `gzip` unpacks it.
///
/// # Errors
///
/// What the operating system says, or `gzip`.
pub fn read(path: &Path) -> io::Result<Trace> {
    let output = Command::new("gzip").arg("-dc").arg(path).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(io::Error::other(said));
    }
    let (keys, rest) = output.stdout.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(io::Error::other(format!(
            "{} ends within a key",
            path.display()
        )));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Trace {
        name: name.trim_end_matches(ENDING).to_owned(),
        keys: keys.iter().map(|key| u64::from_le_bytes(*key)).collect(),
    })
}
