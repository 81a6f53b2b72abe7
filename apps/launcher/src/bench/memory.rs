//! What processes hold and use, as Linux tells it.

use std::{fs, time::Duration};

use anyhow::Context;

/// Memory of a process, in MiB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    /// Resident now.
    pub(super) resident_mib: f64,
    /// The most that ever was.
    pub(super) peak_mib: f64,
}

/// Of a clock tick of /proc: a hundredth of a second on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

impl Memory {
    /// Of this process.
    pub(super) fn own() -> anyhow::Result<Self> {
        Self::of("self")
    }

    /// Of the process with this id.
    pub(super) fn of(process: &str) -> anyhow::Result<Self> {
        let path = format!("/proc/{process}/status");
        Self::parse(&fs::read_to_string(&path).with_context(|| format!("{path} is read on Linux only"))?)
    }

    fn parse(status: &str) -> anyhow::Result<Self> {
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u32>().ok());
            kib.map(|kib| f64::from(kib) / 1024.0).with_context(|| format!("no {name} in {status:?}"))
        };
        Ok(Self { resident_mib: mib("VmRSS")?, peak_mib: mib("VmHWM")? })
    }
}

/// Processor time that a process has used so far, on all its threads.
pub(super) fn processor_time(process: &str) -> anyhow::Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path} is read on Linux only"))?;
    used(&stat).with_context(|| format!("no times in {stat:?}"))
}

/// User and system time; the name before them may hold anything.
fn used(stat: &str) -> Option<Duration> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>().ok());
    Some(TICK * ticks.sum::<Option<u32>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_understood() {
        let status = "Name:\tumbel\nVmHWM:\t    2048 kB\nVmRSS:\t    1536 kB\nThreads:\t4\n";
        assert_eq!(Memory::parse(status).unwrap(), Memory { resident_mib: 1.5, peak_mib: 2.0 });
        assert!(Memory::parse("VmRSS: 1 kB").is_err());
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 1 2 3";
        assert_eq!(used(stat), Some(Duration::from_secs(2)));
        assert_eq!(used("7 (a) S 1"), Some(Duration::ZERO));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_holds_something() {
        let memory = Memory::own().unwrap();
        assert!(memory.resident_mib > 1.0 && memory.peak_mib >= memory.resident_mib, "{memory:?}");
        assert!(processor_time("self").unwrap() < Duration::from_secs(3600));
    }
}
