//! Asks an umbrella that runs.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;

use super::{Question, Reply};

/// Bytes of an answer at most: far more than a tree has, so that whatever is behind the socket cannot fill our memory.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// Nobody listens there: what the file belonged to has ended.
    NobodyThere,
    /// Somebody does, and does not answer as they should.
    Failed(anyhow::Error),
}

/// Asks the process behind this socket, which has as long as this, and to find the answer as long again.
///
/// # Errors
/// When nobody is there, or somebody is who does not answer, or with something else; see [`Unanswered`].
pub fn ask<T: DeserializeOwned>(
    socket: &Path,
    question: &Question,
    deadline: Duration,
) -> Result<T, Unanswered> {
    let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Unanswered::NobodyThere,
        _ => Unanswered::Failed(error.into()),
    })?;
    let answer = converse(stream, question, deadline);
    answer.with_context(|| format!("{} does not answer", socket.display())).map_err(Unanswered::Failed)
}

fn converse<T: DeserializeOwned>(
    mut stream: UnixStream,
    question: &Question,
    deadline: Duration,
) -> anyhow::Result<T> {
    // The other side has as long to find the answer, and should say itself when it does not.
    stream.set_read_timeout(Some(deadline.saturating_mul(2)))?;
    stream.set_write_timeout(Some(deadline))?;
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    let read = BufReader::new(stream).take(ANSWER_MAX).read_until(b'\n', &mut answer);
    read.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => anyhow!("nothing came within {:?}", deadline.saturating_mul(2)),
        _ => error.into(),
    })?;
    match serde_json::from_slice(&answer).context("it is of another version, or no umbrella")? {
        Reply::Answer(answer) => Ok(answer),
        Reply::Error(reason) => Err(anyhow!(reason)),
    }
}
