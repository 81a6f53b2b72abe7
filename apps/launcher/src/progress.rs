//! How far a long command has come: one line on standard error that is written over, where there is a terminal.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use tokio::time::Instant;

/// The pause between two lines: people read them.
const EVERY: Duration = Duration::from_millis(200);

/// Tells how far something has come.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    begun: Instant,
    told: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Of a command that counts so-and-so many of `what`.
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, begun: Instant::now(), told: None, terminal: io::stderr().is_terminal() }
    }

    /// So many are done; `part` is how much of the whole that is, if it is known.
    pub(crate) fn at(&mut self, count: u64, part: Option<(u64, u64)>) {
        let now = Instant::now();
        if self.terminal && self.told.is_none_or(|told| now - told >= EVERY) {
            self.told = Some(now);
            // A terminal that is gone is nothing to stop for.
            drop(write!(io::stderr(), "\r\x1b[K{}", line(self.what, count, part, now - self.begun)));
        }
    }

    /// Says what is to stay, in a line above.
    pub(crate) fn say(&mut self, what: &str) {
        self.clear();
        self.told = None;
        // As with what is told on the way.
        drop(writeln!(io::stderr(), "{what}"));
    }

    fn clear(&self) {
        if self.told.is_some() {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

impl Drop for Progress {
    /// Leaves the line to what is printed next.
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(what: &str, count: u64, part: Option<(u64, u64)>, spent: Duration) -> String {
    let percent = part.map_or_else(String::new, |(done, all)| {
        format!("  {}%", u128::from(done.min(all)) * 100 / u128::from(all.max(1)))
    });
    let rate = u128::from(count) * 1000 / spent.as_millis().max(1);
    format!("{count} {what}{percent}  {rate}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_count_part_and_rate() {
        let spent = Duration::from_secs(2);
        assert_eq!(line("events", 500, Some((1, 3)), spent), "500 events  33%  250/s");
        assert_eq!(line("events", 7, Some((9, 0)), Duration::ZERO), "7 events  0%  7000/s");
        assert_eq!(line("events", 500, None, spent), "500 events  250/s");
    }
}
