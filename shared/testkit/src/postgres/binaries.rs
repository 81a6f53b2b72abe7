//! Where the server's programs are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const INSTALL: &str = "no PostgreSQL found: install it (Debian: apt-get install postgresql; macOS: \
                       brew install postgresql) or set UMBEL_TEST_POSTGRES_URL";

/// A program that comes with the server, such as `pg_dump`.
///
/// # Errors
/// One line that says what is missing and how to get it.
pub fn program(name: &str) -> Result<Command, String> {
    let beside = find(false)?.join(name);
    Ok(if beside.is_file() { Command::new(beside) } else { Command::new(name) })
}

/// A directory with `initdb`, `postgres` and `pg_ctl`. As root on Debian installs them when there is none.
pub(super) fn find(user_is_root: bool) -> Result<PathBuf, String> {
    if let Some(found) = look() {
        return Ok(found);
    }
    if user_is_root && Path::new("/etc/debian_version").exists() {
        install()?;
    }
    look().ok_or_else(|| INSTALL.to_owned())
}

fn look() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let configured = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok();
    let configured = configured.and_then(|output| String::from_utf8(output.stdout).ok());
    let configured = configured.map(|directory| PathBuf::from(directory.trim()));
    let candidates = env::split_paths(&path).chain(configured).chain(packaged());
    { candidates }.find(|directory| {
        ["initdb", "postgres", "pg_ctl"].iter().all(|program| directory.join(program).is_file())
    })
}

/// Debian's places, the newest version first.
fn packaged() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<_> =
        versions.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    versions.sort_unstable();
    versions.into_iter().rev().map(|(_, path)| path.join("bin")).collect()
}

/// Test processes may come here at the same time: apt-get itself makes one wait for the other, and installing what
/// is installed changes nothing.
fn install() -> Result<(), String> {
    let failed = |what: &str| format!("{INSTALL} (apt-get install: {what})");
    eprintln!("installing PostgreSQL for the tests: apt-get install -y postgresql");
    let run = |arguments: &[&str]| {
        Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=600"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
    };
    let mut output = run(&["install", "-y", "postgresql"]);
    if !output.as_ref().is_ok_and(|output| output.status.success()) {
        // The package lists may be missing or old.
        output = run(&["update"]).and_then(|_| run(&["install", "-y", "postgresql"]));
    }
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default())),
        Err(error) => Err(failed(&error.to_string())),
    }
}
