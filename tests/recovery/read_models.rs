//! What Conduit's projections and subscriptions have made of the log, and whether that is what they would make of it anew.

use std::collections::{BTreeMap, BTreeSet};

use contracts::articles;
use serde_json::Value;
use umbel_core::{
    Event,
    document::{DocumentQuery, PAGE_MAX},
};
use umbel_host::{App, Listening};
use umbel_settings::{LoadOptions, Settings};

use crate::support::{Umbel, eventually, with_store};

/// The subscriptions of Conduit, each with the events that it is about.
const SUBSCRIPTIONS: [(&str, &[&str]); 1] = [("articles.farewell", &[articles::Deleted::NAME])];

/// All documents as readers get them: by collection, then by key.
type Documents = BTreeMap<String, BTreeMap<String, Value>>;

/// Whether something of this name belongs to Conduit, and not to an app that was added beside it.
pub(super) fn is_of_conduit(name: &str) -> bool {
    ["accounts", "articles", "social"].contains(&name.split('.').next().unwrap_or_default())
}

/// Conduit's projections as the shell lists them.
#[track_caller]
fn projections(umbel: &Umbel) -> Vec<Value> {
    let mut listed = umbel.json(&["projections", "list"]);
    listed.retain(|one| is_of_conduit(one["projection"].as_str().unwrap()));
    listed
}

/// What these listen to.
fn listening() -> Vec<Listening> {
    let options = LoadOptions { environment: Some("test".into()), ..LoadOptions::default() };
    let settings = Settings::load(&options).unwrap().section("accounts").unwrap();
    let apps = [::accounts::app(&settings).unwrap(), ::articles::app(), ::social::app()];
    apps.iter().flat_map(App::listening).copied().collect()
}

/// Who follows the log, up to where by what is stored, and which events are meant.
#[derive(Debug)]
struct Follower {
    name: String,
    at: u64,
    events: &'static [&'static str],
}

/// The projections and subscriptions of Conduit.
#[track_caller]
fn followers(umbel: &Umbel) -> Vec<Follower> {
    let mut followers = Vec::new();
    let listening = listening();
    for one in projections(umbel) {
        let (name, serving) = (one["projection"].as_str().unwrap(), &one["serving"]);
        let is_it = |known: &&Listening| known.projection == name && serving["version"] == known.version;
        let known = listening.iter().find(is_it).unwrap_or_else(|| panic!("nobody runs {one}"));
        let at = serving["position"].as_u64().unwrap();
        followers.push(Follower { name: name.to_owned(), at, events: known.events });
    }
    for one in umbel.json(&["subscriptions", "list"]) {
        let name = one["name"].as_str().unwrap();
        if is_of_conduit(name) {
            let known = SUBSCRIPTIONS.iter().find(|(known, _)| *known == name);
            let (_, events) = known.unwrap_or_else(|| panic!("what {name} is about is to be said above"));
            let partitions = one["partitions"].as_array().unwrap().iter();
            let at = partitions.map(|partition| partition["checkpoint"].as_u64().unwrap()).min().unwrap();
            followers.push(Follower { name: name.to_owned(), at, events });
        }
    }
    assert_eq!(followers.len(), listening.len() + SUBSCRIPTIONS.len(), "{followers:?}");
    followers
}

/// The projections and subscriptions that have not come to the last event that concerns them, of those events that count.
#[track_caller]
pub(super) fn behind(umbel: &Umbel, counts: impl Fn(&str) -> bool) -> Vec<String> {
    let (followers, mut last) = (followers(umbel), BTreeMap::new());
    for event in umbel.events() {
        let name = event["type"].as_str().unwrap().split('/').next().unwrap();
        if counts(name) {
            last.insert(name.to_owned(), event["position"].as_u64().unwrap());
        }
    }
    let behind = followers.into_iter().filter_map(|Follower { name, at, events }| {
        let last = events.iter().filter_map(|event| last.get(*event)).max()?;
        (*last > at).then(|| format!("{name} stands at {at}, and an event at {last} concerns it"))
    });
    behind.collect()
}

/// What readers get of every projection is what its rule makes of the whole log, once more and in one go.
#[track_caller]
pub(super) fn check_read_models(umbel: &Umbel) {
    eventually("all to have come to the end of the log", || behind(umbel, |_| true).is_empty().then_some(()));
    let before = projections(umbel);
    let kept = documents(umbel, &before);
    let rebuild = |one: &Value| umbel.json(&["projections", "rebuild", one["projection"].as_str().unwrap()]);
    before.iter().for_each(|one| drop(rebuild(one)));
    eventually("all to be built anew", || {
        let is_anew = |(before, after): (&Value, &Value)| {
            after["serving"]["run"] != before["serving"]["run"] && after["building"] == Value::Array(vec![])
        };
        before.iter().zip(&projections(umbel)).all(is_anew).then_some(())
    });
    let anew = documents(umbel, &before);
    for (collection, kept) in &kept {
        let anew = &anew[collection];
        assert!(!kept.is_empty(), "the load makes no document of {collection}");
        let keys: BTreeSet<_> = kept.keys().chain(anew.keys()).collect();
        let differs = keys.into_iter().filter(|key| kept.get(*key) != anew.get(*key));
        let differs: Vec<_> = differs.map(|key| (key, kept.get(key), anew.get(key))).collect();
        assert!(differs.is_empty(), "{collection}, left as it was, right as it is built anew: {differs:#?}");
    }
}

/// What is in the collections of these projections.
#[track_caller]
fn documents(umbel: &Umbel, projections: &[Value]) -> Documents {
    let collections = projections.iter().flat_map(|one| one["serving"]["collections"].as_array().unwrap());
    let collections: Vec<_> = collections.map(|one| one.as_str().unwrap().to_owned()).collect();
    with_store(&umbel.place(), async |bus| {
        let mut documents = Documents::new();
        for collection in collections {
            let of_it = documents.entry(collection.clone()).or_default();
            let mut query =
                DocumentQuery { collection, filters: vec![], order: None, offset: 0, limit: PAGE_MAX };
            loop {
                let page = bus.store().query_documents(query.clone()).await.unwrap();
                of_it.extend(page.documents.into_iter().map(|(key, body)| (key, body.decode().unwrap())));
                query.offset += u64::from(PAGE_MAX);
                if query.offset >= page.total {
                    break;
                }
            }
        }
        documents
    })
}
