//! What the schema is made of: as the migrations list it, and what is told when somebody has changed it.

use umbel_core::{
    ExpectedVersion,
    store::{Finding, Rule},
};

use super::{
    support::{adapter, append, client, schema, to},
    verify::found,
};
use crate::postgres::sql::Schema;

/// `migrations/objects.txt` has what the migrations make. With `UMBEL_WRITE_OBJECTS=1` it is written anew.
#[tokio::test]
async fn the_objects_are_those_that_are_listed() {
    let schema = schema();
    adapter(&schema).await;
    let statement = Schema::new(schema.name()).unwrap().render(include_str!("../sql/verify_objects.sql"));
    let rows = client(schema.url()).await.query(&statement, &[]).await.unwrap();
    let objects: Vec<String> = rows.iter().map(|row| row.get("object")).collect();
    if std::env::var_os("UMBEL_WRITE_OBJECTS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/migrations/objects.txt");
        std::fs::write(file, objects.join("\n") + "\n").unwrap();
    }
    let wanted = include_str!("../migrations/objects.txt");
    assert_eq!(wanted.lines().collect::<Vec<_>>(), objects);
}

/// OP-27: given a schema that somebody has changed, when the store is verified, then what is missing, another one or not the store's is named.
#[tokio::test]
async fn a_changed_schema_is_found() {
    for (change, told) in [
        (
            "DROP INDEX {}.streams_by_creation",
            "index streams_by_creation is missing: btree of streams (created_at, name)",
        ),
        (
            "DROP INDEX {}.letters_due; CREATE INDEX letters_due ON {}.letters (box, partition, place) WHERE head",
            "index letters_due is another one: btree of letters (box, partition, place) where (head AND (retry OR (error IS NULL))); \
             here it is: btree of letters (box, partition, place) where head",
        ),
        (
            "ALTER TABLE {}.subject_keys DROP CONSTRAINT subject_keys_key_check;
            ALTER TABLE {}.subject_keys ADD CONSTRAINT subject_keys_key_check CHECK (octet_length(key) < 99) NOT VALID",
            "constraint subject_keys_key_check is another one: check of subject_keys that (octet_length(key) = 32); \
             here it is: check of subject_keys that (octet_length(key) < 99), not valid",
        ),
        (
            "DROP TRIGGER events_never_change ON {}.events",
            "trigger events_never_change on events is missing: by refuse_change",
        ),
        (
            "ALTER TABLE {}.events DISABLE TRIGGER events_never_change",
            "trigger events_never_change on events is another one: by refuse_change; here it is: by refuse_change, disabled",
        ),
        ("ALTER TABLE {}.snapshots RENAME TO elsewhere", "column snapshots.data is missing"),
        (
            "ALTER TABLE {}.streams ALTER name DROP NOT NULL",
            "column streams.name is another one: text not null; here it is: text",
        ),
        (
            "CREATE OR REPLACE FUNCTION {}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function refuse_change() is another one",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON {}.outbox EXECUTE FUNCTION {}.refuse_change()",
            "trigger mine on outbox: by refuse_change, is not the store's",
        ),
    ] {
        let schema = schema();
        let store = adapter(&schema).await;
        append(&store, to("s", ExpectedVersion::Any)).await.unwrap();
        client(schema.url()).await.batch_execute(&change.replace("{}", schema.name())).await.unwrap();
        let findings = found(&store, 2).await;
        let cannot_be_read = |finding: &Finding| finding.what.contains("this cannot be looked at: ");
        assert_eq!(
            change.contains("snapshots"),
            findings.iter().any(cannot_be_read),
            "{change}: {findings:#?}"
        );
        let is_told = |finding: &Finding| finding.rule == Rule::Schema && finding.what.contains(told);
        assert!(findings.iter().any(is_told), "{change}: {findings:#?}");
    }
}
