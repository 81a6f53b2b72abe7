//! A file that is taken away under a store that is open.

use std::fs;

use super::*;
use crate::{StoreSettings, adapter::Exchanged, sqlite::admin::backup, went_back};

/// OP-25, SQLite's part: a file that was removed, replaced or emptied is told from the one that was opened, also by who only looks; what
/// was not done to it tells nothing.
#[tokio::test]
async fn a_file_that_is_not_the_one_that_was_opened_tells() {
    let (directory, events) = (directory(), Events::default());
    let path = directory.path().join("data/umbel.db");
    let away = directory.path().join("away.db");
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.exchanged().await, None, "nothing was written to it yet");
    append(&store, events.append("s", NoStream, 1)).await.unwrap();
    let looking = Sqlite::open_existing(&path).unwrap();
    raw(&path).execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    assert_eq!((store.exchanged().await, looking.exchanged().await), (None, None));

    let told: Arc<Path> = path.clone().into();
    fs::rename(&path, &away).unwrap();
    let gone = Some(Exchanged::Gone(told.clone()));
    assert_eq!((store.exchanged().await, looking.exchanged().await), (gone.clone(), gone));
    fs::copy(&away, &path).unwrap();
    assert_eq!(store.exchanged().await, Some(Exchanged::Another(told.clone())));
    fs::rename(&away, &path).unwrap();
    assert_eq!(store.exchanged().await, None, "it is back");
    fs::File::create(&path).unwrap();
    assert_eq!(store.exchanged().await, Some(Exchanged::Emptied(told.clone())));
    fs::remove_dir_all(directory.path().join("data")).unwrap();
    assert_eq!(store.exchanged().await, Some(Exchanged::Gone(told)));
}

/// OP-25: given a process that runs over a file, when the file is removed, replaced by a copy, or emptied, then the process ends and says
/// why.
#[test]
fn a_process_whose_file_is_exchanged_ends() {
    assert_ends(|path| fs::remove_dir_all(path.parent().unwrap()).unwrap(), "umbel.db is gone");
    let replace = |path: &Path| {
        let copy = path.with_extension("copy");
        backup(path, &copy).unwrap();
        fs::rename(&copy, path).unwrap();
    };
    assert_ends(replace, "umbel.db was replaced by another one");
    assert_ends(|path| drop(fs::File::create(path).unwrap()), "umbel.db was emptied");
}

/// Of a process over a file in a directory of its own, while this is done to it.
fn assert_ends(exchange: impl FnOnce(&Path) + Send + 'static, why: &str) {
    let directory = directory();
    let path = directory.path().join("data/umbel.db");
    let settings = StoreSettings { url: format!("sqlite:{}", path.display()), ..StoreSettings::default() };
    went_back::tests::assert_ends(settings, move || exchange(&path), why);
}
