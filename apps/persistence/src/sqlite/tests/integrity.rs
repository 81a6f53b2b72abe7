//! Verifying a file that is destroyed in places, or whose rows are not those that its indexes lead to.

use std::{fs, os::unix::fs::FileExt, path::PathBuf};

use umbel_core::store::{Finding, Rule};

use super::{
    verify::{damage, populated},
    *,
};

/// A page with rows of each table and index: its name, its table's, and where in the file it is.
fn pages(path: &Path) -> Vec<(String, String, i64, i64)> {
    let file = raw(path);
    let sql = "SELECT d.name, s.tbl_name, d.pgoffset, d.pgsize FROM dbstat AS d JOIN sqlite_schema AS s ON s.name = d.name
               WHERE d.pagetype = 'leaf' AND d.ncell > 0 GROUP BY d.name HAVING d.pageno = max(d.pageno) ORDER BY d.name";
    let mut statement = file.prepare(sql).unwrap();
    let page = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    statement.query_map([], page).unwrap().map(Result::unwrap).collect()
}

async fn verified(path: &Path) -> Result<Vec<Finding>, StoreError> {
    Sqlite::open_existing(path)?.verify().await
}

/// OP-28: given a file of which a page of some table or index is destroyed, when it is verified, then that is found, whatever else cannot be
/// read because of it.
#[tokio::test]
async fn a_destroyed_page_is_found_wherever_it_is() {
    let (directory, sound) = populated().await;
    damage(
        &sound,
        "INSERT INTO outbox VALUES (1, zeroblob(16), 'q', '1', 5, 0);
         INSERT INTO notices VALUES (zeroblob(16), 't', zeroblob(16), NULL, NULL, 0, 9, '1');
         INSERT INTO claims VALUES ('s', 'v', 'o');
         INSERT INTO subject_keys VALUES ('ada', zeroblob(32), 0, NULL);
         INSERT INTO past_epochs VALUES ('gone', 1, 'gone');
         INSERT INTO lost_boxes VALUES (99)",
    );
    raw(&sound).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    assert_eq!(verified(&sound).await, Ok(vec![]));
    let pages = pages(&sound);
    assert!(pages.len() > 40, "{pages:?}");
    for (name, table, at, size) in pages {
        let path = directory.path().join(format!("{name}.db"));
        fs::copy(&sound, &path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&vec![0; size.try_into().unwrap()], at.try_into().unwrap()).unwrap();
        drop(file);
        let findings = verified(&path).await;
        fs::remove_file(&path).unwrap();
        // Without what tells the version of the file it does not even open.
        if table == "schema_migrations" {
            assert!(matches!(findings, Err(StoreError::Corrupt { .. })), "{findings:?}");
            continue;
        }
        let findings = findings.unwrap_or_else(|error| panic!("{name}: {error}"));
        let told = format!("table {table} is damaged: ");
        let is_told = |finding: &Finding| finding.rule == Rule::Integrity && finding.what.starts_with(&told);
        assert!(findings.iter().any(is_told), "{name}: {findings:#?}");
    }
}

/// Changes rows of events behind the back of their unique indexes, which stay as they were.
fn change_behind_indexes(path: &Path, sql: &str) {
    let file = raw(path);
    let definition = |file: &Connection| -> String {
        file.query_row("SELECT sql FROM sqlite_schema WHERE name = 'events'", [], |row| row.get(0)).unwrap()
    };
    let sound = definition(&file);
    let bare = sound.replace("NOT NULL UNIQUE", "NOT NULL").replace("UNIQUE (stream_id, version),", "");
    assert!(!bare.contains("UNIQUE"), "{bare}");
    let put = |file: &Connection, sql: &str| {
        file.execute("UPDATE sqlite_schema SET sql = ?1 WHERE name = 'events'", [sql]).unwrap();
    };
    file.execute_batch(
        "PRAGMA writable_schema = ON;
         CREATE TABLE aside AS SELECT * FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'events';
         DELETE FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'events'",
    )
    .unwrap();
    put(&file, &bare);
    drop(file);
    damage(path, sql);
    let file = raw(path);
    file.execute_batch("PRAGMA writable_schema = ON").unwrap();
    put(&file, &sound);
    let back = "INSERT INTO sqlite_schema SELECT * FROM aside";
    assert_eq!(file.execute(back, []).unwrap(), 2);
    drop(file);
    raw(path).execute_batch("DROP TABLE aside").unwrap();
}

/// The other rules read by unique indexes, which say that all is well.
#[tokio::test]
async fn rows_that_are_not_those_of_their_indexes_are_found() {
    let (directory, sound) = populated().await;
    raw(&sound).pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    let of =
        |column: &str, position: i64| format!("(SELECT {column} FROM events WHERE position = {position})");
    for (number, (sql, index)) in [
        (format!("UPDATE events SET event_id = {} WHERE position = 6000", of("event_id", 5999)), 1),
        ("UPDATE events SET event_id = randomblob(16) WHERE position = 6000".to_owned(), 1),
        ("UPDATE events SET stream_id = (SELECT stream_id FROM streams WHERE name = 'a-1') WHERE position = 6000".to_owned(), 2),
        ("UPDATE events SET version = 1 WHERE position = 6000".to_owned(), 2),
    ]
    .into_iter()
    .enumerate()
    {
        let path: PathBuf = directory.path().join(format!("{number}.db"));
        fs::copy(&sound, &path).unwrap();
        change_behind_indexes(&path, &sql);
        let findings = verified(&path).await.unwrap();
        let told = format!("missing from index sqlite_autoindex_events_{index}");
        let is_told = |finding: &Finding| {
            finding.rule == Rule::Integrity
                && finding.what.starts_with("table events is damaged: ")
                && finding.what.contains(&told)
        };
        assert!(findings.iter().any(is_told), "{sql}: {findings:#?}");
        assert!(findings.iter().all(|finding| finding.rule != Rule::Schema), "{sql}: {findings:#?}");
    }
}
