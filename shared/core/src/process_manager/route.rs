//! Which instances an event concerns.

/// Whom an event concerns, and how. Each instance is named once; of several steps for one, the last counts.
///
/// ```
/// use umbel_core::process_manager::Route;
///
/// Route::start("order-1");
/// Route::proceed(["order-1", "order-2"]).strictly();
/// Route::stop("order-1").and(Route::start("order-2"));
/// Route::ignore();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Route(Vec<Interest>);

/// One instance's part in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Which instance.
    pub instance: String,
    /// What becomes of it.
    pub step: Step,
    /// Whether it is an error that it is there already, or is not.
    pub strict: bool,
}

/// What becomes of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It begins, or goes on if it is there.
    Start,
    /// It goes on, or begins if it is not there.
    Continue,
    /// It is gone, whether or not it was there; it is not asked.
    Stop,
}

/// One instance's id, or several. An id is a text of at least one byte.
pub trait Instances {
    /// The ids.
    fn ids(self) -> Vec<String>;
}

impl Route {
    /// These begin. One that is there goes on, unless strictly.
    pub fn start(instances: impl Instances) -> Self {
        Self::of(instances, Step::Start)
    }

    /// These go on. One that is not there begins, unless strictly.
    pub fn proceed(instances: impl Instances) -> Self {
        Self::of(instances, Step::Continue)
    }

    /// These end, with their state and their timers. They are not asked; whoever has a last word says
    /// [`Reaction::stop`](super::Reaction::stop) instead.
    pub fn stop(instances: impl Instances) -> Self {
        Self::of(instances, Step::Stop)
    }

    /// It concerns nobody.
    pub fn ignore() -> Self {
        Self::default()
    }

    /// What is named so far is an error when it begins and is there already, or continues and is not: nothing happens, and
    /// [`ProcessManager::on_error`](super::ProcessManager::on_error) decides.
    pub fn strictly(mut self) -> Self {
        for interest in &mut self.0 {
            interest.strict = true;
        }
        self
    }

    /// And these.
    pub fn and(mut self, other: Self) -> Self {
        for interest in other.0 {
            self.add(interest);
        }
        self
    }

    /// All of them, in the order named.
    #[must_use]
    pub fn interests(&self) -> &[Interest] {
        &self.0
    }

    fn of(instances: impl Instances, step: Step) -> Self {
        let mut route = Self::default();
        for instance in instances.ids() {
            route.add(Interest { instance, step, strict: false });
        }
        route
    }

    fn add(&mut self, interest: Interest) {
        self.0.retain(|known| known.instance != interest.instance);
        self.0.push(interest);
    }
}

impl Instances for String {
    fn ids(self) -> Vec<String> {
        vec![self]
    }
}

impl Instances for &String {
    fn ids(self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Instances for &str {
    fn ids(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl<S: Into<String>, const N: usize> Instances for [S; N] {
    fn ids(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<S: Into<String>> Instances for Vec<S> {
    fn ids(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<S: Clone + Into<String>> Instances for &[S] {
    fn ids(self) -> Vec<String> {
        self.iter().cloned().map(Into::into).collect()
    }
}
