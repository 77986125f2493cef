//! The property list of a launch agent (launchd.plist(5)), in its XML form: written, and read.

/// The property list of an agent with this label that starts a program at login, once, in the
/// session that has a menu bar. What ends it, or makes it crash, ends it until the next login.
///
/// None when an argument has characters that XML cannot have.
pub fn write(label: &str, bundle: Option<&str>, command: &[&str]) -> Option<String> {
    let mut text = String::from(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
"#,
    );
    let mut line = |indent: &str, name: &str, value: &str| -> Option<()> {
        text.push_str(&format!("{indent}<{name}>{}</{name}>\n", escape(value)?));
        Some(())
    };
    line("  ", "key", "Label")?;
    line("  ", "string", label)?;
    // System Settings shows its items by the name and the picture of the app.
    if let Some(bundle) = bundle {
        line("  ", "key", "AssociatedBundleIdentifiers")?;
        line("  ", "string", bundle)?;
    }
    line("  ", "key", "ProgramArguments")?;
    let mut words = String::new();
    for word in command {
        words.push_str(&format!("    <string>{}</string>\n", escape(word)?));
    }
    text.push_str(&format!("  <array>\n{words}  </array>\n"));
    // Interactive: what the user waits for is not slowed down as background work.
    text.push_str(
        "  <key>RunAtLoad</key>
  <true/>
  <key>ProcessType</key>
  <string>Interactive</string>
  <key>LimitLoadToSessionType</key>
  <string>Aqua</string>
</dict>
</plist>
",
    );
    Some(text)
}

/// A text as XML has it; `None` where it cannot have it at all.
fn escape(text: &str) -> Option<String> {
    let is_bad =
        |c: char| (c < ' ' && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_bad) {
        return None;
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    Some(text.replace('>', "&gt;"))
}

/// What decides whether launchd starts something at login, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// The program and its arguments (`Program`, `ProgramArguments`).
    pub command: Vec<String>,
    /// Whether it is started at login (`RunAtLoad`).
    pub at_login: bool,
    /// Whether it is switched off (`Disabled`).
    pub disabled: bool,
}

/// A piece of XML.
enum Piece<'a> {
    Tag(&'a str),
    Text(&'a str),
}

/// Reads a property list; `None` when the text is none.
pub fn read(text: &str) -> Option<Agent> {
    let mut agent = Agent::default();
    let mut program = None;
    // The element that is open in the outermost dictionary, its key, and how deep that is in.
    let (mut depth, mut key, mut word) = (0usize, String::new(), String::new());
    let mut seen = false;
    for piece in Pieces(text) {
        match piece {
            Piece::Text(text) => word = unescape(text),
            Piece::Tag("dict" | "array") => depth += 1,
            Piece::Tag("/dict" | "/array") => depth = depth.checked_sub(1)?,
            Piece::Tag("plist") => seen = true,
            Piece::Tag("key" | "string") => word.clear(),
            Piece::Tag("/key") if depth == 1 => key = std::mem::take(&mut word),
            Piece::Tag("/string") => match (key.as_str(), depth) {
                ("Program", 1) => program = Some(std::mem::take(&mut word)),
                ("ProgramArguments", 2) => agent.command.push(std::mem::take(&mut word)),
                _ => {}
            },
            Piece::Tag(value @ ("true" | "false")) if depth == 1 => match key.as_str() {
                "RunAtLoad" => agent.at_login = value == "true",
                "Disabled" => agent.disabled = value == "true",
                _ => {}
            },
            Piece::Tag(_) => {}
        }
    }
    if let Some(program) = program {
        // What is executed; the first argument is then only what it is called.
        agent
            .command
            .splice(..agent.command.len().min(1), [program]);
    }
    (seen && depth == 0).then_some(agent)
}

/// The tags and texts, without comments and declarations.
struct Pieces<'a>(&'a str);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let Some(inside) = self.0.strip_prefix('<') else {
                let end = self.0.find('<').unwrap_or(self.0.len());
                let (text, rest) = self.0.split_at(end);
                self.0 = rest;
                return (!text.is_empty()).then_some(Piece::Text(text));
            };
            let end = if inside.starts_with("!--") {
                "-->"
            } else {
                ">"
            };
            let Some((tag, rest)) = inside.split_once(end) else {
                self.0 = "";
                return None;
            };
            self.0 = rest;
            if !tag.starts_with(['!', '?']) {
                let name = tag.split([' ', '\t', '\n']).next().unwrap_or(tag);
                return Some(Piece::Tag(name.trim_end_matches('/')));
            }
        }
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form that others write.
    const WRITTEN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
  <dict>
  <key>Label</key>
  <string>freeport</string>
  <key>AssociatedBundleIdentifiers</key>
  <array></array>
  <key>ProgramArguments</key>
  <array><string>/usr/local/bin/freeport</string><string>app</string></array>
  <key>RunAtLoad</key>
  <true/>
  </dict>
