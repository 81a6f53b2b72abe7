//! A temporary server and the shell that owns it.

use std::{
    env, fmt,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::postgres::binaries;

/// Another process may take the port between our asking for a free one and the server's start.
const PORT_TRIES: u32 = 3;

/// Leaves out the waits for the disk. What a process has written survives it anyway, in the memory of the machine; only who pulls the
/// machine's plug would see a difference, and no test does.
const WITHOUT_SYNC: &str = "-c fsync=off -c full_page_writes=off";

/// A private PostgreSQL server on a port of its own, with a temporary data directory.
///
/// A small shell process owns it and waits on a pipe that this process holds: when the pipe closes, also because
/// this process was killed, the shell stops the server and removes its files.
pub struct Server {
    url: String,
    directory: PathBuf,
    owner: Mutex<Owner>,
}

struct Owner {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// A server that says nothing, until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it lets the server go on"]
pub struct Frozen<'a>(&'a Server);

impl Server {
    /// Creates and starts a server with the default durability. Blocks until it takes connections, about a second.
    ///
    /// # Errors
    /// One line that says what is missing or what the server said.
    pub fn start() -> Result<Self, String> {
        Self::start_with("")
    }

    /// The same, but it does not wait for the disk: for tests that neither kill nor measure it, which take a quarter less with it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_without_sync() -> Result<Self, String> {
        Self::start_with(WITHOUT_SYNC)
    }

    fn start_with(options: &str) -> Result<Self, String> {
        let root = user_id("root") == Some(current_user()?);
        let programs = binaries::find(root)?;
        let mut failure = String::new();
        for _ in 0..PORT_TRIES {
            match Self::try_start(&programs, root, options) {
                Ok(server) => return Ok(server),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Where it is: a URL for any PostgreSQL client, the same after a restart. It is of a role that owns its database and may no
    /// more than that, as applications have it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same for its superuser.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url.replacen("umbel@", "postgres@", 1)
    }

    /// Where its files are while it lives.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Shuts it down in order; open connections are closed.
    ///
    /// # Errors
    /// What the server said.
    pub fn stop(&self) -> Result<(), String> {
        self.order("stop")
    }

    /// Kills it with SIGKILL, as a crash would.
    ///
    /// # Errors
    /// When it was not running.
    pub fn kill9(&self) -> Result<(), String> {
        self.order("kill9")
    }

    /// Starts it after [`Server::stop`] or [`Server::kill9`] and waits until it takes connections.
    ///
    /// # Errors
    /// What the server said.
    pub fn start_again(&self) -> Result<(), String> {
        self.order("again")
    }

    /// Stops all its processes where they are, as a machine that hangs, until what this returns is dropped, or this process ends: open
    /// connections stay open, new ones are accepted by the system, and nothing is answered.
    ///
    /// # Errors
    /// When it was not running.
    pub fn freeze(&self) -> Result<Frozen<'_>, String> {
        self.order("freeze").map(|()| Frozen(self))
    }

    fn try_start(programs: &Path, root: bool, options: &str) -> Result<Self, String> {
        let said = |what: &str, error: std::io::Error| format!("cannot start a PostgreSQL: {what}: {error}");
        let directory = tempfile::Builder::new()
            .prefix("umbel-test-postgres-")
            .tempdir()
            .map_err(|e| said("directory", e))?;
        // The shell removes it: it outlives this process.
        let directory = directory.keep();
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| said("port", error))?.port();
        let mut command = if root { as_other_user(&directory)? } else { Command::new("sh") };
        let mut shell = command
            .arg("-c")
            .arg(include_str!("supervise.sh"))
            .arg("umbel-test-postgres")
            .args([&directory, programs])
            .args([&port.to_string(), options])
            .current_dir(&directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| said("sh", error))?;
        let (Some(orders), Some(answers)) = (shell.stdin.take(), shell.stdout.take()) else {
            return Err("cannot start a PostgreSQL: no pipes to its shell".into());
        };
        let owner = Owner { shell, orders: Some(orders), answers: BufReader::new(answers) };
        let url = format!("postgres://umbel@127.0.0.1:{port}/umbel");
        let server = Self { url, directory, owner: Mutex::new(owner) };
        server.order("init")?;
        server.order("start")?;
        Ok(server)
    }

    fn order(&self, order: &str) -> Result<(), String> {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: std::io::Error| format!("the test PostgreSQL's shell is gone: {error}");
        let Some(orders) = &mut owner.orders else { return Err("the test PostgreSQL was shut down".into()) };
        writeln!(orders, "{order}").map_err(failed)?;
        let mut answer = String::new();
        owner.answers.read_line(&mut answer).map_err(failed)?;
        if answer.trim() == "ok" { Ok(()) } else { Err(format!("the test PostgreSQL: {}", answer.trim())) }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.order("thaw") {
            eprintln!("{error}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        owner.orders = None;
        if let Err(error) = owner.shell.wait() {
            eprintln!("the test PostgreSQL in {} was left behind: {error}", self.directory.display());
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("directory", &self.directory).finish()
    }
}

/// A shell as a user that is not root, as whom the server refuses to run, with the directory given to that user.
fn as_other_user(directory: &Path) -> Result<Command, String> {
    let user = ["postgres", "nobody"].into_iter().find(|user| user_id(user).is_some());
    let user = user.ok_or("PostgreSQL does not run as root, and there is no user postgres or nobody")?;
    let group = output("id", &["-g", user]).ok_or("cannot ask for a user's group: id -g")?;
    let owner = format!("{user}:{group}");
    output("chown", &[&owner, &directory.display().to_string()]).ok_or("cannot chown a directory")?;
    let open = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(directory, open).map_err(|error| error.to_string())?;
    let exists = |program: &str| {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).any(|directory| directory.join(program).is_file())
    };
    if exists("setpriv") {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--", "sh"]);
        Ok(command)
    } else if exists("runuser") {
        let mut command = Command::new("runuser");
        command.args(["-u", user, "--", "sh"]);
        Ok(command)
    } else {
        Err("PostgreSQL does not run as root, and there is neither setpriv nor runuser to become another user".into())
    }
}

fn current_user() -> Result<u32, String> {
    output("id", &["-u"])
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| "cannot ask who I am: id -u".to_owned())
}

fn user_id(user: &str) -> Option<u32> {
    output("id", &["-u", user]).and_then(|id| id.parse().ok())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
