//! The entries that a menu is made of, and what a click on one does. Knows nothing of what they are
//! about.

use crate::ipc::view::ReservationView;
use crate::model::{Port, ProcessKey, Protocol};

/// An entry of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Text to read.
    Info(String),
    /// A line between groups.
    Separator,
    /// Something to do.
    Button {
        /// What it says.
        label: String,
        /// What it does.
        action: Action,
        /// Whether it can be done now.
        enabled: bool,
    },
    /// Something that is on or off.
    Check {
        /// What it says.
        label: String,
        /// Whether it is on.
        on: bool,
        /// What changes it.
        action: Action,
    },
    /// Entries of their own.
    Sub {
        /// What it says.
        label: String,
        /// The entries.
        items: Vec<Item>,
    },
}

/// What a click does. It names all that the entry said it would be about, so that two entries with
/// the same action may stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opens this address in the browser.
    Open(String),
    /// Puts this text into the clipboard.
    Copy(String),
    /// Ends exactly this process, if it still listens on the port.
    Kill {
        /// The port.
        port: Port,
        /// The process that was shown.
        key: ProcessKey,
        /// With SIGKILL.
        force: bool,
    },
    /// Stops exactly this container, if it still publishes the port.
    Stop {
        /// The port.
        port: Port,
        /// The id of the container that was shown.
        container: String,
    },
    /// Reserves a port for a project.
    Reserve {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// The project.
        project: String,
    },
    /// Gives exactly this reservation back.
    Release(Meant),
    /// Does not warn of this process on this port any more.
    Ignore {
        /// The port.
        port: Port,
        /// The protocol.
        protocol: Protocol,
        /// The process that was shown.
        key: ProcessKey,
    },
    /// Switches a setting.
    Set {
        /// The name of the setting.
        key: &'static str,
        /// What it is to be.
        on: bool,
    },
    /// Shows the ports of the system and of other users, or not.
    ShowSystem(bool),
    /// Starts Freeport at login, or not.
    LaunchAtLogin(bool),
    /// Ends Freeport.
    Quit,
}

/// Which reservation is meant: of what, and for whom. Another one of the same port is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// Its port.
    pub port: Port,
    /// Its protocol.
    pub protocol: Protocol,
    /// The project that it is for.
    pub project: Option<String>,
    /// The service that it is for.
    pub service: Option<String>,
    /// The process that claimed it.
    pub key: Option<ProcessKey>,
}

impl Meant {
    /// The one that is shown.
    pub fn of(shown: &ReservationView) -> Meant {
        Meant {
            port: shown.port,
            protocol: shown.protocol,
            project: shown.project.clone(),
            service: shown.service.clone(),
            key: shown.key,
        }
    }

    /// Whether it is this one.
    pub fn is(&self, other: &ReservationView) -> bool {
        *self == Meant::of(other)
    }
}
