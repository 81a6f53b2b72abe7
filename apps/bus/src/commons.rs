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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let commons = Commons::default();
        commons.get::<AtomicU32>().fetch_add(7, Ordering::SeqCst);
        assert_eq!(commons.get::<AtomicU32>().load(Ordering::SeqCst), 7);
        assert!(commons.get::<Mutex<String>>().lock().is_ok_and(|text| text.is_empty()));
    }
}
