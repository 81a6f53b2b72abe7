//! SQL is source code: every statement is prepared on a migrated database, has its header, and uses its index.

use std::{collections::BTreeSet, fs};

use umbel_core::{
    TagQuery, Tags, document::DocumentQuery, store::LetterFilter, subscription::SubscriptionName,
    version::Place,
};
use uuid::Uuid;

use super::*;
use crate::sqlite::{
    log::Selection,
    read_models::{Statements, Walk},
    sql,
    sql::Table,
    subscriptions::Meant,
};

fn migrated() -> (TempDir, Connection) {
    let directory = directory();
    let connection = schema::open_writer(&directory.path().join("umbel.db")).unwrap();
    (directory, connection)
}

/// All whole statements with their names; those over the log's tables once for each table.
fn statements() -> Vec<(String, String)> {
    let whole = sql::ALL.iter().filter(|(_, text)| is_statement(text));
    let over = |table: Table, (name, text): &(&str, &str)| {
        (format!("{name} of {table:?}"), table.of(&sql::text(text)))
    };
    let of_both = whole.flat_map(|statement| {
        let is_both = statement.1.contains("{events}");
        Table::ALL
            .into_iter()
            .filter(move |table| is_both || *table == Table::Log)
            .map(move |table| over(table, statement))
    });
    of_both.filter(|(_, text)| !text.contains('{')).collect()
}

#[test]
fn every_statement_prepares() {
    let (_directory, connection) = migrated();
    let statements = statements();
    for (name, text) in &statements {
        connection.prepare(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let fragments =
        sql::ALL.iter().filter(|(_, text)| !is_statement(text) || sql::text(text).contains("{wanted}"));
    // Most are whole; a filter of letters is put together of a dozen fragments.
    let fragments = fragments.count();
    assert!(statements.len() > 90 && fragments < 40, "{} and {fragments}", statements.len());
}

#[test]
fn every_file_is_a_statement_with_a_header() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/sql");
    let mut files = BTreeSet::new();
    for side in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let of_side = fs::read_dir(side.path()).unwrap().map(|file| name(&file.unwrap().path()));
        files.extend(of_side.map(|file| format!("{}/{file}", name(&side.path()))));
    }
    let listed = sql::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files, listed);
    for (name, text) in sql::ALL {
        for part in ["-- Purpose: ", "\n-- Parameters: ", "\n-- Zero rows: ", "\n-- Index: "] {
            assert!(text.contains(part), "{name} does not say {part:?}");
        }
    }
}

/// Nothing that is asked for often looks at all rows; the log is only gone through in its own order.
#[test]
fn statements_use_their_indexes() {
    let (_directory, connection) = migrated();
    let exempt = |name: &str| {
        ["schema/", "verify/", "log/list_streams", "log/count_streams", "upkeep/end", "extras/oldest_work"]
            .iter()
            .any(|of| name.starts_with(of))
    };
    let query = |query: DocumentQuery| {
        let statements = Statements::of(&query, &query.collection);
        let walk = Walk::of(&query, &query.collection).map(|walk| (format!("walk of {query:?}"), walk.text));
        [(format!("page of {query:?}"), statements.page), (format!("count of {query:?}"), statements.count)]
            .into_iter()
            .chain(walk)
    };
    let all = DocumentQuery::of::<Item>;
    let queries = [
        all(),
        all().order_by("rank", Direction::Forward),
        all().order_by("rank", Direction::Backward),
        all().equal("group", "g").order_by("rank", Direction::Backward),
        all().one_of("group", ["g", "h"]).equal("tags", "t"),
        all().between("rank", Some(1), None::<i32>).equal("tags", "t").order_by("rank", Direction::Forward),
    ];
    let statements = statements().into_iter().filter(|(name, _)| !exempt(name));
    for (name, text) in statements.chain(queries.into_iter().flat_map(query)) {
        for step in query_plan(&connection, &text) {
            let is_list = ["VIRTUAL TABLE", "json_each", "CONSTANT ROW", "(subquery", "SCAN queues"]
                .iter()
                .any(|list| step.contains(list))
                // Of a page of documents, what was met on the way to its end.
                || ["met", "at_edge", "edge", "lacking", "walked", "page"]
                    .iter()
                    .any(|met| step == format!("SCAN {met}"));
            // Entries as they come, up to so many.
            let is_entry_met = name.starts_with("walk of ") && step == "SCAN d";
            // Events of a new kind are looked for only if some were written before it in this transaction, which this program does not.
            let is_kind_missed = name.starts_with("log/insert_kind ") && step == "SCAN events";
            assert!(!step.starts_with("SCAN") || is_list || is_entry_met || is_kind_missed, "{name}: {step}");
            let may_sort = !name.starts_with("log/") && !name.starts_with("extras/");
            assert!(may_sort || !step.contains("TEMP B-TREE"), "{name}: {step}");
        }
    }
}

