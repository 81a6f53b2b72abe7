//! Settings as they reach a tool, whichever way.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
};

use serde_json::Value;

use crate::support::{Store, Umbel};

/// OP-08: a setting means the same in a file, in the environment and as a flag; one that was not said has its default.
#[test]
fn a_setting_means_the_same_wherever_it_stands() {
    let mut umbel = Umbel::new(Store::Sqlite);
    umbel.unset("UMBEL__STORE__URL");
    let url = format!("sqlite:{}", umbel.dir().join("here.db").display());
    let flag = format!("store.url={url}");
    umbel.json(&["store", "init", "--set", &flag]);
    let status = |umbel: &Umbel, arguments: &[&str]| {
        let mut found = umbel.json(&[&["store", "status"], arguments].concat());
        // How much of its journal is left depends on how soon the tool before closed it.
        found
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|status| drop(status.remove("size_bytes")));
        found
    };
    let by_flag = status(&umbel, &["--set", &flag]);

    umbel.set("UMBEL__STORE__URL", &url);
    assert_eq!(status(&umbel, &[]), by_flag, "a variable");
    umbel.unset("UMBEL__STORE__URL");

    fs::create_dir(umbel.dir().join("config")).unwrap();
    let file = umbel.dir().join("config/test.toml");
    fs::write(&file, format!("[store]\nurl = \"{url}\"\n")).unwrap();
    assert_eq!(status(&umbel, &[]), by_flag, "a file");
    let relative = umbel.command_output(&["store", "status", "--set", "store.url=sqlite:here.db", "--json"]);
    assert_eq!(relative.code, Some(0), "the last word has the flag: {relative:?}");
}

/// OP-08: the keys of a PostgreSQL address are part of the settings: what is unknown is refused before anything is tried.
#[test]
fn an_unknown_key_of_an_address_is_refused() {
    let mut umbel = Umbel::new(Store::Sqlite);
    for (url, part) in [
        ("postgres://ada:s3cret@127.0.0.1:1/d?pool_size=3", "pool_size"),
        ("postgres://ada:s3cret@127.0.0.1:1/d?sslmode=maybe", "sslmode"),
        ("mysql://ada:s3cret@127.0.0.1/d", "mysql"),
        ("postgres://ada:p@s3cret@127.0.0.1:1/d", "%40"),
    ] {
        umbel.set("UMBEL__STORE__URL", url);
        let by_variable = umbel.command_output(&["store", "status"]);
        umbel.unset("UMBEL__STORE__URL");
        let by_flag = umbel.command_output(&["store", "status", "--set", &format!("store.url={url}")]);
        for exit in [by_variable, by_flag] {
            assert_eq!(exit.code, Some(3), "{exit:?}");
            assert!(exit.stderr.contains(part) && exit.stderr.contains("store.url"), "{exit:?}");
            assert!(!exit.stderr.contains("s3cret"), "{exit:?}");
        }
    }
}

/// A server that wants a password which the address has not: it is said where that belongs.
#[test]
fn a_missing_password_is_told_with_its_place() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada@{}/shop?sslmode=disable", server.local_addr().unwrap());
    // Whoever comes is asked for a password in clear text.
    std::thread::spawn(move || {
        for mut guest in server.incoming().flatten() {
            let mut start = [0; 512];
            let asked = guest.read(&mut start).and_then(|_| guest.write_all(b"R\0\0\0\x08\0\0\0\x03"));
            // Until it has gone.
            drop(asked.and_then(|()| guest.read(&mut start)));
        }
    });
    let umbel = Umbel::new(Store::Sqlite);
    let exit = umbel.command_output(&["store", "status", "--set", &format!("store.url={url}")]);
    assert_eq!(exit.code, Some(4), "{exit:?}");
    assert!(exit.stderr.contains("password missing; the server wants one"), "{exit:?}");
    assert!(exit.stderr.contains("postgres://USER:PASSWORD@HOST/DATABASE"), "{exit:?}");
}

/// Whatever a command tells of the place it works on, a password is not in it, wherever the address has it.
#[test]
fn no_command_tells_a_password() {
    let umbel = Umbel::new(Store::Sqlite);
    for url in ["postgres://ada:s3cret@127.0.0.1:1/d", "postgres://ada@127.0.0.1:1/d?password=s3cret"] {
        let flag = format!("store.url={url}");
        for (command, code) in [
            (&["store", "drop"][..], 4),
            (&["store", "drop", "--yes"], 4),
            (&["store", "init"], 4),
            (&["store", "status"], 4),
            (&["store", "verify"], 4),
            (&["tenants", "list"], 4),
            (&["tenants", "drop", "acme", "--yes"], 4),
            (&["events", "tail"], 4),
        ] {
            let exit = umbel.command_output(&[command, &["--set", &flag]].concat());
            assert_eq!(exit.code, Some(code), "{command:?}: {exit:?}");
            assert!(
                exit.stderr.contains("127.0.0.1:1") || command.contains(&"acme"),
                "{command:?}: {exit:?}"
            );
            assert!(!format!("{exit:?}").contains("s3cret"), "{command:?}: {exit:?}");
        }
    }
}
