//! One part of the system alone in a process: bus, store and that part under one supervisor.

use std::{collections::BTreeMap, io, io::Write, process::ExitCode, time::Duration};

use anyhow::anyhow;
use tokio::time::sleep;
use umbel_bus::Bus;
use umbel_settings::LoadOptions;
use umbel_supervision::Tree;

use crate::{
    exit::{ExitStatus, Failed, OrExit, conclude},
    umbrella::{Foundation, Umbrella},
};

/// The pause between two lines about the log's head: people read them.
const HEAD_EVERY: Duration = Duration::from_secs(1);

/// The whole `main` of a part that runs alone: takes `section.key=value` arguments, composes, tells what is up, and
/// serves until a signal, telling meanwhile how far the log goes. `about` is the text of `--help`.
pub fn standalone(
    name: &str,
    about: &str,
    compose: impl FnOnce(&Foundation) -> anyhow::Result<Umbrella>,
) -> ExitCode {
    conclude(options(std::env::args().skip(1)).and_then(|options| match options {
        Some(options) => run(name, &options, compose),
        None => {
            let usage = "Usage: give settings as section.key=value, such as store.url=memory:";
            say(&format!("{about}\n\n{usage}\nSettings come from config/ and UMBEL__* variables too.\n"));
            Ok(())
        }
    }))
}

fn run(
    name: &str,
    options: &LoadOptions,
    compose: impl FnOnce(&Foundation) -> anyhow::Result<Umbrella>,
) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).and_then(Foundation::answering_tools);
    let foundation = foundation.or_exit(ExitStatus::Settings)?;
    let umbrella = compose(&foundation).or_exit(ExitStatus::Settings)?;
    let umbrella = umbrella.with_any(foundation.link().or_exit(ExitStatus::Settings)?);
    let bus = foundation.bus;
    let announce = async |tree: &Tree| {
        say(&format!("{name} is up\n\n{}{}\n", overview(tree, &bus).await, answers(&bus)));
        say("Ctrl-C stops it in order.\n");
        tell_head(&bus).await;
    };
    Ok(umbrella.run(announce)?)
}

/// What is up, for people: the tree and the store.
pub async fn overview(tree: &Tree, bus: &Bus) -> String {
    let mut text = format!("{}\n\n", tree.snapshot());
    match bus.store().status().await {
        Ok(status) => {
            let (adapter, location, head) = (status.adapter, status.location, status.head);
            let place = if location.is_empty() { String::new() } else { format!(" at {location}") };
            text += &format!("store    {adapter}{place}, head at position {head}\n");
        }
        Err(error) => text += &format!("store    {error}\n"),
    }
    text
}

/// What is answered on the bus, and by which part, for people.
fn answers(bus: &Bus) -> String {
    let mut answers: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (request, owner) in bus.owners() {
        let part = owner.split('/').next().unwrap_or_default().to_owned();
        answers.entry(part).or_default().push(request);
    }
    let mut text = String::new();
    for (part, mut requests) in answers {
        requests.sort_unstable();
        text += &format!("answers  {part}: {}\n", requests.join(", "));
    }
    text
}

/// Tells how far the log goes, whoever appends to it.
async fn tell_head(bus: &Bus) {
    let mut head = bus.head();
    head.mark_unchanged();
    while head.changed().await.is_ok() {
        let position = *head.borrow_and_update();
        say(&format!("head at position {position}\n"));
        sleep(HEAD_EVERY).await;
    }
}

/// Settings from arguments; `None` asks for help.
fn options(arguments: impl Iterator<Item = String>) -> Result<Option<LoadOptions>, Failed> {
    let mut options = LoadOptions::from_process();
    for argument in arguments {
        match argument.split_once('=') {
            _ if matches!(argument.as_str(), "-h" | "--help") => return Ok(None),
            Some((key, value)) if !key.starts_with('-') => {
                options.overrides.push((key.to_owned(), value.to_owned()));
            }
            _ => {
                let wrong = Err(anyhow!("{argument:?} is no setting; write section.key=value, or --help"));
                return wrong.or_exit(ExitStatus::Usage);
            }
        }
    }
    Ok(Some(options))
}

/// To standard output. When nobody listens there any more, the process goes on.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Option<LoadOptions>, Failed> {
        options(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn arguments_are_settings() {
        let options = parse(&["store.url=postgres://h/d?a=b", "bus.topic_capacity=1"]).unwrap().unwrap();
        let expected = [("store.url", "postgres://h/d?a=b"), ("bus.topic_capacity", "1")];
        assert!(options.overrides.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected));
        assert!(parse(&["store.url=memory:", "--help"]).unwrap().is_none());
        for wrong in ["run", "--url=memory:"] {
            assert_eq!(parse(&[wrong]).unwrap_err().status, ExitStatus::Usage, "{wrong}");
        }
    }
}
