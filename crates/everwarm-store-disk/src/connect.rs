//! Opening a store: what is there is used, refused, or set aside, and it is said why.

use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, FailureKind};

use crate::anew;
use crate::config::Config;
use crate::directory::Directory;
use crate::error::{Trouble, damaged};
use crate::files::{Files, open_index, read_head};
use crate::head::{Head, Read};
use crate::index::Index;
use crate::lock::{Patience, Still, lock};
use crate::times::StoreTime;

/// How long the opening of a store waits for those that write.
const PATIENCE: Duration = Duration::from_secs(1);

/// Opens a store.
pub(crate) fn open(config: Config, time: StoreTime) -> Result<Files, Failure> {
    let directory = Directory::open(&config.directory)?;
    let (file, is_writable) = directory.write_or_read("head")?;
    if !is_writable {
        let index = match read_head(&file).map_err(Trouble::from) {
            Ok(Read::Head(head)) => {
                time.follow(head.added);
                open_index(&directory, &head, false).map_err(failure_of)?
            }
            Ok(_) => return Err(nothing_to_read(&directory)),
            Err(trouble) => return Err(failure_of(trouble)),
        };
        return Ok(Files::new(directory, (file, false), config, time, index));
    }
    let until = Instant::now() + PATIENCE;
    let (index, doubt) = {
        let _locked = lock(
            &file,
            &Still::default(),
            Patience {
                still: PATIENCE,
                whole: PATIENCE,
            },
        )?;
        settle(&directory, &file, (&config, &time)).map_err(failure_of)?
    };
    let files = Files::new(directory, (file, true), config, time, index);
    files.doubts.lock().extend(doubt);
    // What was left half done is done by the first who writes, and there may be none.
    loop {
        match files.write(|writing| writing.harden_if_asked()) {
            Err(failure) if failure.kind == FailureKind::Timeout && Instant::now() < until => {
                // Of a holder that stands still it is said at once.
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done.map(|()| files),
        }
    }
}

fn failure_of(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Failed(failure) => failure,
        Trouble::Damaged(what) => damaged(what),
        Trouble::Again => crate::error::busy(),
    }
}

type Settled = (Index, Option<String>);

/// What of a store that is there can be used, while the lock is held.
fn settle(
    directory: &Directory,
    file: &std::fs::File,
    (config, time): (&Config, &StoreTime),
) -> Result<Settled, Trouble> {
    let begin = |before: Option<&Head>, doubt: Option<String>| {
        let (head, index) = anew::begin(directory, file, config, (time, before))?;
        time.follow(head.added);
        Ok((index, doubt))
    };
    let anew = |before, why: &str| {
        begin(
            before,
            Some(format!("{why}, and the store began anew, empty")),
        )
    };
    let head = match read_head(file)? {
        Read::Head(head) => head,
        Read::New => return begin(None, None),
        Read::Damaged => return anew(None, "it was damaged (its head)"),
        Read::Other(layout) => return Err(other_layout(directory, layout).into()),
        Read::Foreign => return Err(foreign(directory).into()),
    };
    if head.boot != time.boot() && !head.hardened {
        return anew(Some(&head), "the machine ended while the store was in use");
    }
    if config.segment() > head.segment * 4 || head.segment > config.segment() * 4 {
        return anew(Some(&head), "max_bytes is quite another one");
    }
    match open_index(directory, &head, true) {
        Ok(index) => {
            restart(file, &head, time)?;
            Ok((index, None))
        }
        Err(Trouble::Damaged(what)) => anew(Some(&head), &format!("it was damaged ({what})")),
        Err(trouble) => Err(trouble),
    }
}

/// Goes on with the store's time after another start of the machine.
fn restart(file: &std::fs::File, head: &Head, time: &StoreTime) -> Result<(), Trouble> {
    use std::os::unix::fs::FileExt;

    let mut head = *head;
    if head.boot != time.boot() {
        head.added = time.addition_for(head.floor);
        head.boot = time.boot();
        file.write_all_at(&head.bytes(), 0)?;
    }
    time.follow(head.added);
    Ok(())
}

fn other_layout(directory: &Directory, layout: u8) -> Failure {
    Failure::new(
        FailureKind::Capability,
        format!(
            "{} was written by a version with layout {layout}",
            directory.path().display()
        ),
        "name another directory, or use the version that wrote it",
    )
}

fn foreign(directory: &Directory) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!(
            "{} holds a file \"head\" that no store wrote",
            directory.path().display()
        ),
        "name a directory that nothing else uses",
    )
}

fn nothing_to_read(directory: &Directory) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!(
            "{} cannot be written to, and holds no store to be read",
            directory.path().display()
        ),
        "give a directory that this user may write to",
    )
}
