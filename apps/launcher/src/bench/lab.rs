//! Where a bench works: scratch stores with bus and apps around them, all removed in the end, whatever happens; what one that
//! was killed left behind, the next one removes.

use std::{cell::RefCell, future::Future, rc::Rc, time::Duration};

use anyhow::anyhow;
use umbel_bus::Bus;
use umbel_core::store::{StoreError, StoreStatus};
use umbel_host::{App, ExitStatus, Failed, Foundation, HostSettings, OrExit, RunError, StopSignals};
use umbel_persistence::{StoreSettings, floor::Scratch};
use umbel_settings::{LoadOptions, Settings};
use umbel_supervision::Supervisor;

use super::{
    owner::{Owner, clear_up},
    report::{Finding, Report},
};

/// Everything that one run of the bench has set up and told.
pub(super) struct Site {
    pub(super) options: LoadOptions,
    json: bool,
    print: fn(&str),
    store: StoreSettings,
    scratches: RefCell<Vec<Rc<Scratch>>>,
    /// In the order they were started.
    running: RefCell<Vec<Supervisor>>,
    told: RefCell<Vec<(&'static str, &'static str, Finding)>>,
}

/// One scratch store with what runs on it.
#[derive(Clone)]
pub(super) struct Lab {
    pub(super) bus: Bus,
    pub(super) scratch: Rc<Scratch>,
    pub(super) host: HostSettings,
    pub(super) status: StoreStatus,
}

/// Runs an experiment; afterwards, also after an error or a signal, stops and removes all that it has set up.
pub(super) fn at_site(
    options: &LoadOptions,
    json: bool,
    print: fn(&str),
    experiment: impl AsyncFnOnce(&Site) -> anyhow::Result<()>,
) -> Result<(), Failed> {
    let foundation = Foundation::lay(options).or_exit(ExitStatus::Settings)?;
    let store = foundation.settings.section("store").or_exit(ExitStatus::Settings)?;
    let site = Site {
        options: options.clone(),
        json,
        print,
        store,
        scratches: RefCell::default(),
        running: RefCell::default(),
        told: RefCell::default(),
    };
    actix::System::new().block_on(async {
        let mut signals = StopSignals::listen().or_exit(ExitStatus::Failure)?;
        clear_up(&site.store, |words| eprintln!("{words}")).await;
        let outcome = tokio::select! {
            () = signals.recv() => Err(anyhow!("interrupted; the scratch places are removed")),
            outcome = experiment(&site) => outcome,
        };
        let outcome = outcome.map_err(failed);
        match (outcome, site.clear().await) {
            (outcome, Ok(())) => outcome,
            (Ok(()), Err(error)) => Err(error).or_exit(ExitStatus::Failure),
            (Err(failed), Err(error)) => {
                let left = anyhow!(
                    "{failed}; and a scratch place is left behind, which the next bench removes: {error}"
                );
                Err(Failed { status: failed.status, error: left })
            }
        }
    })
}

fn failed(error: anyhow::Error) -> Failed {
    match error.downcast::<RunError>() {
        Ok(error) => error.into(),
        Err(error) => {
            let status = match error.downcast_ref() {
                Some(StoreError::Unavailable { .. }) => ExitStatus::StartFailed,
                _ => ExitStatus::Failure,
            };
            Failed { status, error }
        }
    }
}

impl Site {
    /// A fresh store beside that of the settings, with nothing but a bus before it.
    pub(super) async fn open(&self) -> anyhow::Result<Lab> {
        self.open_with(None).await
    }

    /// The same with an app on it.
    pub(super) async fn open_with(&self, app: Option<App>) -> anyhow::Result<Lab> {
        let scratch = self.scratch(&self.store).await?;
        self.start(scratch, app).await
    }

    /// Another bus and store on the same scratch place, as another process would have it.
    pub(super) async fn open_again(&self, lab: &Lab) -> anyhow::Result<Lab> {
        self.start(Rc::clone(&lab.scratch), None).await
    }

    /// An empty place that is removed in the end.
    pub(super) async fn scratch(&self, store: &StoreSettings) -> anyhow::Result<Rc<Scratch>> {
        let token = umbel_bus::edge::fresh_id().simple().to_string();
        let scratch = Rc::new(Scratch::beside(store, &token, &Owner::this().to_string()).await?);
        self.scratches.borrow_mut().push(Rc::clone(&scratch));
        Ok(scratch)
    }

    /// The store that scratch places are made beside.
    pub(super) const fn store(&self) -> &StoreSettings {
        &self.store
    }

    async fn start(&self, scratch: Rc<Scratch>, app: Option<App>) -> anyhow::Result<Lab> {
        let foundation = Foundation::from_settings(Settings::load(&self.options)?)?;
        let host = foundation.settings.section("host")?;
        let store = umbel_persistence::group(scratch.settings(), &foundation.bus, foundation.policy());
        let mut umbrella = foundation.umbrella("bench").with(store);
        if let Some(app) = app {
            umbrella = umbrella.with_app(&app);
        }
        let supervisor = umbrella.start();
        self.running.borrow_mut().push(supervisor.clone());
        up(&supervisor).await?;
        let status = foundation.bus.store().status().await?;
        Ok(Lab { bus: foundation.bus, scratch, host, status })
    }

    /// Tells a report at once, for a bench may take its time, and keeps what has a bar.
    pub(super) fn tell(&self, report: &Report) {
        let barred = report.barred().map(|(workload, store, finding)| (workload, store, finding.clone()));
        self.told.borrow_mut().extend(barred);
        self.say(|| serde_json::to_string(report), || report.to_string());
    }

    /// Prints one of two forms.
    pub(super) fn say(
        &self,
        json: impl FnOnce() -> serde_json::Result<String>,
        text: impl FnOnce() -> String,
    ) {
        let text = if self.json { json().expect("numbers and names have a JSON form") } else { text() };
        (self.print)(&format!("{text}\n"));
    }

    /// Everything that had a bar so far: workload, store and finding.
    pub(super) fn told(&self) -> Vec<(&'static str, &'static str, Finding)> {
        self.told.borrow().clone()
    }

    /// Stops and removes all that was set up so far.
    ///
    /// # Errors
    /// Says what is left behind.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        // Kept until removed: whoever is interrupted here is asked again.
        let running = self.running.borrow().clone();
        for supervisor in running.iter().rev() {
            supervisor.shut_down().await;
        }
        let scratches = self.scratches.borrow().clone();
        let mut outcome = Ok(());
        for scratch in scratches {
            outcome = outcome.and(scratch.remove().await.map_err(anyhow::Error::new));
        }
        self.running.borrow_mut().clear();
        self.scratches.borrow_mut().clear();
        outcome
    }
}

/// Waits until everything is up, or says why it will not be.
fn up(supervisor: &Supervisor) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let (tree, finished) = (supervisor.tree(), supervisor.finished());
    async move {
        tokio::select! {
            outcome = finished => {
                RunError::check(outcome)?;
                Err(anyhow!("the store stopped by itself"))
            }
            up = tree.wait_until_up(Duration::MAX) => Ok(up?),
        }
    }
}
