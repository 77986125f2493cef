//! Freeport.app, as macos/bundle.sh lays it out: files and modes, what its property list says and
//! that the source means the same, and the pictures. It is made on any system; what signs it and
//! packs it is tried by tests/packages/macos.sh.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Home, Ran, finish, python, skipped};

/// What stands in for the binary of a Mac.
const BINARY: &[u8] = b"\xcf\xfa\xed\xfe no more of a binary for Macs than that";

/// A file of the repository; None, said aloud, where the tests came without it.
fn repository(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if !path.exists() {
        skipped(&format!("{file} is in the repository only"));
    }
    path.exists().then_some(path)
}

/// Runs a bundle.sh with a stand-in for the binary, and this program for its pages.
fn bundle(script: &Path, home: &Home, out: &str) -> Ran {
    fs::write(home.path("mach-o"), BINARY).unwrap();
    let program = env!("CARGO_BIN_EXE_freeport");
    finish(home.command(script).args(["mach-o", out, program]))
}

/// All files below a folder, with their modes.
fn files(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
            if path.is_dir() {
                assert_eq!(mode & 0o7777, 0o755, "{path:?}");
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.insert(name.to_str().unwrap().to_owned(), mode);
            }
        }
    }
    found
}

/// What another program reads in a property list.
fn plist(home: &Home, file: &Path) -> Value {
    const SCRIPT: &str = "import json, plistlib, sys\n\
        print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'), fmt=plistlib.FMT_XML)))";
    let ran = finish(home.command(python()).args(["-c", SCRIPT]).arg(file));
    ran.ends(0).json()
}

/// The text constant of that name in a source file.
fn constant(file: &str, name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let start = format!("const {name}: &str = \"");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.and_then(|line| line.strip_suffix("\";"))
        .unwrap_or_else(|| panic!("{file} has no {name}"))
        .to_owned()
}

