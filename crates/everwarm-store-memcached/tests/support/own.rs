//! A server of a test's own, which it may kill, freeze and start again at the same port.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A server, ended when it is dropped.
pub(crate) struct Own {
    program: PathBuf,
    options: Vec<String>,
    pub(crate) port: u16,
    process: Option<Child>,
}

impl Own {
    /// A server that runs; None, loudly, where no program is named.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let program = super::url("MEMCACHED")?.into();
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let mut own = Self {
            program,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            port: free.expect("a free port").port(),
            process: None,
        };
        own.again();
        Some(own)
    }

    /// Starts it, and waits until it listens.
    pub(crate) fn again(&mut self) {
        let mut command = Command::new(&self.program);
        let port = self.port.to_string();
        command.args([
            "-l",
            "127.0.0.1",
            "-U",
            "0",
            "-t",
            "2",
            "-u",
            "root",
            "-p",
            &port,
        ]);
        command
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(command.spawn().expect("the program is there"));
        super::until("the server listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
        thread::sleep(Duration::from_millis(1));
    }

    pub(crate) fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.port)
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill")
            .args([signal, &process.id().to_string()])
            .status();
        assert!(sent.expect("there is a kill").success());
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.kill();
    }
}
