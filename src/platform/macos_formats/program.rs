//! What the place and the name of a program tell of it.

use std::path::Path;

use crate::model::service::Kind;

/// Where the parts of macOS are.
const SYSTEM: [&str; 4] = ["/System", "/usr/libexec", "/usr/sbin", "/Library/Apple"];

/// The name of the program that developers know, from the one that the kernel has and the file.
pub fn name(kernel: &str, exe: Option<&Path>) -> String {
    let file = exe
        .and_then(Path::file_name)
        .map(|file| file.to_string_lossy());
    match (kernel, file) {
        // The framework build of Python calls itself so.
        ("Python", _) => "python".to_owned(),
        ("", Some(file)) => file.into_owned(),
        // The kernel keeps 31 bytes, of some processes 15.
        (cut, Some(file)) if cut.len() >= 15 && file.starts_with(cut) => file.into_owned(),
        (whole, _) => whole.to_owned(),
    }
}

/// The kind of a program that is not known by its name, by where its file is.
pub fn kind_by_place(exe: &Path) -> Kind {
    if SYSTEM.iter().any(|folder| exe.starts_with(folder)) {
        Kind::System
    } else if exe.components().any(|part| {
        let part = part.as_os_str().as_encoded_bytes();
        part.ends_with(b".app")
    }) {
        Kind::Application
    } else {
        Kind::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let named = |kernel, exe: &str| name(kernel, Some(Path::new(exe)));
        let framework =
            "/opt/homebrew/Frameworks/Python.framework/Resources/Python.app/Contents/MacOS/Python";
        assert_eq!(named("Python", framework), "python");
        assert_eq!(named("", "/usr/local/bin/node"), "node");
        assert_eq!(
            named("a-rather-long-n", "/x/a-rather-long-name"),
            "a-rather-long-name"
        );
        assert_eq!(named("node", "/x/node20"), "node");
        assert_eq!(name("node", None), "node");
    }

    #[test]
    fn kinds() {
        let kind = |exe: &str| kind_by_place(Path::new(exe));
        assert_eq!(kind("/usr/libexec/rapportd"), Kind::System);
        assert_eq!(
            kind("/System/Library/CoreServices/ControlCenter.app/Contents/MacOS/ControlCenter"),
            Kind::System
        );
        assert_eq!(
            kind("/Applications/Slack.app/Contents/MacOS/Slack"),
            Kind::Application
        );
        assert_eq!(kind("/Users/me/shop/target/debug/shop"), Kind::Unknown);
        assert_eq!(kind("/Systems/x"), Kind::Unknown);
    }
}
