//! Copies that are made of a store under load, and what runs over them.

use std::{fs, path::Path};

use serde_json::json;
use umbel_testkit::postgres::{Server, execute, program};

use super::{
    load::{FOLLOWED, Load},
    read_models::check_read_models,
};
use crate::support::{Store, Umbel};

/// Makes a copy of a store; where it is.
type Copying<'a> = &'a dyn Fn(&Umbel) -> String;

/// OP-26: given a copy that was made of the database while much was written, when an umbrella runs over it, then it is a store of one moment
/// that is no earlier than the copy's beginning: nothing is wrong with it, and the read models are the fold of its log.
#[test]
fn a_copy_made_under_load_is_a_store() {
    let server = Server::start_without_sync().unwrap();
    let mut on_postgres = Umbel::new(Store::Sqlite);
    on_postgres.set("UMBEL__STORE__URL", server.url());
    let copying: [(Umbel, Copying<'_>); 2] = [
        (Umbel::new(Store::Sqlite), &copy_file),
        (on_postgres, &|umbel| copy_database(server.url(), umbel.dir())),
    ];
    for (umbel, copy) in copying {
        let running = umbel.run();
        let load = Load::start(&running.client().register(FOLLOWED), 4);
        load.await_rounds(2);
        let known = head(&umbel);
        let url = copy(&umbel);
        load.await_rounds(4);
        drop(load.stop());
        running.kill();

        let end = head(&umbel);
        let mut restored = umbel;
        restored.set("UMBEL__STORE__URL", &url);
        assert!((known..end).contains(&head(&restored)), "{known}, {}, {end}", head(&restored));
        let verified = restored.command_output(&["store", "verify"]);
        assert_eq!((verified.code, verified.stdout.as_str()), (Some(0), "nothing is wrong\n"));
        let running = restored.run();
        check_read_models(&restored);
        let login = json!({"user": {"email": "ada@example.org", "password": "correct horse"}});
        assert_eq!(running.client().post("/api/users/login", &login).status, 200);
        running.client().register("grace").publish("After it was restored", &[]);
    }
}

#[track_caller]
fn head(umbel: &Umbel) -> u64 {
    umbel.json(&["store", "status"])[0]["head"].as_u64().unwrap()
}

fn copy_file(umbel: &Umbel) -> String {
    let [made] = &umbel.json(&["store", "backup", "copy.db"])[..] else { panic!("more than one line") };
    let copy = umbel.dir().join("copy.db");
    assert_eq!(made["bytes"], copy.metadata().unwrap().len());
    format!("sqlite:{}", copy.display())
}

/// As an administrator does, into another database of the same server.
fn copy_database(url: &str, directory: &Path) -> String {
    let dump = directory.join("dump");
    let run = |name: &str, arguments: &[&str]| {
        let output = program(name).unwrap().args(arguments).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let (file, other) = (dump.to_str().unwrap(), format!("{url}_copy"));
    run("pg_dump", &["--format=custom", "--file", file, url]);
    execute(&url.replacen("umbel@", "postgres@", 1), "CREATE DATABASE umbel_copy OWNER umbel").unwrap();
    run("pg_restore", &["--exit-on-error", "--dbname", &other, file]);
    other
}

/// OP-25: given an umbrella that runs, when a copy of its store is moved over its file, then it ends and says why; started anew, it goes on
/// with the copy.
#[test]
fn an_umbrella_whose_file_is_replaced_ends() {
    let umbel = Umbel::new(Store::Sqlite);
    let mut running = umbel.run();
    running.client().register("ada");
    copy_file(&umbel);
    let known = head(&umbel);
    running.client().register("grace");
    fs::rename(umbel.dir().join("copy.db"), umbel.dir().join("umbel.db")).unwrap();
    let exit = running.wait();
    assert_eq!(exit.code, Some(5), "{}", exit.stdout);
    assert!(exit.stdout.contains("umbel.db was replaced by another one"), "{}", exit.stdout);
    for beside in ["umbel.db-wal", "umbel.db-shm"] {
        drop(fs::remove_file(umbel.dir().join(beside)));
    }
    assert_eq!(head(&umbel), known);
    umbel.run().client().register("grace");
}

/// OP-26: a copy replaces nothing, and what cannot be copied is said: no store, what cannot be a directory, another database.
#[test]
fn what_cannot_be_copied_is_said() {
    let mut umbel = Umbel::new(Store::Sqlite);
    let copy = |umbel: &Umbel, to: &str| umbel.command_output(&["store", "backup", to]);
    let exit = copy(&umbel, "copy.db");
    assert!(exit.code == Some(1) && exit.stderr.contains("is no store"), "{exit:?}");
    assert_eq!(umbel.command_output(&["store", "init"]).code, Some(0));
    assert_eq!(copy(&umbel, "copy.db").code, Some(0));
    let exit = copy(&umbel, "copy.db");
    assert!(exit.code == Some(1) && exit.stderr.contains("copy.db is there already"), "{exit:?}");
    assert_eq!(copy(&umbel, "backups/new/other.db").code, Some(0), "folders are made");
    assert!(umbel.dir().join("backups/new/other.db").is_file());
    let exit = copy(&umbel, "copy.db/below.db");
    assert!(exit.code == Some(1) && exit.stderr.contains("copy.db/below.db cannot be written"), "{exit:?}");
    let left = umbel.dir().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let copies: Vec<_> = left.filter(|name| name.contains("copy")).collect();
    assert_eq!(copies, ["copy.db"]);
    umbel.set("UMBEL__STORE__URL", "postgres://umbel:secret@127.0.0.1:1/shop");
    let exit = copy(&umbel, "other.db");
    assert!(exit.code == Some(1) && exit.stderr.contains("such as pg_dump"), "{exit:?}");
    assert!(!exit.stderr.contains("secret"), "{exit:?}");
}
