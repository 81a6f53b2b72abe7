//! Layers, unknown keys, and what an error says.

use std::path::Path;

use serde::Deserialize;
use tempfile::TempDir;

use crate::{LoadOptions, Settings, SettingsError};

#[derive(Debug, Deserialize, PartialEq)]
struct Store {
    url: String,
    max_connections: u16,
}

fn config_dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn options(dir: &TempDir) -> LoadOptions {
    LoadOptions { dir: Some(dir.path().to_owned()), ..LoadOptions::default() }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_vars(dir: &TempDir, vars: &[(&str, &str)]) -> LoadOptions {
    LoadOptions { vars: pairs(vars), ..options(dir) }
}

fn error(options: &LoadOptions) -> String {
    Settings::load(options).unwrap_err().to_string()
}

fn path(dir: &TempDir, file: &str) -> String {
    dir.path().join(file).display().to_string()
}

fn connections(options: &LoadOptions) -> (u16, String) {
    let settings = Settings::load(options).unwrap();
    let origin = settings.origin("store.max_connections").unwrap().to_owned();
    (settings.section::<Store>("store").unwrap().max_connections, origin)
}

#[test]
fn each_layer_wins_over_the_ones_before() {
    let empty = config_dir(&[]);
    assert_eq!(connections(&options(&empty)), (8, "built-in default.toml".to_owned()));

    let default = "[store]\nmax_connections = 1";
    let dir = config_dir(&[("default.toml", default)]);
    assert_eq!(connections(&options(&dir)), (1, path(&dir, "default.toml")));

    let dir = config_dir(&[("default.toml", default), ("development.toml", "[store]\nmax_connections = 2")]);
    assert_eq!(connections(&options(&dir)), (2, path(&dir, "development.toml")));

    let var = ("UMBEL__STORE__MAX_CONNECTIONS", "3");
    let mut options = with_vars(&dir, &[var, ("HOME", "/nowhere"), ("UMBEL_SOMETHING_ELSE", "1")]);
    assert_eq!(connections(&options), (3, "variable UMBEL__STORE__MAX_CONNECTIONS".to_owned()));

    options.overrides = pairs(&[("store.max_connections", "4"), ("store.max_connections", "5")]);
    assert_eq!(connections(&options), (5, "the command line".to_owned()));
}

#[test]
fn the_environment_is_named_by_option_or_variable_and_is_development_otherwise() {
    let dir = config_dir(&[("staging.toml", "[store]\nmax_connections = 70")]);
    assert_eq!(Settings::load(&options(&dir)).unwrap().environment().name, "development");

    let mut options = with_vars(&dir, &[("UMBEL_ENV", "staging")]);
    assert_eq!(connections(&options), (70, path(&dir, "staging.toml")));

    options.environment = Some("test".to_owned());
    let settings = Settings::load(&options).unwrap();
    assert_eq!(settings.environment().name, "test");
    assert_eq!(settings.section::<Store>("store").unwrap().url, "memory:", "built in");
}

#[test]
fn an_environment_that_nobody_described_is_refused() {
    let dir = config_dir(&[]);
    let expected = format!(
        "unknown environment `prodution`: there is no prodution.toml in {}; did you mean `production`?",
        dir.path().display()
    );
    assert_eq!(error(&with_vars(&dir, &[("UMBEL_ENV", "prodution")])), expected);
    for name in ["../development", "default"] {
        let options = LoadOptions { environment: Some(name.to_owned()), ..options(&dir) };
        assert!(matches!(Settings::load(&options), Err(SettingsError::UnknownEnvironment { .. })), "{name}");
    }
}

#[test]
fn the_directory_may_be_missing_unless_it_was_asked_for() {
    assert!(!Path::new("config").exists(), "tests run in the crate's directory, which has none");
    assert_eq!(connections(&LoadOptions::default()), (8, "built-in default.toml".to_owned()));

    let vars = pairs(&[("UMBEL_CONFIG_DIR", "/no/such")]);
    assert_eq!(
        error(&LoadOptions { vars, ..LoadOptions::default() }),
        "the config directory /no/such (variable UMBEL_CONFIG_DIR) does not exist"
    );
}

#[test]
fn an_unknown_key_is_refused_wherever_it_is_with_the_nearest_known_one() {
    let dir = config_dir(&[("development.toml", "[store]\nmax_conections = 2")]);
    assert_eq!(
        error(&options(&dir)),
        format!(
            "unknown key `store.max_conections` in {}; did you mean `store.max_connections`?",
            path(&dir, "development.toml")
        )
    );

    let dir = config_dir(&[]);
    assert_eq!(
        error(&with_vars(&dir, &[("UMBEL__STORE__ULR", "memory:")])),
        "unknown key `store.ulr` in variable UMBEL__STORE__ULR; did you mean `store.url`?"
    );
    let with = |key| LoadOptions { overrides: pairs(&[(key, "1")]), ..options(&dir) };
    assert_eq!(
        error(&with("level")),
        "unknown key `level` in the command line; did you mean `telemetry.level`?"
    );
    assert_eq!(
        error(&with("nothing.like.it.at_all")),
        "unknown key `nothing.like.it.at_all` in the command line; this program has no section [nothing]: it may be older than its \
         settings, as after `umbel new app`; build it again"
    );
}

/// OP-08: a program that was built before a section was added says that it may be older.
#[test]
fn a_section_that_is_unknown_as_a_whole_may_be_newer_than_the_program() {
    let dir = config_dir(&[("default.toml", "[shelf]\nlisted_max = 100")]);
    let error = error(&options(&dir));
    let key = format!("unknown key `shelf.listed_max` in {}", path(&dir, "default.toml"));
    assert!(error.starts_with(&key) && error.contains("no section [shelf]"), "{error}");
    assert!(error.contains("build it again"), "{error}");
}

#[test]
fn a_wrong_type_is_refused_with_its_key_and_place() {
    let dir = config_dir(&[("development.toml", "[store]\nmax_connections = \"8\"")]);
    let file = path(&dir, "development.toml");
    assert_eq!(
        error(&options(&dir)),
        format!("`store.max_connections` in {file} must be an integer, but is a text")
    );
    let dir = config_dir(&[]);
    assert_eq!(
        error(&with_vars(&dir, &[("UMBEL__STORE__MAX_CONNECTIONS", "many")])),
        "`store.max_connections` in variable UMBEL__STORE__MAX_CONNECTIONS must be an integer, but is \"many\""
    );
}

#[test]
fn a_value_out_of_its_range_is_refused_with_its_key_and_place() {
    for (value, found) in [(-1, "-1"), (70_000, "70000")] {
        let dir = config_dir(&[("development.toml", &format!("[store]\nmax_connections = {value}"))]);
        let error =
            Settings::load(&options(&dir)).unwrap().section::<Store>("store").unwrap_err().to_string();
        let file = path(&dir, "development.toml");
        assert!(error.starts_with(&format!("`store.max_connections` in {file} is not valid: ")), "{error}");
        assert!(error.contains(found), "{error}");
    }
}

/// OP-08: of a choice the words are told, whoever declares it; also of one that may be missing.
#[test]
fn a_word_that_is_no_choice_is_refused_with_the_words_there_are() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Auto,
        OneForAll,
    }
    #[derive(Debug, Deserialize)]
    struct Plain {
        format: Choice,
    }
    #[derive(Debug, Deserialize)]
    struct Wrapped {
        format: Option<Box<Choice>>,
    }

    let dir = config_dir(&[]);
    let with = |word| {
        let overrides = pairs(&[("telemetry.format", word)]);
        Settings::load(&LoadOptions { overrides, ..options(&dir) }).unwrap()
    };
    let expected = "`telemetry.format` in the command line is not valid: it must be one of auto, one_for_all, but is \"xml\"";
    assert_eq!(with("xml").section::<Plain>("telemetry").unwrap_err().to_string(), expected);
    assert_eq!(with("xml").section::<Wrapped>("telemetry").unwrap_err().to_string(), expected);
    assert!(matches!(with("one_for_all").section("telemetry"), Ok(Plain { format: Choice::OneForAll })));
    let wrapped: Wrapped = with("auto").section("telemetry").unwrap();
    assert!(matches!(wrapped.format.as_deref(), Some(Choice::Auto)));
}

