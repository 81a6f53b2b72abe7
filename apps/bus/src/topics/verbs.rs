//! What the handle of the bus says about topics.

use umbel_core::Notice;

use super::{Registry, Subscriber, TopicError, Topics};
use crate::{actor::ChangeTopics, handle::Bus};

impl Bus {
    /// Announces a notice to whoever listens or has subscribed to its topic right now. Never waits: who lags
    /// misses some. Returns how many they are. This is the fast path; [`Bus::topics`] knows more.
    pub fn publish<N: Notice>(&self, notice: N) -> usize {
        self.registry().publish_notice(notice)
    }

    /// Listens to notices of type `N` from now on, and registers their topic if nobody did.
    ///
    /// # Errors
    /// When the topic carries another type, there are too many, or the bus actor is not running.
    pub async fn listen<N: Notice>(&self) -> Result<Subscriber<N>, TopicError> {
        self.change_topics(Registry::listen::<N>).await
    }

    /// The transient topics: patterns, configurations, policies for slow subscribers, and who did what with
    /// an event.
    #[must_use]
    pub fn topics(&self) -> Topics {
        Topics::new(self.clone())
    }

    /// Has the bus actor change the topics.
    pub(super) async fn change_topics<F, A>(&self, change: F) -> Result<A, TopicError>
    where
        F: Fn(&Registry) -> Result<A, TopicError> + Clone + Send + 'static,
        A: Send + 'static,
    {
        let told = self.tell_actor(ChangeTopics::new(change), self.default_deadline()).await;
        told.unwrap_or(Err(TopicError::Unavailable))
    }
}
