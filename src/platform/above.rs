//! In whose folder something would be made: with the environment of another user, as sudo may leave it,
//! root would put files into their home that they cannot use, and that keep them from making their own.

use std::path::Path;

use super::{files, limits};

/// The system's own user, whose folders anybody's may be in.
const ROOT: u32 = 0;

/// Why this user should not make anything in this folder: it belongs to another one, or, where it is
/// not there, what it would be made in does.
pub fn of_another_user(folder: &Path) -> Option<String> {
    let (there, found) = folder
        .ancestors()
        .find_map(|there| Some((there, std::fs::metadata(there).ok()?)))?;
    let (owner, user) = (files::owner(&found), limits::user_id());
    if owner == user || owner == ROOT {
        return None;
    }
    Some(format!(
        "{} belongs to uid {owner}, not to you (uid {user})",
        there.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_folders_and_the_systems_are_no_other_users() {
        let here = std::env::temp_dir().join("not/there");
        assert_eq!(of_another_user(&here), None);
        assert_eq!(of_another_user(Path::new("/")), None);
        assert_eq!(of_another_user(Path::new("/usr/not/there")), None);
    }
}
