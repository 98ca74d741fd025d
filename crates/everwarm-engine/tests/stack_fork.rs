//! What a forked child does with what its parent began: it leaves it alone. This is its own binary, since a fork is told to all.

#[allow(dead_code, reason = "it uses a part")]
mod tiers;

use std::sync::Arc;
use std::time::Duration;

use everwarm_engine::stack::{Sleep, Sleeper};

use tiers::{Host, at_once};

#[test]
fn a_child_gives_no_lease_of_its_parent_back_and_does_not_wait_for_its_threads() {
    let host = Host::new(2);
    let one = host.process();
    let seat = one.lead("k", &[]);
    let sleeper = Arc::new(Sleeper::new());
    everwarm_engine::after_fork();
    drop(seat);
    assert_eq!((one.near().leased(), one.far().leased()), (1, 1));
    at_once(sleeper.sleep(Duration::from_secs(60)));
    let child = host.process();
    drop(child.lead("other", &[]));
    assert_eq!(one.far().leased(), 1);
}