/// The first step of each read of the log names the index that its header promises.
#[test]
fn reads_of_the_log_use_the_named_index() {
    let (_directory, connection) = migrated();
    for (name, index) in [
        ("log/read_event", "INDEX sqlite_autoindex_{events}_1 (event_id=?)"),
        ("log/find_event", "INDEX sqlite_autoindex_{events}_1 (event_id=?)"),
        ("log/read_place", "INTEGER PRIMARY KEY (rowid=?)"),
        (
            "log/read_stream_forward",
            "INDEX sqlite_autoindex_{events}_2 (stream_id=? AND version>? AND version<?)",
        ),
        (
            "log/read_stream_backward",
            "INDEX sqlite_autoindex_{events}_2 (stream_id=? AND version>? AND version<?)",
        ),
        ("log/find_tagged", "SEARCH t USING PRIMARY KEY (tag=? AND position>?)"),
        ("log/read_span", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("log/listed_forward", "PRIMARY KEY (kind_id=? AND first_position>? AND first_position<?)"),
        ("log/listed_backward", "PRIMARY KEY (kind_id=? AND first_position>? AND first_position<?)"),
        ("log/find_offsets", "PRIMARY KEY (kind_id=? AND first_position=?)"),
        ("log/find_spans_forward", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("log/find_spans_backward", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("log/find_conversation_spans_forward", "SEARCH s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("log/find_conversation_spans_backward", "SEARCH s USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("upkeep/find_kinds", "INDEX sqlite_autoindex_{events}_2 (stream_id=? AND version<?)"),
        ("log/read_all_forward", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("log/read_all_backward", "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ] {
        let (_, text) = sql::ALL.iter().find(|(file, _)| *file == name).unwrap();
        for table in Table::ALL {
            let steps = query_plan(&connection, &table.of(text));
            assert!(steps[0].contains(&table.of(index)), "{name}: {steps:?}");
        }
    }
    for direction in ["forward", "backward"] {
        let name = format!("log/list_streams_{direction}");
        let (_, text) = sql::ALL.iter().find(|(file, _)| *file == name).unwrap();
        let steps = query_plan(&connection, text);
        assert!(steps.iter().any(|step| step.contains("SEARCH streams USING INDEX")), "{steps:?}");
        let by = |name: &str| {
            let name = format!("log/list_streams_{name}_{direction}");
            let (_, text) = sql::ALL.iter().find(|(file, _)| *file == name).unwrap();
            query_plan(&connection, text)
        };
        let has = |steps: &[String], part: &str| steps.iter().any(|step| step.contains(part));
        let created = by("created");
        assert!(
            has(&created, "SEARCH streams USING INDEX streams_by_creation ((created_at,name)"),
            "{created:?}"
        );
        let deleted = by("deleted");
        let bounded = |step: &String| {
            step.starts_with("SEARCH streams USING INDEX streams_by_deletion")
                && step.contains("(deleted_at,name)")
        };
        assert!(deleted.iter().any(bounded), "{deleted:?}");
        assert!(has(&deleted, "SEARCH streams USING INDEX sqlite_autoindex_streams_1 (name"), "{deleted:?}");
        assert!(!has(&[created, deleted].concat(), "SCAN streams"));
    }
}

/// What is due comes from its index in its order; when the next will be, from that alone.
#[test]
fn due_work_uses_the_named_index() {
    let (_directory, connection) = migrated();
    for (name, index) in [
        ("extras/read_due", "outbox USING INDEX outbox_by_due (queue=? AND <expr><?)"),
        ("extras/next_due", "outbox USING COVERING INDEX outbox_by_due (queue=? AND <expr>>?)"),
    ] {
        let (_, text) = sql::ALL.iter().find(|(file, _)| *file == name).unwrap();
        let steps = query_plan(&connection, text);
        assert!(steps.len() == 1 && steps[0].contains(index), "{name}: {steps:?}");
    }
}

/// Whatever a selector asks for, candidates come in log order, in both directions and both tables: by their tags, or, where no span
/// leads to them, by going through a part of the log.
#[test]
fn selections_use_the_named_index() {
    let (_directory, mut connection) = migrated();
    let transaction = connection.transaction().unwrap();
    let insert = "INSERT INTO kinds (category, type, schema) VALUES ('s', 't', 1)";
    transaction.execute(insert, []).unwrap();
    let id = Some(Uuid::nil());
    let time = Some(NOW);
    let all = Selector::all;
    let tagged = || Selector::tagged(TagQuery::tagged(Tags::of("t", 1)));
    let many: Vec<_> = (0..300).map(|number| format!("many{number}")).collect();
    for name in &many {
        transaction
            .execute("INSERT INTO kinds (category, type, schema) VALUES ('s', ?1, 1)", [name])
            .unwrap();
    }
    let part = "INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    for (selector, index) in [
        (Selector::names(["t"]), part),
        (Selector { recorded_from: time, ..Selector::names(["t"]) }, part),
        (Selector { names: Some(["t".into()].into()), ..Selector::categories(["s"]) }, part),
        (Selector { correlation_id: id, ..all() }, part),
        (Selector { correlation_id: id, causation_id: id, ..Selector::names(["t"]) }, part),
        (Selector { causation_id: id, ..all() }, part),
        (tagged(), "SEARCH t USING PRIMARY KEY (tag=? AND position>? AND position<?)"),
        (
            Selector {
                correlation_id: id,
                recorded_from: time,
                tags: tagged().tags,
                ..Selector::names(["t"])
            },
            "SEARCH t USING PRIMARY KEY (tag=? AND position>? AND position<?)",
        ),
        (Selector { recorded_until: time, ..all() }, part),
        (Selector::names(many), part),
    ] {
        let selection = Selection::of(&transaction, &selector).unwrap().unwrap();
        for (table, direction) in Table::ALL
            .into_iter()
            .flat_map(|table| [Direction::Forward, Direction::Backward].map(|way| (table, way)))
        {
            let steps = query_plan(&transaction, &selection.sql(table, direction));
            assert!(steps[0].contains(index), "{selector:?}: {steps:?}");
            assert!(
                !steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER")),
                "{selector:?}: {steps:?}"
            );
        }
    }
}

/// Whatever a filter of dead letters asks for, they come from the index that it names, of each subscription by place, with nothing to
/// sort: a page costs what is on it, or what its index cannot tell apart.
#[test]
fn letters_use_the_named_index() {
    let (_directory, connection) = migrated();
    let (key, event, primary) =
        ("letters_by_key_text (", "letters_by_event_name (", "sqlite_autoindex_letters_1 (");
    let mut seen = BTreeSet::new();
    for bits in 0..1024_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let filter = LetterFilter {
            subscription: has(0).then(|| SubscriptionName::new("s").unwrap()),
            place: has(1).then(|| Place::new(6)),
            key: has(2).then(|| "k".into()),
            event_name: has(3).then(|| "e".into()),
            after: has(4).then(|| Place::new(2)),
            through: has(5).then(|| Place::new(9)),
            error_contains: has(6).then(|| "error".into()),
            failed: has(7).then_some(has(0)),
            asked: has(8).then_some(has(9)),
        };
        let index = match filter {
            LetterFilter { place: Some(_), .. } => primary,
            LetterFilter { key: Some(_), .. } => key,
            LetterFilter { event_name: Some(_), .. } => event,
            LetterFilter { asked: Some(true), .. } => "letters_asked (",
            LetterFilter { asked: Some(false), .. } => "letters_unasked (",
            LetterFilter { error_contains: Some(_), .. } | LetterFilter { failed: Some(true), .. } => {
                "letters_failed ("
            }
            _ => primary,
        };
        let whole = Meant::by(&filter);
        let (name, place) = (SubscriptionName::new("r").unwrap(), Place::new(3));
        for meant in [vec![whole], whole.behind(&name, place)].concat() {
            for template in [sql::LIST_LETTERS, sql::COUNT_MEANT_LETTERS] {
                let steps = query_plan(&connection, &meant.statement(template).0.replace("{limit}", "1"));
                let [of_subscriptions, of_letters] = &steps[..] else { panic!("{filter:?}: {steps:?}") };
                assert!(of_subscriptions.contains(" s USING "), "{filter:?}: {steps:?}");
                assert!(
                    of_letters.starts_with("SEARCH l") && of_letters.contains(index),
                    "{filter:?}: {steps:?}"
                );
                let is_range = filter.place.is_none() && (has(4) || has(5));
                assert!(!is_range || of_letters.contains("place"), "{filter:?}: {steps:?}");
                seen.insert(of_letters.clone());
            }
        }
    }
    assert!(seen.len() > 12, "{seen:?}");
}

fn query_plan(connection: &Connection, text: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
    let rows = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get(3)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn is_statement(text: &str) -> bool {
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "WITH"];
    verbs.iter().any(|verb| sql::text(text).starts_with(verb))
}
