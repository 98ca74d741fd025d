//! The right to compute, among all processes that ask the same servers. A lease ends by the server's clock.

use std::time::Duration;

use everwarm_core::store::{Answer, Bytes, Failure, Freed, Grant, Leased, Leases};

use crate::entry::millis;
use crate::keys::{channel, namespace_of};
use crate::request::Request;
use crate::script::{Argument, Script, script};
use crate::store::{Redis, given};

script!(
    /// Gives a lease, or renews it.
    LEASE = "waiters.lua", "lease.lua"
);
script!(
    /// Renews a lease.
    RENEW = "waiters.lua", "renew.lua"
);
script!(
    /// Gives a lease back.
    RELEASE = "waiters.lua", "release.lua"
);
script!(
    /// Sets an entry under its lease.
    SET_LEASED = "now.lua", "put.lua", "waiters.lua", "set_leased.lua"
);

impl Redis {
    fn timed(
        &self,
        script: &'static Script,
        (name, token): (&str, u64),
        ttl: Duration,
    ) -> Result<Request, Failure> {
        self.on(script, name, vec![shown(token), millis(Some(ttl)).into()])
    }

    /// The channel on which who waits for the lease of a name is woken.
    fn channel(&self, name: &str) -> Argument {
        channel(self.link.config().database, namespace_of(name)).into()
    }

    fn leased(&self, entry: &Leased<'_>) -> Result<Request, Failure> {
        let (mut arguments, _) = self.written(entry.bytes.clone(), entry.ttl)?;
        arguments.extend([shown(entry.token), self.channel(entry.name)]);
        self.on(&SET_LEASED, entry.name, arguments)
    }
}

fn shown(token: u64) -> Argument {
    token.to_string().into()
}

/// What the script says of a lease that was asked for.
fn granted(held: i64) -> Grant {
    match u64::try_from(held) {
        Ok(left @ 1..) => Grant::Held(Duration::from_millis(left)),
        _ => Grant::Granted,
    }
}

impl Leases for Redis {
    fn lease<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, Grant> {
        let request = self.timed(&LEASE, (name, token), ttl);
        given(async move { Ok(granted(self.number(request).await?)) })
    }

    fn renew<'a>(&'a self, name: &'a str, token: u64, ttl: Duration) -> Answer<'a, bool> {
        let request = self.timed(&RENEW, (name, token), ttl);
        given(async move { Ok(self.number(request).await? == 1) })
    }

    fn release<'a>(&'a self, name: &'a str, token: u64) -> Answer<'a, bool> {
        let request = self.on(&RELEASE, name, vec![shown(token), self.channel(name)]);
        given(async move { Ok(self.number(request).await? == 1) })
    }

    fn set_leased<'a>(
        &'a self,
        name: &'a str,
        token: u64,
        bytes: Bytes,
        ttl: Option<Duration>,
    ) -> Answer<'a, bool> {
        let request = self.leased(&Leased {
            name,
            token,
            bytes,
            ttl,
        });
        given(async move { Ok(self.number(request).await? == 1) })
    }

    fn freed<'a>(&'a self, name: &'a str) -> Option<Freed<'a>> {
        self.attend(namespace_of(name));
        Some(Box::pin(self.hearing().waiters.wait(name)))
    }

    fn lease_many<'a>(
        &'a self,
        names: &'a [(&'a str, u64)],
        ttl: Duration,
    ) -> Answer<'a, Vec<Grant>> {
        let requests = names.iter().map(|&wanted| self.timed(&LEASE, wanted, ttl));
        let requests = requests.collect();
        given(async move {
            let held = self.numbers(requests).await?;
            Ok(held.into_iter().map(granted).collect())
        })
    }

    fn set_leased_many<'a>(&'a self, entries: &'a [Leased<'a>]) -> Answer<'a, Vec<bool>> {
        let requests = entries.iter().map(|entry| self.leased(entry)).collect();
        given(async move {
            let set = self.numbers(requests).await?;
            Ok(set.into_iter().map(|set| set == 1).collect())
        })
    }
}