#[test]
fn a_section_that_does_not_fit_as_a_whole_says_which_keys_were_set() {
    #[derive(Debug, Deserialize)]
    #[serde(try_from = "Store")]
    struct Picky;

    impl TryFrom<Store> for Picky {
        type Error = String;

        fn try_from(store: Store) -> Result<Self, String> {
            Err(format!("{} connections are too few", store.max_connections))
        }
    }

    let dir = config_dir(&[]);
    let settings = Settings::load(&with_vars(&dir, &[("UMBEL__STORE__MAX_CONNECTIONS", "1")])).unwrap();
    assert_eq!(
        settings.section::<Picky>("store").unwrap_err().to_string(),
        "section [store] is not valid: 1 connections are too few \
         (set: max_connections in variable UMBEL__STORE__MAX_CONNECTIONS)"
    );
}

#[test]
fn malformed_toml_is_refused_with_file_and_line() {
    let dir = config_dir(&[("development.toml", "[store]\nurl = \"a\"\nmax_connections = = 2\n")]);
    let error = error(&options(&dir));
    let file = path(&dir, "development.toml");
    assert!(error.starts_with(&format!("{file} is not valid TOML: ")), "{error}");
    assert!(error.contains("line 3"), "{error}");
}

#[test]
fn what_is_described_has_origins_and_no_secrets() {
    let dir = config_dir(&[]);
    let options = with_vars(
        &dir,
        &[
            ("UMBEL__GATEWAY__JWT_SECRET", "hush"),
            ("UMBEL__STORE__URL", "postgres://umbel:hush@db:5432/umbel?sslmode=require&password=hush"),
        ],
    );
    let described = Settings::load(&options).unwrap().describe();
    let line = |key: &str| described.iter().find(|line| line.key == key).unwrap().to_string();
    assert!(!described.iter().any(|line| line.to_string().contains("hush")));
    assert_eq!(line("gateway.jwt_secret"), "gateway.jwt_secret = ***  # variable UMBEL__GATEWAY__JWT_SECRET");
    assert_eq!(
        line("store.url"),
        "store.url = \"postgres://umbel:***@db:5432/umbel?sslmode=require&password=***\"  \
         # variable UMBEL__STORE__URL"
    );
    assert_eq!(line("store.max_connections"), "store.max_connections = 8  # built-in default.toml");
}

