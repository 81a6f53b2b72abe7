//! What holders of one bus have in common: one value of each type.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Values by their types. The bus keeps them and knows nothing of them.
#[derive(Default)]
pub(crate) struct Commons(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Commons {
    /// The value of this type, made now if there is none yet.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // What is kept under a type is of that type, so the other case does not occur.
        Arc::clone(value).downcast().unwrap_or_default()
    }
}
