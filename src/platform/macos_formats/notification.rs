//! What the buttons of a notification are called on macOS, and which one was pressed.
//!
//! Notifications of programs have one button, or one that opens a list. The list is handed to the
//! system as one text with commas between, and what was pressed is told by its title.

/// The title of the button that opens the list.
pub const MORE: &str = "Options";

/// The titles of buttons, from their ids and labels: each another one, and none with a comma.
pub fn titles(buttons: &[(String, String)]) -> Vec<String> {
    let mut titles: Vec<String> = Vec::with_capacity(buttons.len());
    for (_, label) in buttons {
        let mut title = label.replace(',', ";");
        if title.trim().is_empty() {
            title = "-".to_owned();
        }
        while title == MORE || titles.contains(&title) {
            title.push('\u{2019}');
        }
        titles.push(title);
    }
    titles
}

/// The id of the button with this title. None when it is the one that opens the list: nothing was
/// chosen then.
pub fn pressed<'a>(buttons: &'a [(String, String)], title: &str) -> Option<&'a str> {
    let at = titles(buttons).iter().position(|other| other == title)?;
    buttons.get(at).map(|(id, _)| id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buttons(labels: &[&str]) -> Vec<(String, String)> {
        let numbered = labels.iter().enumerate();
        numbered
            .map(|(number, label)| (format!("id-{number}"), (*label).to_owned()))
            .collect()
    }

    #[test]
    fn a_press_is_known_by_its_title() {
        let buttons = buttons(&["Kill node", "Release", "Ignore"]);
        let titles = titles(&buttons);
        assert_eq!(titles, ["Kill node", "Release", "Ignore"]);
        for (number, title) in titles.iter().enumerate() {
            assert_eq!(
                pressed(&buttons, title),
                Some(format!("id-{number}").as_str())
            );
        }
    }

    #[test]
    fn opening_the_list_presses_nothing() {
        let buttons = buttons(&["Kill", MORE]);
        assert_eq!(pressed(&buttons, MORE), None);
        assert_eq!(pressed(&buttons, ""), None);
        let titles = titles(&buttons);
        assert_ne!(titles[1], MORE);
        assert_eq!(pressed(&buttons, &titles[1]), Some("id-1"));
    }

    #[test]
    fn titles_are_told_apart_and_survive_the_list() {
        let buttons = buttons(&["Kill a, b", "Kill a, b", "", " "]);
        let titles = titles(&buttons);
        let list = titles.join(",");
        assert_eq!(list.split(',').collect::<Vec<_>>(), titles);
        for (number, title) in titles.iter().enumerate() {
            assert!(!title.trim().is_empty());
            assert_eq!(
                pressed(&buttons, title),
                Some(format!("id-{number}").as_str())
            );
        }
    }
}
