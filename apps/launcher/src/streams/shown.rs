//! Which projections show what was made of a stream, and go on doing so when it ends: that happens below the domain, which does not learn of it.

use std::collections::BTreeSet;

use umbel_core::{
    document::Direction,
    store::{ReadStream, StreamInfo},
};
use umbel_host::Listening;

use crate::tool::{Done, PAGE, Tool};

/// The projections that listen to events of the stream; `None` if nobody can say any more, since it was deleted before. Of a long stream its
/// beginning and its end speak for all of it.
pub(super) async fn shown_by(
    tool: &Tool,
    listening: &[Listening],
    info: &StreamInfo,
) -> Done<Option<BTreeSet<&'static str>>> {
    if info.deleted_at.is_some() {
        return Ok(None);
    }
    let mut projections = BTreeSet::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let request = ReadStream { stream: info.stream.clone(), from: None, direction, limit: PAGE };
        let events = tool.store().read_stream(request).await?.events;
        // What is linked to belongs to another stream, and stays.
        for event in events.iter().filter(|event| event.stream == info.stream) {
            let listens = |one: &&Listening| one.events.contains(&&*event.event_type.name);
            projections.extend(listening.iter().filter(listens).map(|one| one.projection));
        }
    }
    Ok(Some(projections))
}

/// What of the deleted stream still shows, and what is to be done about it.
pub(super) fn told(projections: Option<&BTreeSet<&'static str>>, hard: bool) -> String {
    let names = match projections {
        None => "projections".to_owned(),
        Some(names) if names.is_empty() => return String::new(),
        Some(names) => names.iter().copied().collect::<Vec<_>>().join(", "),
    };
    if hard {
        let built: Vec<_> = projections.into_iter().flatten().map(|name| rebuild(name)).collect();
        let built = if built.is_empty() { rebuild("NAME") } else { built.join(", ") };
        format!("still shown until built anew: what {names} made of it; {built}\n")
    } else {
        format!(
            "still shown, also when built anew, as the log keeps its events: what {names} made of it; only --hard takes the events, \
             and a rebuild what was made of them\n"
        )
    }
}

fn rebuild(projection: &str) -> String {
    format!("`umbel projections rebuild {projection}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_shows_is_told_with_what_to_do() {
        let both = BTreeSet::from(["a.list", "b.graph"]);
        assert_eq!(told(Some(&BTreeSet::new()), true), "");
        let hard = told(Some(&both), true);
        assert!(hard.contains("a.list, b.graph") && hard.contains("rebuild a.list`, `"), "{hard}");
        let soft = told(Some(&both), false);
        assert!(soft.contains("a.list, b.graph") && soft.contains("--hard"), "{soft}");
        assert!(told(None, true).contains("`umbel projections rebuild NAME`"));
    }
}