/// Whatever is built in must load, or every binary would fail.
#[test]
fn the_built_in_environments_are_sound() {
    for name in ["development", "test", "production"] {
        let options = LoadOptions { environment: Some(name.to_owned()), ..LoadOptions::default() };
        Settings::load(&options).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// In production a secret is never made up.
#[test]
fn production_has_no_secret_of_its_own() {
    #[derive(Deserialize)]
    struct Gateway {
        jwt_secret: String,
        jwt_secret_file: String,
    }
    let options = LoadOptions { environment: Some("production".to_owned()), ..LoadOptions::default() };
    let gateway: Gateway = Settings::load(&options).unwrap().section("gateway").unwrap();
    assert_eq!((gateway.jwt_secret.as_str(), gateway.jwt_secret_file.as_str()), ("", ""));
}

#[test]
fn a_variable_that_is_nearly_right_is_refused() {
    let load = |name: &str| {
        let vars = vec![(name.to_owned(), "memory:".to_owned())];
        Settings::load(&LoadOptions { vars, ..LoadOptions::default() })
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for name in ["UMBEL_STORE_URL", "umbel__store__url", "UMBEL__STORE_URL"] {
        assert!(load(name).unwrap_err().contains("UMBEL__STORE__URL"), "{name}");
    }
    // Somebody else's.
    for name in ["UMBEL_SERVICE_HOST", "UMBEL_PORT_4000_TCP", "STORE_URL"] {
        assert_eq!(load(name), Ok(()), "{name}");
    }
}
