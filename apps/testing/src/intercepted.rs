//! A store with somebody in between, who sees each request before the store does and each answer before the one who asked.

mod sides;

use std::{ops::Deref, sync::Arc};

use futures_util::future::{BoxFuture, ready};
use umbel_core::{
    Timestamp,
    store::{Append, AppendError, Appended, StoreError, StreamPage},
};
use umbel_persistence::{Adapter, memory::Memory};

pub use sides::Call;

/// Stands between a store and those who ask it. Each hook lets pass what it is told of, unless it is written otherwise.
///
/// [`Faults`](crate::Faults) are one of these, and enough for most tests. Write another one to hold up one kind of request, or to count
/// it, and give it to an umbrella by [`over`](crate::TestUmbrellaBuilder::over):
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
/// use umbel_testing::{Call, Intercept, Intercepted, TestUmbrella, run};
///
/// #[derive(Default)]
/// struct Looks(AtomicU32);
///
/// impl Intercept for Looks {
///     fn after(&self, call: Call) -> Result<(), umbel_core::store::StoreError> {
///         if call == Call::Status {
///             self.0.fetch_add(1, Ordering::SeqCst);
///         }
///         Ok(())
///     }
/// }
///
/// run(async {
///     let store = Arc::<Intercepted<Looks>>::default();
///     let umbrella = TestUmbrella::builder().over(Arc::clone(&store) as _).start().await;
///     umbrella.settled().await;
///     assert!(store.0.load(Ordering::SeqCst) > 0);
///     umbrella.stop().await;
/// });
/// ```
pub trait Intercept: Send + Sync + 'static {
    /// A request that is none to append is on its way to the store; an error is its answer, and the store does not hear of it.
    fn before(&self, call: Call) -> BoxFuture<'_, Result<(), StoreError>> {
        let _ = call;
        Box::pin(ready(Ok(())))
    }

    /// The store has carried out what [`before`](Self::before) let pass; an error takes the place of its answer.
    ///
    /// # Errors
    /// What is answered instead.
    fn after(&self, call: Call) -> Result<(), StoreError> {
        let _ = call;
        Ok(())
    }

    /// A group of appends is on its way to the store. There is an outcome for each, in their order.
    fn append<'a>(
        &'a self,
        inner: &'a dyn Adapter,
        group: Vec<Append>,
        now: Timestamp,
    ) -> BoxFuture<'a, Vec<Result<Appended, AppendError>>> {
        inner.append(group, now)
    }

    /// A page of a stream is on its way back.
    fn page(&self, page: StreamPage) -> StreamPage {
        page
    }
}

/// A store with somebody in between; derefs to that somebody.
pub struct Intercepted<I> {
    inner: Arc<dyn Adapter>,
    by: I,
}

impl<I: Intercept> Intercepted<I> {
    /// This store, with that one in between.
    pub fn new(inner: Arc<dyn Adapter>, by: I) -> Self {
        Self { inner, by }
    }

    /// This store, with one in between who has not been told anything yet.
    pub fn over(inner: Arc<dyn Adapter>) -> Self
    where
        I: Default,
    {
        Self::new(inner, I::default())
    }
}

/// Over a store in memory.
impl<I: Intercept + Default> Default for Intercepted<I> {
    fn default() -> Self {
        Self::over(Arc::new(Memory::new()))
    }
}

impl<I> Deref for Intercepted<I> {
    type Target = I;

    fn deref(&self) -> &I {
        &self.by
    }
}

impl<I: std::fmt::Debug> std::fmt::Debug for Intercepted<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intercepted").field("by", &self.by).finish_non_exhaustive()
    }
}
