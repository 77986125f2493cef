//! The words that rows, conflicts and reservations share. What comes from other programs is escaped,
//! and cut off where it is long.

use std::path::Path;
use std::time::Duration;

use crate::ipc::view::ReservationView;
use crate::model::reservation::{HeldBy, Hold, Status};
use crate::model::text::{escape, shorten, tilde};
use crate::model::time::{long_age, short_age};
use crate::model::{Port, Process, Protocol, Timestamp};

/// The most characters of a name.
const NAME: usize = 40;
/// The most characters of a project's name beside other things.
const PROJECT: usize = 32;
/// The most characters of what a port is reserved for.
const PURPOSE: usize = 48;
/// The most characters of a command line.
const COMMAND: usize = 64;

/// What a process is called.
pub fn name(service: &str) -> String {
    shorten(&escape(service), NAME).into_owned()
}

/// The name of a project.
pub fn project(name: &str) -> String {
    shorten(&escape(name), PROJECT).into_owned()
}

/// A port; with its protocol, where that is not TCP.
pub fn spot(port: Port, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp => format!("{port}/udp"),
    }
}

/// Whom a reservation is for: `shop web`, or else `node (pid 42)`.
pub fn purpose(reservation: &ReservationView) -> String {
    let words: Vec<&str> = [&reservation.project, &reservation.service]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if words.is_empty() {
        return claimant(reservation).unwrap_or_else(|| "somebody else".to_owned());
    }
    shorten(&escape(&words.join(" ")), PURPOSE).into_owned()
}

/// The process that claimed it.
pub fn claimant(reservation: &ReservationView) -> Option<String> {
    let pid = reservation.pid?;
    let name = name(reservation.name.as_deref().unwrap_or("a process"));
    Some(format!("{name} (pid {pid})"))
}

/// How a port that is to be held is marked.
pub fn hold_mark(reservation: &ReservationView) -> Option<&'static str> {
    match (reservation.hold, &reservation.not_held) {
        (Hold::Held, _) => Some("held"),
        (Hold::Advisory, Some(_)) => Some("not held"),
        (Hold::Advisory, None) | (Hold::HandedOver, _) => None,
    }
}

/// How really a port is held, and by whom.
pub fn hold(reservation: &ReservationView) -> String {
    let by = match reservation.held_by {
        Some(HeldBy::Client) => {
            claimant(reservation).unwrap_or_else(|| "who claimed it".to_owned())
        }
        _ => "Freeport".to_owned(),
    };
    match (reservation.hold, &reservation.not_held) {
        (Hold::Advisory, None) => "advisory: others can still bind it".to_owned(),
        (Hold::Advisory, Some(why)) => {
            format!("⚠ not held: {}", shorten(&escape(why), COMMAND))
        }
        (Hold::Held, _) => format!("held by {by}: nobody else can bind it"),
        (Hold::HandedOver, _) => format!("handed over: whom it is for listens · held by {by}"),
    }
}

/// How long a reservation lasts if nothing happens, where that is known: `52m left`.
pub fn left(reservation: &ReservationView, now: Timestamp) -> Option<String> {
    // Who listens needs no lease.
    let waits = matches!(reservation.status, Status::Reserved | Status::Claimed);
    let expires = reservation.expires_at.filter(|_| waits)?;
    Some(match now.age(expires) {
        // A minute is fine enough: the menu is not to change every second.
        left if left < Duration::from_secs(60) => "less than a minute left".to_owned(),
        left => format!("{} left", short_age(left)),
    })
}

/// For how long something has been so: `2h 5m`.
pub fn duration(age: Duration) -> String {
    // Minutes are fine enough: the menu is not to change every second.
    if age.as_secs() < 60 {
        "less than a minute".to_owned()
    } else {
        long_age(Duration::from_secs(age.as_secs() / 60 * 60))
            .trim_end_matches(" 0s")
            .to_owned()
    }
}

/// The command line of a process, without the folder of its program, which says less than the
/// arguments behind it.
pub fn command(process: &Process) -> String {
    let command = process.command.as_str();
    let program = command.split(' ').next().unwrap_or(command);
    let told = match program.rfind('/') {
        Some(slash) if slash + 1 < program.len() => &command[slash + 1..],
        _ => command,
    };
    shorten(&escape(told), COMMAND).into_owned()
}

/// Where a process works: `in ~/shop · branch main`.
pub fn place(process: &Process, home: Option<&Path>) -> Option<String> {
    let folder = tilde(process.cwd.as_deref()?, home);
    let branch = process.project.as_deref().and_then(|p| p.branch.as_deref());
    Some(match branch {
        Some(branch) => format!("in {folder} · branch {}", escape(branch)),
        None => format!("in {folder}"),
    })
}

/// `1 port`, `2 ports`.
pub fn count(number: usize, one: &str, several: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{n} {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tray::scene;

    #[test]
    fn how_a_port_is_held_is_marked_and_told() {
        let held = |level, by, not_held: Option<&str>| ReservationView {
            hold: level,
            held_by: by,
            not_held: not_held.map(str::to_owned),
            ..scene::claim(3000, 42)
        };
        for (view, mark, told) in [
            (
                held(Hold::Advisory, None, None),
                None,
                "advisory: others can still bind it",
            ),
            (
                held(Hold::Advisory, None, Some("somebody else has it bound")),
                Some("not held"),
                "⚠ not held: somebody else has it bound",
            ),
            (
                held(Hold::Held, Some(HeldBy::App), None),
                Some("held"),
                "held by Freeport: nobody else can bind it",
            ),
            (
                held(Hold::Held, Some(HeldBy::Client), None),
                Some("held"),
                "held by node (pid 42): nobody else can bind it",
            ),
            (
                held(Hold::HandedOver, Some(HeldBy::App), None),
                None,
                "handed over: whom it is for listens · held by Freeport",
            ),
        ] {
            assert_eq!(hold_mark(&view), mark, "{told}");
            assert_eq!(hold(&view), told);
        }
    }
}
