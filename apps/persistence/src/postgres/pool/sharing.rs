//! Pools that the stores of one URL share, and the thread that drives their connections.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering},
    thread,
};

use tokio::runtime::{Builder, Handle};
use umbel_core::store::StoreError;

use super::Pool;
use crate::postgres::{PostgresOptions, target::Target};

/// Stores share a pool if they agree in this: the URL, and how it is used.
type Key = (String, PostgresOptions);

/// The pools in use. They go with the last store that uses them.
static POOLS: Mutex<Vec<(Key, Weak<Pool>)>> = Mutex::new(Vec::new());

/// Drives the connections of all shared pools, and those that listen for the stores of one.
static DRIVER: Mutex<Option<Handle>> = Mutex::new(None);

impl Pool {
    /// The pool of a URL in this process, with these options; `target` is one of the stores there.
    ///
    /// # Errors
    /// When the options are none, or there is no thread to be had.
    pub(in crate::postgres) fn shared(
        url: &str,
        target: &Target,
        options: &PostgresOptions,
    ) -> Result<Arc<Self>, StoreError> {
        let key = (url.to_owned(), options.clone());
        // Each change to the list is whole.
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|(_, pool)| pool.strong_count() > 0);
        let found = pools.iter().find(|(known, _)| *known == key).and_then(|(_, pool)| pool.upgrade());
        if let Some(pool) = found {
            driver()?;
            pool.connections.manager().shared.store(true, Ordering::SeqCst);
            return Ok(pool);
        }
        let pool = Arc::new(Self::new(target, options)?);
        pools.push((key, Arc::downgrade(&pool)));
        Ok(pool)
    }
}

/// The runtime that drives what may belong to several stores, on a thread that belongs to none of them. There is one from when it is
/// first asked for.
///
/// # Errors
/// When there is no thread to be had.
pub(in crate::postgres) fn driver() -> Result<Handle, StoreError> {
    let mut driver = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*driver {
        return Ok(handle.clone());
    }
    let started = start().map_err(|error| StoreError::Failed {
        reason: format!("no thread for the connections that stores share: {error}"),
    })?;
    Ok(driver.insert(started).clone())
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let drive = move || runtime.block_on(pending::<()>());
    thread::Builder::new().name("umbel-postgres".into()).spawn(drive)?;
    Ok(handle)
}
