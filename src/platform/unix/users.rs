//! Names of user ids.

use std::collections::HashMap;
use std::sync::Arc;

use nix::unistd::{Uid, User};

/// Looks user names up, once each.
#[derive(Default)]
pub struct Users(HashMap<u32, Option<Arc<str>>>);

impl Users {
    /// The name of `uid`, when it has one.
    pub fn name(&mut self, uid: u32) -> Option<Arc<str>> {
        self.0
            .entry(uid)
            .or_insert_with(|| {
                User::from_uid(Uid::from_raw(uid))
                    .ok()
                    .flatten()
                    .map(|user| user.name.into())
            })
            .clone()
    }
}
