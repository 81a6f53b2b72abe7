//! Callers in processes of their own: this binary again, told on standard input what to do.
//!
//! A child is up once it has said so. Then each line it gets is a number of appends, and each line it gives is what
//! they took. It ends when its standard input does, so also when this process is killed.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use futures_util::future::{LocalBoxFuture, try_join_all};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{
    lab::{Lab, Site},
    load::{Plan, Streams},
    rounds::{Round, Subject},
};

/// What a child says when it is up.
pub(super) const READY: &str = "ready";

/// Lines of a child that wait to be read: it is asked for one at a time.
const LINES: usize = 16;

/// What a child has done at one go.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) latencies_us: Vec<u64>,
}

/// Several children that share the callers of one load.
pub(super) struct Processes {
    children: Vec<Talking>,
    plan: Plan,
}

/// A process and the lines that it prints. Dropped, its standard input ends, and it is waited for.
pub(super) struct Talking {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Processes {
    /// Starts so many on the store of the lab, each with its share of callers and streams.
    pub(super) async fn start(site: &Site, lab: &Lab, count: u32, plan: &Plan) -> anyhow::Result<Self> {
        let streams = match plan.streams {
            Streams::Own(streams) => streams.div_ceil(count),
            Streams::Hot => return Err(anyhow!("a hot stream is not shared out among processes")),
        };
        let mut children = Vec::new();
        for child in 0..count {
            let callers = plan.concurrency / count + u32::from(child < plan.concurrency % count);
            let numbers =
                [("--concurrency", callers.max(1)), ("--streams", streams), ("--batch", plan.batch)];
            let numbers =
                numbers.into_iter().flat_map(|(name, number)| [name.to_owned(), number.to_string()]);
            let prefix = ["bench", "worker", "--prefix"].map(str::to_owned).into_iter();
            let prefix = prefix.chain([format!("{}-process{child}", plan.prefix)]);
            children.push(Talking::start(site, lab.scratch.settings(), prefix.chain(numbers))?);
        }
        for child in &mut children {
            child.until(|line| line == READY).await?;
        }
        Ok(Self { children, plan: plan.clone() })
    }

    async fn append(&mut self) -> anyhow::Result<Round> {
        let count = u64::try_from(self.children.len())?;
        let each = self.plan.appends.div_ceil(count);
        let begin = Instant::now();
        let done = try_join_all(self.children.iter_mut().map(async |child| child.ask(each).await)).await?;
        let took = begin.elapsed();
        let latencies = done.into_iter().flat_map(|done| done.latencies_us);
        let latencies = latencies.map(Duration::from_micros).collect();
        Ok(Round { units: each * count * u64::from(self.plan.batch), took, latencies })
    }
}

impl Subject for Processes {
    fn round(&mut self) -> LocalBoxFuture<'_, anyhow::Result<Round>> {
        Box::pin(self.append())
    }
}

impl Talking {
    /// Starts this binary on a store. Where that is goes through the environment, for it may hold a password and
    /// arguments are for all to see.
    pub(super) fn start(
        site: &Site,
        store: &umbel_persistence::StoreSettings,
        arguments: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("which program is this?")?);
        command.args(settings(site)).args(arguments);
        command.env("UMBEL__STORE__URL", &store.url).env("UMBEL__STORE__SCHEMA", &store.schema);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("a process of our own cannot be started")?;
        let (input, output) = (child.stdin.take(), child.stdout.take().context("it has an output")?);
        let (sender, lines) = mpsc::channel(LINES);
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            // Ends with the process, or with whoever listens.
            for line in lines {
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, lines })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line.
    pub(super) async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        self.find(|line| wanted(line).then_some(())).await
    }

    /// Waits for a line in which something is found.
    pub(super) async fn find<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        loop {
            if let Some(found) = look(&self.line().await?) {
                return Ok(found);
            }
        }
    }

    async fn ask(&mut self, appends: u64) -> anyhow::Result<Done> {
        let input = self.input.as_mut().context("the input is open until this is dropped")?;
        writeln!(input, "{appends}").context("a process of the bench does not listen")?;
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        self.lines.recv().await.context("a process of the bench ended; standard error may say why")
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nobody waits for its lines, which could hold it up.
        self.lines.close();
        // One that was not told to end by its input, as `run`, ends by this; the others are about to anyway.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The settings of this process, as arguments, without those that say where the store is.
fn settings(site: &Site) -> Vec<String> {
    let options = &site.options;
    let environment = options.environment.iter().flat_map(|name| ["--env".to_owned(), name.clone()]);
    let dir = options.dir.iter().flat_map(|dir| ["--config-dir".to_owned(), dir.display().to_string()]);
    let overrides = options.overrides.iter().filter(|(key, _)| key != "store.url" && key != "store.schema");
    let overrides = overrides.flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]);
    environment.chain(dir).chain(overrides).collect()
}
