//! Plays seeds, and prints what was wrong with their runs.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // That is what it is for.

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use everwarm_nodes::{Fault, play};

const USAGE: &str = "everwarm-nodes [--seed N] [--seeds N] [--fault NAME] [--trace]";

struct Options {
    first: u64,
    count: u64,
    fault: Option<Fault>,
    trace: bool,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        first: 0,
        count: 1,
        fault: None,
        trace: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => options.first = words.next().ok_or(USAGE)?.parse()?,
            "--seeds" => options.count = words.next().ok_or(USAGE)?.parse()?,
            "--fault" => {
                let name = words.next().ok_or(USAGE)?;
                let mut all = Fault::ALL.into_iter();
                options.fault = Some(all.find(|fault| fault.name() == name).ok_or(USAGE)?);
            }
            "--trace" => options.trace = true,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = options()?;
    let (began, mut steps, mut failed) = (Instant::now(), 0, 0_u64);
    for seed in options.first..options.first + options.count {
        let run = play(seed, options.fault);
        steps += run.steps;
        if options.trace {
            println!("{:?}", run.weather);
            run.history.iter().for_each(|event| println!("{event}"));
        }
        if let Some(first) = run.wrong.first() {
            failed += 1;
            println!("seed {seed}: {} wrong, first {first}", run.wrong.len());
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} seeds, {failed} wrong, {steps} steps, {seconds:.1} s",
        options.count
    );
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