</plist>"#;

    fn command(text: &str) -> Vec<String> {
        read(text).unwrap().command
    }

    #[test]
    fn what_is_written_is_read() {
        let agent = read(WRITTEN).unwrap();
        assert_eq!(agent.command, ["/usr/local/bin/freeport", "app"]);
        assert!(agent.at_login && !agent.disabled);
    }

    /// Paths that people really have, and some that they do not.
    const PATHS: [&str; 5] = [
        "/Applications/Freeport.app/Contents/MacOS/freeport",
        "/Users/Zo\u{eb}/My Programs/R&D <beta> \"1\"/freeport",
        "/tmp/]]>&amp;&lt;!--/it's",
        "/tmp/two\nlines\tand a tab",
        "/opt/\u{1f980}/freeport",
    ];

    #[test]
    fn what_is_written_is_read_again() {
        for path in PATHS {
            let agent = read(&write("freeport", None, &[path, "app"]).unwrap()).unwrap();
            assert_eq!(agent.command, [path, "app"]);
            assert!(agent.at_login && !agent.disabled, "{path}");
        }
        assert_eq!(write("freeport", None, &["/tmp/\u{1}"]), None);
    }

    /// Another program's idea of property lists: what is written is one, and says the same there.
    #[test]
    fn others_read_what_is_written() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        const SCRIPT: &str = r#"
import json, plistlib, sys
print(json.dumps(plistlib.loads(sys.stdin.buffer.read(), fmt=plistlib.FMT_XML), sort_keys=True))
"#;
        for path in PATHS {
            let child = Command::new("python3")
                .args(["-c", SCRIPT])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let mut child = match child {
                Ok(child) => child,
                Err(error) => {
                    let mut out = std::io::stderr();
                    let _ = writeln!(out, "SKIPPED: no python3 with a plistlib: {error}");
                    return;
                }
            };
            let text = write("freeport", Some("org.example.app"), &[path, "app"]).unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{text}");
            let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let expected = serde_json::json!({
                "AssociatedBundleIdentifiers": "org.example.app",
                "Label": "freeport",
                "LimitLoadToSessionType": "Aqua",
                "ProcessType": "Interactive",
                "ProgramArguments": [path, "app"],
                "RunAtLoad": true,
            });
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn it_can_be_switched_off() {
        let off = WRITTEN.replace("<key>Label", "<key>Disabled</key><true/><key>Label");
        assert!(read(&off).unwrap().disabled);
        assert!(
            !read(&WRITTEN.replace("<true/>", "<false />"))
                .unwrap()
                .at_login
        );
        let nested = WRITTEN.replace(
            "<key>RunAtLoad</key>\n  <true/>",
            "<key>KeepAlive</key><dict><key>RunAtLoad</key><true/></dict>",
        );
        assert!(!read(&nested).unwrap().at_login, "in another dictionary");
    }

    #[test]
    fn another_program_is_told() {
        let text = WRITTEN.replace("/usr/local", "/Users/me/R&amp;D &lt;x&gt;");
        assert_eq!(command(&text)[0], "/Users/me/R&D <x>/bin/freeport");
        let program = "<key>Program</key><string>/opt/x</string><key>Label";
        let text = WRITTEN.replace("<key>Label", program);
        assert_eq!(command(&text), ["/opt/x", "app"]);
        let text = WRITTEN.replace("<array>", "<!-- <string>no</string> --><array>");
        assert_eq!(command(&text).len(), 2);
    }

    #[test]
    fn other_files_are_no_property_lists() {
        for text in [
            "",
            "bplist00\u{1}",
            "<html></html>",
            &WRITTEN[..300],
            "<plist></dict>",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("<plist></plist>"), Some(Agent::default()));
    }
}
