//! As whom a store asks: keys of the URL, or what AWS's own tools would find, in the order of theirs: variables, profiles, single
//! sign-on, a web identity, a process, the roles of containers and of machines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, StatusCode};
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, RequestSigner, StaticCredentialProvider,
};
use reqsign_core::{
    CommandExecute, CommandOutput, Context, Error, FileRead, HttpSend, OsEnv, ProvideCredential,
    Result, Signer,
};

use crate::client::Web;
use crate::config::Config;

/// Bytes that who gives credentials may say.
const LARGEST: usize = 1 << 20;
/// How long an answer of who gives credentials is waited for: all that is asked of the table waits for them, and nobody else would walk
/// away.
const ANSWER: Duration = Duration::from_secs(5);
/// Where the role of a machine is asked for, also on machines that are none of AWS's.
const MACHINE: &str = "169.254.169.254";

/// What signs requests. It remembers the credentials until shortly before they end.
pub(crate) fn signer(config: &Config, region: &str, web: Web) -> Signer<Credential> {
    let givers = Arc::new(Givers::default());
    let context = Context::new()
        .with_env(OsEnv)
        .with_file_read(Files)
        .with_command_execute(Programs)
        .with_http_send(Sent {
            web,
            givers: Arc::clone(&givers),
        });
    let signer = RequestSigner::new("dynamodb", region);
    if let Some(keys) = &config.keys {
        let keys = StaticCredentialProvider::new(&keys.id, &keys.secret);
        return Signer::new(context, keys, signer);
    }
    let chain = DefaultCredentialProvider::builder();
    let chain = match &config.profile {
        // Who names a profile means it, whatever the variables say.
        Some(profile) => chain.with_profile(profile).no_env(),
        None => chain,
    };
    let chain = Chain {
        chain: chain.build(),
        givers,
    };
    Signer::new(context, chain, signer)
}

/// What is known of who gives credentials.
#[derive(Debug, Default)]
struct Givers {
    /// Whether one of them gave no answer, or said that it cannot give one now, since they were last gone through.
    is_away: AtomicBool,
    /// Whether this machine's own has ever answered.
    is_there: AtomicBool,
}

impl Givers {
    fn noted(&self, host: &str, answer: &Result<Response<Bytes>>) {
        let is_away = match answer {
            Ok(answer) => {
                self.is_there.fetch_or(host == MACHINE, Ordering::Relaxed);
                let status = answer.status();
                status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
            }
            // All others are asked because somebody has named them.
            Err(_) => host != MACHINE || self.is_there.load(Ordering::Relaxed),
        };
        self.is_away.fetch_or(is_away, Ordering::Relaxed);
    }
}

/// AWS's order, which goes past who does not answer: so it is told here from having no credentials, since it may pass. One asks at a time.
#[derive(Debug)]
struct Chain {
    chain: DefaultCredentialProvider,
    givers: Arc<Givers>,
}

impl ProvideCredential for Chain {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> Result<Option<Credential>> {
        self.givers.is_away.store(false, Ordering::Relaxed);
        let given = self.chain.provide_credential(context).await?;
        if given.is_none() && self.givers.is_away.load(Ordering::Relaxed) {
            return Err(Error::unexpected("who gives credentials is away").set_retryable(true));
        }
        Ok(given)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unexpected("credentials could not be asked for").with_source(error)
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        read.map_err(failed)?.map_err(failed)
    }
}

#[derive(Debug)]
struct Programs;

impl CommandExecute for Programs {
    async fn command_execute(&self, program: &str, args: &[&str]) -> Result<CommandOutput> {
        let mut command = std::process::Command::new(program);
        command.args(args).stdin(std::process::Stdio::null());
        let ran = tokio::task::spawn_blocking(move || command.output()).await;
        let output = ran.map_err(failed)?.map_err(failed)?;
        Ok(CommandOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}

#[derive(Debug)]
struct Sent {
    web: Web,
    givers: Arc<Givers>,
}

impl HttpSend for Sent {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let host = request.uri().host().unwrap_or("").to_owned();
        let said = tokio::time::timeout(ANSWER, self.said(request)).await;
        let said = said.unwrap_or_else(|late| Err(failed(late).set_retryable(true)));
        self.givers.noted(&host, &said);
        said
    }
}

impl Sent {
    async fn said(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let answer = self.web.request(request.map(Full::new)).await;
        let (head, body) = answer
            .map_err(|error| failed(error).set_retryable(true))?
            .into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body =
            body.map_err(|_| Error::unexpected("credentials broke off").set_retryable(true))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_never_had_a_role_has_nobody_who_is_away() {
        let givers = Givers::default();
        let is_away = |host: &str, answer: Result<u16>| {
            givers.is_away.store(false, Ordering::Relaxed);
            let answer = answer.map(|status| {
                let answer = Response::builder().status(status);
                answer.body(Bytes::new()).expect("an answer")
            });
            givers.noted(host, &answer);
            givers.is_away.load(Ordering::Relaxed)
        };
        let silence = || Err(Error::unexpected("nobody answers"));
        assert!(!is_away(MACHINE, silence()));
        assert!(is_away("169.254.170.2", silence()));
        assert!(!is_away(MACHINE, Ok(404)));
        assert!(is_away(MACHINE, silence()), "it was there");
        assert!(is_away(MACHINE, Ok(503)));
    }
}
