//! Freeport.app: whether this program is the one in it.

use std::path::Path;

/// What the app is called by the system (`CFBundleIdentifier` in macos/Info.plist).
const ID: &str = "freeport";

/// How the app is called by the system, when this file is in it.
pub(super) fn id(exe: &Path) -> Option<&'static str> {
    let folder = exe.parent()?;
    let is_app = |app: &Path| app.extension().is_some_and(|extension| extension == "app");
    (folder.ends_with("Contents/MacOS") && folder.ancestors().nth(2).is_some_and(is_app))
        .then_some(ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_is_known_by_its_folders() {
        let of = |exe: &str| id(Path::new(exe));
        assert_eq!(
            of("/Applications/Freeport.app/Contents/MacOS/freeport"),
            Some(ID)
        );
        assert_eq!(of("/opt/homebrew/bin/freeport"), None);
        assert_eq!(of("/x/Contents/MacOS/freeport"), None);
        assert_eq!(of("freeport"), None);
    }
}
