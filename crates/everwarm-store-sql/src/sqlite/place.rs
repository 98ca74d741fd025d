//! The file of a store: it is used only if nobody else can have put it there or can change it.
//!
//! It is never opened but by SQLite: a descriptor of it that were closed would take the locks of the whole process away.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use everwarm_core::store::{Failure, FailureKind};

use super::error::refused;

const OTHERS_MAY_WRITE: u32 = 0o022;
const ALL_MAY_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Which file lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    number: u64,
}

/// Makes the file if it is not there, and says which one it is.
///
/// # Errors
/// `Authentication` for one that others can have made or can change, and what the system refuses.
pub(crate) fn made(path: &Path) -> Result<Identity, Failure> {
    let above = path.parent().unwrap_or(Path::new("/"));
    if !above.exists() {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(above);
        made.map_err(|error| refused(above, &error))?;
    }
    let new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match new {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(refused(path, &error)),
    }
    let around = above.metadata().map_err(|error| refused(above, &error))?;
    if around.mode() & ALL_MAY_WRITE != 0 && around.mode() & STICKY == 0 {
        return Err(untrusted(
            path,
            "everybody may put files into its directory",
        ));
    }
    let there = path.symlink_metadata();
    let there = there.map_err(|error| refused(path, &error))?;
    if !there.is_file() {
        return Err(untrusted(path, "it is a link, or no file"));
    }
    if there.uid() != rustix::process::geteuid().as_raw() {
        return Err(untrusted(path, "it belongs to another user"));
    }
    if there.mode() & OTHERS_MAY_WRITE != 0 {
        return Err(untrusted(path, "others than its owner may write to it"));
    }
    Ok(Identity::of(&there))
}

/// Which file lies there now; `None` if there is none.
pub(crate) fn there(path: &Path) -> Option<Identity> {
    path.symlink_metadata()
        .ok()
        .map(|there| Identity::of(&there))
}

impl Identity {
    fn of(there: &std::fs::Metadata) -> Self {
        Self {
            device: there.dev(),
            number: there.ino(),
        }
    }
}

fn untrusted(path: &Path, why: &str) -> Failure {
    Failure::new(
        FailureKind::Authentication,
        format!("{} is not to be trusted: {why}", path.display()),
        "name a file of this user's own, in a directory that only this user may write to",
    )
}
