//! As whom a store asks: keys of the URL, or what AWS's own tools would find, in the order of theirs: variables, profiles, single
//! sign-on, a web identity, a process, the roles of containers and of machines.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response};
use reqsign_aws_v4::{
    Credential, DefaultCredentialProvider, RequestSigner, StaticCredentialProvider,
};
use reqsign_core::{
    CommandExecute, CommandOutput, Context, Error, FileRead, HttpSend, OsEnv, Result, Signer,
};

use crate::client::Web;
use crate::config::Config;

/// Bytes that who gives credentials may say.
const LARGEST: usize = 1 << 20;
/// How long an answer of who gives credentials is waited for: all that is asked of the table waits for them, and nobody else would walk
/// away.
const ANSWER: Duration = Duration::from_secs(5);

/// What signs requests. It remembers the credentials until shortly before they end.
pub(crate) fn signer(config: &Config, region: &str, web: Web) -> Signer<Credential> {
    let context = Context::new()
        .with_env(OsEnv)
        .with_file_read(Files)
        .with_command_execute(Programs)
        .with_http_send(Sent(web));
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
    Signer::new(context, chain.build(), signer)
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
struct Sent(Web);

impl HttpSend for Sent {
    async fn http_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let said = tokio::time::timeout(ANSWER, self.said(request)).await;
        said.unwrap_or_else(|late| Err(failed(late).set_retryable(true)))
    }
}

impl Sent {
    async fn said(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let answer = self.0.request(request.map(Full::new)).await;
        let (head, body) = answer
            .map_err(|error| failed(error).set_retryable(true))?
            .into_parts();
        let body = Limited::new(body, LARGEST).collect().await;
        let body =
            body.map_err(|_| Error::unexpected("credentials broke off").set_retryable(true))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}