#[test]
fn everything_has_its_place() {
    let Some(script) = repository("macos/bundle.sh") else {
        return;
    };
    let home = Home::new();
    // What was there is replaced, and not mixed with.
    home.write("My Apps/Freeport.app/Contents/old", "");
    let ran = bundle(&script, &home, "My Apps/Freeport.app/").ends(0);
    assert!(
        ran.out.contains(env!("CARGO_PKG_VERSION")) && ran.err.is_empty(),
        "{ran:?}"
    );
    assert_eq!(fs::read_dir(home.path("My Apps")).unwrap().count(), 1);
    let app = home.path("My Apps/Freeport.app");
    let mut found = files(&app);
    let program = "Contents/MacOS/freeport";
    assert_eq!(found.remove(program).unwrap() & 0o7777, 0o755);
    assert!(found.values().all(|mode| mode & 0o7777 == 0o644));
    assert_eq!(fs::read(app.join(program)).unwrap(), BINARY);
    assert_eq!(fs::read(app.join("Contents/PkgInfo")).unwrap(), b"APPL????");
    let pages = "Contents/Resources/man1/freeport";
    for verb in ["", "-list", "-kill", "-run", "-config-set"] {
        assert!(found.contains_key(&format!("{pages}{verb}.1")), "{verb}");
    }
    found.retain(|name, _| !name.starts_with(pages));
    let expected = [
        "Contents/Info.plist",
        "Contents/PkgInfo",
        "Contents/Resources/LICENSE-APACHE",
        "Contents/Resources/LICENSE-MIT",
        "Contents/Resources/completions/_freeport",
        "Contents/Resources/completions/freeport.bash",
        "Contents/Resources/completions/freeport.fish",
        "Contents/Resources/freeport.icns",
    ];
    assert_eq!(found.into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn the_property_list_says_what_the_source_means() {
    let Some(script) = repository("macos/bundle.sh") else {
        return;
    };
    let home = Home::new();
    bundle(&script, &home, "Freeport.app").ends(0);
    let id = constant("src/platform/macos/bundle.rs", "ID");
    // Login items, notifications and the cask know the app by one name.
    assert_eq!(constant("src/platform/macos/autostart.rs", "NAME"), id);
    let version = env!("CARGO_PKG_VERSION");
    let numbers = version.split(['-', '+']).next().unwrap();
    let expected = json!({
        "CFBundleDevelopmentRegion": "en",
        "CFBundleDisplayName": "Freeport",
        "CFBundleExecutable": "freeport",
        "CFBundleIconFile": "freeport",
        "CFBundleIdentifier": id,
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": "Freeport",
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version,
        "CFBundleVersion": numbers,
        "LSAppNapIsDisabled": true,
        "LSApplicationCategoryType": "public.app-category.developer-tools",
        "LSMinimumSystemVersion": "11.0",
        "LSUIElement": true,
        "NSHighResolutionCapable": true,
        "NSPrincipalClass": "NSApplication",
        "NSSupportsAutomaticTermination": false,
        "NSSupportsSuddenTermination": false,
    });
    let info = home.path("Freeport.app/Contents/Info.plist");
    assert_eq!(plist(&home, &info), expected);
    // What Freeport does is allowed to every program that is not in a sandbox.
    let entitlements = repository("macos/entitlements.plist").unwrap();
    assert_eq!(plist(&home, &entitlements), json!({}));
}

#[test]
fn a_version_that_is_no_release_has_its_numbers_told_apart() {
    let Some(script) = repository("macos/bundle.sh") else {
        return;
    };
    let home = Home::new();
    let files = [
        "macos/Info.plist",
        "icons/macos/freeport.icns",
        "LICENSE-APACHE",
        "LICENSE-MIT",
    ];
    for file in files {
        home.write(&format!("copy/{file}"), "");
        fs::copy(repository(file).unwrap(), home.path("copy").join(file)).unwrap();
    }
    let manifest = fs::read_to_string(repository("Cargo.toml").unwrap()).unwrap();
    let version = format!("\nversion = \"{}\"\n", env!("CARGO_PKG_VERSION"));
    assert!(manifest.contains(&version));
    let manifest = manifest.replacen(&version, "\nversion = \"1.20.3-rc.1+4\"\n", 1);
    home.write("copy/Cargo.toml", &manifest);
    fs::copy(script, home.path("copy/macos/bundle.sh")).unwrap();
    bundle(
        &home.path("copy/macos/bundle.sh"),
        &home,
        "copy/Freeport.app",
    )
    .ends(0);
    let told = plist(&home, &home.path("copy/Freeport.app/Contents/Info.plist"));
    assert_eq!(told["CFBundleShortVersionString"], "1.20.3-rc.1+4");
    assert_eq!(told["CFBundleVersion"], "1.20.3");
}

#[test]
fn what_cannot_become_an_app_is_refused() {
    let Some(script) = repository("macos/bundle.sh") else {
        return;
    };
    let home = Home::new();
    home.write("precious/file", "");
    for out in ["precious", ".app", "/"] {
        let ran = bundle(&script, &home, out).ends(2);
        assert!(ran.err.contains("does not end with .app"), "{ran:?}");
    }
    assert!(home.path("precious/file").exists());
    let run = |arguments: &[&str]| finish(home.command(&script).args(arguments));
    let ran = run(&["nothing", "Freeport.app"]).ends(2);
    assert!(ran.err.contains("there is no file nothing"), "{ran:?}");
    run(&["mach-o"]).ends(2);
    // The binary of a Mac tells no manual here, and half an app is none.
    let ran = run(&["mach-o", "Freeport.app"]).ends(1);
    assert!(ran.err.contains("as third argument"), "{ran:?}");
    assert!(!home.path("Freeport.app").exists() && !home.path("Freeport.app.new").exists());
}

/// The sizes that macOS asks for, and the types that iconutil(1) writes them as.
#[test]
fn the_icon_has_all_sizes() {
    const PICTURES: [(&[u8; 4], u32); 10] = [
        (b"ic04", 16),
        (b"ic05", 32),
        (b"ic07", 128),
        (b"ic08", 256),
        (b"ic09", 512),
        (b"ic10", 1024),
        (b"ic11", 32),
        (b"ic12", 64),
        (b"ic13", 256),
        (b"ic14", 512),
    ];
    let Some(file) = repository("icons/macos/freeport.icns") else {
        return;
    };
    let bytes = fs::read(file).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(&bytes[..4], b"icns");
    assert_eq!(number(4) as usize, bytes.len());
    let mut found = Vec::new();
    let mut at = 8;
    while at < bytes.len() {
        let kind: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        let (_, size) = PICTURES.iter().find(|(known, _)| **known == kind).unwrap();
        if bytes[at + 8..].starts_with(b"ARGB") {
            assert!(*size <= 32, "only the smallest are not PNG");
        } else {
            assert!(bytes[at + 8..].starts_with(b"\x89PNG\r\n\x1a\n"));
            assert_eq!((number(at + 24), number(at + 28)), (*size, *size));
        }
        found.push(kind);
        at += number(at + 4) as usize;
    }
    found.sort_unstable();
    assert_eq!(found, PICTURES.map(|(kind, _)| *kind));
}
