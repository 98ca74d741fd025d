//! The proxy as a program: it says where it is, and does what its control socket hears.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_is_told_by_lines() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = server.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            stream.write_all(b"hello").unwrap();
        }
    });
    let mut program = Command::new(env!("CARGO_BIN_EXE_everwarm-proxy"));
    let begun = program
        .args(["--upstream", &upstream, "--seed", "7"])
        .stdout(Stdio::piped())
        .spawn();
    let mut program = Program(begun.unwrap());
    let mut said = String::new();
    BufReader::new(program.0.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    let place = |name: &str| {
        let mut words = said.split_whitespace();
        words.find_map(|word| word.strip_prefix(name)).unwrap()
    };
    let mut control = TcpStream::connect(place("control=")).unwrap();
    let mut answers = BufReader::new(control.try_clone().unwrap()).lines();
    let mut tell = |line: &str| {
        control.write_all(format!("{line}\n").as_bytes()).unwrap();
        answers.next().unwrap().unwrap()
    };
    let heard = |from: &str| {
        let mut text = Vec::new();
        TcpStream::connect(from)
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        text
    };
    assert_eq!(heard(place("listen=")), b"hello");
    assert_eq!(tell("set corrupt times=1"), "ok");
    assert_ne!(heard(place("listen=")), b"hello");
    assert_eq!(tell("count corrupt"), "ok 1");
    assert_eq!(tell("set"), "error no such command: set");
}

#[test]
fn a_command_line_without_a_server_says_how() {
    let ended = Command::new(env!("CARGO_BIN_EXE_everwarm-proxy"))
        .output()
        .unwrap();
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--upstream"));
}
