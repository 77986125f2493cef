//! What is typed, clicked and pasted, as events.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use ratatui::crossterm::event::{
    self, Event as Typed, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
};

use super::state::Event;

/// Reads until nobody wants to know any more.
pub fn start(tell: Sender<Event>) -> io::Result<()> {
    let read = move || {
        // An error is the end of the terminal, which `ending` tells of.
        while let Ok(typed) = event::read() {
            let event = match typed {
                Typed::Key(key) if key.kind != KeyEventKind::Release => {
                    let (escape, key) = meant(key);
                    if escape && tell.send(Event::Key(KeyCode::Esc.into())).is_err() {
                        break;
                    }
                    Event::Key(key)
                }
                Typed::Mouse(mouse) => Event::Mouse(mouse),
                Typed::Paste(text) => Event::Pasted(text),
                Typed::Resize(width, height) => Event::Resized((width, height)),
                _ => continue,
            };
            if tell.send(event).is_err() {
                break;
            }
        }
    };
    thread::Builder::new()
        .name("input".into())
        .stack_size(256 * 1024)
        .spawn(read)?;
    Ok(())
}

/// What a key means, and whether it comes after Esc.
fn meant(key: KeyEvent) -> (bool, KeyEvent) {
    match (key.code, key.modifiers) {
        // What is typed before the terminal tells every key has its end of line translated.
        (KeyCode::Char('j'), KeyModifiers::CONTROL) => (false, KeyCode::Enter.into()),
        // Esc and a key that follow each other at once cannot be told from one with Alt, and
        // nothing here is done with Alt.
        (KeyCode::Char(_), held) if held.contains(KeyModifiers::ALT) => {
            (true, KeyEvent::new(key.code, held - KeyModifiers::ALT))
        }
        _ => (false, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_terminals_mix_up() {
        let alt = KeyEvent::new(KeyCode::Char('/'), KeyModifiers::ALT);
        assert_eq!(meant(alt), (true, KeyCode::Char('/').into()));
        let line = KeyEvent::new(KeyCode::Char('j'), KeyModifiers::CONTROL);
        assert_eq!(meant(line), (false, KeyCode::Enter.into()));
        let plain = KeyEvent::from(KeyCode::Char('j'));
        assert_eq!(meant(plain), (false, plain));
    }
}
