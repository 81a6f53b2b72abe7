//! The command behind `make sim`: runs seeds until one breaks something.

use std::{env, process::ExitCode, str::FromStr, time::Instant};

use umbel_simulator::{Bug, Failure, Run, Seen};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was broken.
fn run() -> Result<bool, String> {
    let seed = setting("SEED")?;
    let run = Run { seed: seed.unwrap_or(1), steps: setting("STEPS")?, bug: setting::<Bug>("BUG")? };
    let runs = setting("RUNS")?.unwrap_or(if seed.is_some() { 1 } else { 1000_u64 });
    if setting::<u8>("TRACE")?.is_some_and(|wanted| wanted > 0) {
        return Ok(tell(run));
    }
    let began = Instant::now();
    let mut seen = Seen::new();
    for number in 0..runs {
        match (Run { seed: run.seed.wrapping_add(number), ..run }).live() {
            Ok(in_one) => {
                for (what, times) in in_one {
                    *seen.entry(what).or_default() += times;
                }
            }
            Err(failure) => {
                report(failure);
                return Ok(false);
            }
        }
    }
    let seen: Vec<_> = seen.iter().map(|(what, times)| format!("{what} {times}")).collect();
    println!("{}", seen.join(", "));
    let took = began.elapsed();
    let rate = u128::from(runs) * 1000 / took.as_millis().max(1);
    println!("{runs} runs from {run}: nothing broken, {:.1} s, {rate} runs per second", took.as_secs_f32());
    Ok(true)
}

/// Tells one run line by line.
fn tell(run: Run) -> bool {
    let told = run.tell();
    for line in &told.lines {
        println!("{line}");
    }
    match &told.broken {
        Some(broken) => println!("BROKEN {broken}"),
        None => println!("nothing broken"),
    }
    told.broken.is_none()
}

fn report(failure: Failure) {
    println!("{} breaks something; looking for fewer steps ...", Run { steps: None, ..failure.run });
    let least = failure.shrink();
    for line in least.trace() {
        println!("{line}");
    }
    println!("BROKEN {}", least.broken);
    println!("Again, with every step: make sim {} TRACE=1", least.run);
}

/// A setting from the environment, as make passes it on; an empty one is none.
fn setting<T: FromStr>(name: &str) -> Result<Option<T>, String>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = env::var(name).ok().filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| format!("{name}={text}: {error}"))
}
