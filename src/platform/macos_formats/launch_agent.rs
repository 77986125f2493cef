//! What a launch agent's property list says (launchd.plist(5)), in its XML form.

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

    /// The form that the auto-launch crate writes.
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
