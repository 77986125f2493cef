//! The registry: which port is meant for which service, kept in SQLite so that several programs
//! and the app share it, and nothing that was promised is lost when one of them is killed.
//!
//! `store` owns the open database, `batch` and `change` the one way to change it, `migrations` its
//! versions, `row` and `audit` the tables; `judge` and `reconcile` decide, purely, what becomes of reservations.
//! `backup`, `restore` and `repair` copy it and bring it back, `transfer` takes it along as a text.
//! Knows `model` only: clocks, processes and folders come in as values.

mod audit;
mod backup;
mod batch;
mod change;
mod content;
mod draft;
mod error;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod histories;
pub mod judge;
mod lock;
mod migrations;
mod place;
mod pools;
pub mod reconcile;
mod repair;
mod restore;
mod row;
mod store;
pub mod transfer;

pub use change::Change;
pub use error::RegistryError;
pub use place::Place;
pub use repair::{Repair, open_sound};
pub use store::{Clock, Registry, Touched};
