//! The socket as a file: where it is, whether somebody is behind it, how it is taken and given back.

use std::{
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};

/// Stands in a file's name for the number of the process, so that several have sockets in one folder.
const PID: &str = "{pid}";

/// Where the sockets of this setting are: one for each process when the name has `{pid}` in it, else one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
    /// The file's name up to the process's number, and after it; without one, all of it.
    name: (String, Option<String>),
}

/// A socket that this process listens on. Its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    path: PathBuf,
    listener: UnixListener,
    /// Device and number of the file: whether it is still ours.
    file: (u64, u64),
}

/// What is found where a socket would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// The socket of a process that has ended without removing it, as by kill -9.
    Stale,
    /// Somebody listens.
    Live,
    /// A file of another kind.
    Other,
}

impl Place {
    /// From the setting `control.socket`; `None` when it is empty.
    ///
    /// # Errors
    /// When it names no file, or `{pid}` is not just once in the file's name.
    pub fn parse(setting: &str) -> Result<Option<Self>> {
        if setting.is_empty() {
            return Ok(None);
        }
        let path = Path::new(setting);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("control.socket = {setting:?} names no file");
        };
        let name = name.to_string_lossy();
        let name = match *name.split(PID).collect::<Vec<_>>() {
            [name] => (name.to_owned(), None),
            [before, after] => (before.to_owned(), Some(after.to_owned())),
            _ => bail!("control.socket = {setting:?} has {PID} more than once"),
        };
        if folder.to_string_lossy().contains(PID) {
            bail!("control.socket = {setting:?} has {PID} in a folder's name; it belongs into the file's");
        }
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
        Ok(Some(Self { folder, name }))
    }

    /// Where this process listens.
    fn of_this_process(&self) -> PathBuf {
        let (before, after) = &self.name;
        match after {
            Some(after) => self.folder.join(format!("{before}{}{after}", process::id())),
            None => self.folder.join(before),
        }
    }

    /// The sockets there are, live and stale ones, in the order of their names.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn sockets(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_socket() && self.has(&entry.file_name().to_string_lossy()) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Whether a file of this name would be one of its sockets.
    fn has(&self, name: &str) -> bool {
        let (before, after) = &self.name;
        let Some(after) = after else { return name == before };
        let number = name.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Begins to listen, and removes what processes that were killed have left.
    ///
    /// # Errors
    /// When another process listens there, something else than a socket is there, or the folder cannot be written.
    pub(crate) fn claim(&self) -> Result<Endpoint> {
        let path = self.of_this_process();
        let told = || format!("cannot listen on {}, named by control.socket", path.display());
        fs::create_dir_all(&self.folder).with_context(told)?;
        // Between looking and taking nobody else may take it. Held for a moment only, whoever holds it.
        let folder = File::open(&self.folder).with_context(told)?;
        flock(&folder, FlockOperation::LockExclusive).with_context(told)?;
        for left in self.sockets().with_context(told)? {
            if look(&left) == Found::Stale {
                fs::remove_file(&left).with_context(told)?;
            }
        }
        match look(&path) {
            Found::Nothing | Found::Stale => {}
            Found::Live => bail!(
                "{}: another process serves it; set control.socket (variable UMBEL__CONTROL__SOCKET) to a place of its own, or \
                 with {PID} in its name",
                told()
            ),
            Found::Other => bail!("{}: there is a file that is no socket; remove it, or set another", told()),
        }
        let listener = UnixListener::bind(&path).with_context(told)?;
        // Until this is done others may have connected; the server asks who they are.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).with_context(told)?;
        let file = identity(&path).with_context(told)?;
        Ok(Endpoint { path, listener, file })
    }
}

impl Endpoint {
    /// Another handle to the socket, for one incarnation of the server.
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            // Should it stay, the next process finds it stale.
            drop(fs::remove_file(&self.path));
        }
    }
}

fn look(path: &Path) -> Found {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Found::Nothing,
        Ok(file) if file.file_type().is_socket() => {}
        _ => return Found::Other,
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Found::Stale,
        Err(error) if error.kind() == ErrorKind::NotFound => Found::Nothing,
        // Any other error tells of somebody who is busy, or of another user.
        _ => Found::Live,
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path, name: &str) -> Place {
        Place::parse(folder.join(name).to_str().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn a_setting_names_one_socket_or_one_for_each_process() {
        assert_eq!(Place::parse("").unwrap(), None);
        for wrong in ["/", "a/..", "run/{pid}-{pid}.sock", "{pid}/umbel.sock"] {
            assert!(Place::parse(wrong).unwrap_err().to_string().contains("control.socket"), "{wrong}");
        }
        let fixed = Place::parse("umbel.sock").unwrap().unwrap();
        assert_eq!(fixed.of_this_process(), Path::new("./umbel.sock"));
        assert!(fixed.has("umbel.sock") && !fixed.has("umbel-1.sock"));
        let each = Place::parse("run/umbel-{pid}.sock").unwrap().unwrap();
        assert_eq!(each.of_this_process(), Path::new(&format!("run/umbel-{}.sock", process::id())));
        assert!(each.has("umbel-17.sock"));
        for other in ["umbel-.sock", "umbel-1a.sock", "umbel-1.sock.new", "umbel.sock", "xumbel-1.sock"] {
            assert!(!each.has(other), "{other}");
        }
    }

    #[test]
    fn a_live_socket_is_not_taken_and_a_stale_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path(), "umbel.sock");
        let held = place.claim().unwrap();
        assert_eq!(fs::metadata(held.path()).unwrap().permissions().mode() & 0o777, 0o600);
        let refused = format!("{:#}", place.claim().unwrap_err());
        assert!(refused.contains("another process serves it") && refused.contains("umbel.sock"), "{refused}");
        assert!(UnixStream::connect(held.path()).is_ok(), "it was left alone");

        // As after kill -9: the file stays, nobody listens.
        let path = held.path().to_owned();
        let stays = fs::hard_link(&path, folder.path().join("kept"));
        stays.and_then(|()| fs::remove_file(&path)).unwrap();
        drop(held);
        fs::rename(folder.path().join("kept"), &path).unwrap();
        assert_eq!(look(&path), Found::Stale);
        let held = place.claim().unwrap();
        assert_eq!(look(&path), Found::Live);
        drop(held);
        assert_eq!(look(&path), Found::Nothing, "an end in order leaves no file");
    }

    #[test]
    fn what_others_left_is_removed_and_what_is_theirs_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (stale, live) = (folder.path().join("umbel-1.sock"), folder.path().join("umbel-2.sock"));
        drop(UnixListener::bind(&stale).unwrap());
        let _live = UnixListener::bind(&live).unwrap();
        fs::write(folder.path().join("umbel-3.sock"), "no socket").unwrap();
        let place = place(folder.path(), "umbel-{pid}.sock");
        assert_eq!(place.sockets().unwrap(), [stale, live.clone()]);
        let own = place.claim().unwrap();
        let mut expected = [live, own.path().to_owned()];
        expected.sort();
        assert_eq!(place.sockets().unwrap(), expected);
        assert!(folder.path().join("umbel-3.sock").exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("umbel.sock");
        fs::write(&path, "precious").unwrap();
        let refused = format!("{:#}", place(folder.path(), "umbel.sock").claim().unwrap_err());
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(fs::read_to_string(path).unwrap(), "precious");
    }
}
