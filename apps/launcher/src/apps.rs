//! The domain apps under this umbrella. Yours belongs here (`umbel new app` adds it): this is the only place that knows them all.

use umbel_host::{App, Listening};
use umbel_settings::Settings;

/// What makes an app from the settings.
type Make = fn(&Settings) -> anyhow::Result<App>;

/// The apps by name, in the order in which they start.
pub(crate) const APPS: &[(&str, Make)] = &[
    ("accounts", |settings| accounts::app(&settings.section("accounts")?)),
    ("articles", |_| Ok(articles::app())),
    ("social", |_| Ok(social::app())),
    // umbel new app: apps
];

/// The HTTP API's name as a part of the umbrella.
pub(crate) const GATEWAY: &str = "gateway";

/// All parts that may be left out.
pub(crate) fn parts() -> impl Iterator<Item = &'static str> {
    APPS.iter().map(|(name, _)| *name).chain([GATEWAY])
}

/// What the projections of these apps listen to. An app whose settings are wrong is left out: it says so when it is to run.
pub(crate) fn listening(settings: &Settings) -> Vec<Listening> {
    let apps = APPS.iter().filter_map(|(_, make)| make(settings).ok());
    apps.flat_map(|app| app.listening().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_listed_under_its_own_name() {
        let options = umbel_settings::LoadOptions::default();
        let settings = Settings::load(&options).unwrap();
        for (name, make) in APPS {
            assert_eq!(make(&settings).unwrap().name(), *name);
        }
    }
}
