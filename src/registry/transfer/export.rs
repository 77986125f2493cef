//! Writing down all that a registry holds, the log aside, sorted, in a form that people can read.

use std::fmt::Write as _;

use super::entry::{is_kept, usual_reserved_service, usual_status};
use super::field::VERSION;
use super::quote::{key, string};
use crate::model::reservation::{Drawn, HeldBy, Hold, LeaseOwner};
use crate::model::settings::{Kind, Settings, find};
use crate::model::{Protocol, Reservation, Timestamp};
use crate::registry::backup::dated;
use crate::registry::content::{Content, Pool, Remembered};
use crate::registry::{Registry, RegistryError};

/// Writes down all that a registry holds at this moment.
pub fn export(registry: &Registry) -> Result<String, RegistryError> {
    let content = Content::read(registry.database())
        .map_err(|error| RegistryError::of(registry.path(), error))?;
    Ok(text(&content, registry.uid()))
}

/// The text of a file, where `uid` is the user whose registry it is.
pub(super) fn text(content: &Content, uid: u32) -> String {
    let mut text = String::from(
        "# What Freeport keeps: settings, reservations, and the ports that services had before.\n\
         # 'freeport import FILE' reads it.\n",
    );
    if content.rows.values().any(|row| row.token.is_some()) {
        text.push_str(
            "# Whoever knows a token in it can release that claim: keep it to yourself.\n",
        );
    }
    text.push_str(&format!("version = {VERSION}\n"));
    settings(&mut text, &content.settings());
    for row in content.rows.values() {
        reservation(&mut text, row, uid);
    }
    history(&mut text, &content.history);
    pools(&mut text, &content.pools);
    text
}

/// Adds a line `key = value`. Writing to a String cannot fail.
fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name} = {value}");
}

fn settings(text: &mut String, settings: &Settings) {
    if settings.iter().next().is_some() {
        text.push_str("\n[settings]\n");
    }
    for (name, value) in settings.iter() {
        match find(name).map(|key| key.kind) {
            Ok(Kind::Seconds(..) | Kind::Number(..) | Kind::Switch) => line(text, name, value),
            Ok(Kind::Ports) => line(text, name, format_args!("[{}]", value.replace(',', ", "))),
            Ok(Kind::Range | Kind::List | Kind::Socket) | Err(_) => line(text, name, string(value)),
        }
    }
}

fn reservation(text: &mut String, row: &Reservation, uid: u32) {
    text.push_str("\n[[reservation]]\n");
    line(text, "port", row.port);
    if row.protocol == Protocol::Udp {
        line(text, "protocol", string("udp"));
    }
    optional(text, "project", row.project.as_deref());
    optional(text, "service", row.service.as_deref());
    optional(text, "metadata", row.metadata.as_deref());
    date(text, "created_at", Some(row.created_at));
    let has_token = row.token.is_some();
    if row.kept != is_kept(row.lease.is_some(), has_token) {
        line(text, "kept", row.kept);
    }
    if let Some(lease) = row.lease {
        let ttl = humantime::format_duration(lease.ttl).to_string();
        line(text, "ttl", string(&ttl));
    }
    date(text, "expires_at", row.lease.map(|lease| lease.expires_at));
    date(text, "last_heartbeat", row.last_heartbeat);
    if row.status != usual_status(has_token) {
        line(text, "status", string(row.status.word()));
    }
    if row.hold != Hold::Advisory {
        line(text, "hold", string(row.hold.word()));
    }
    optional(text, "held_by", row.held_by.map(HeldBy::word));
    if row.keep_held {
        line(text, "keep_held", true);
    }
    if row.reserved_service != usual_reserved_service(row.kept, row.service.as_ref()) {
        // An empty one says that it was reserved for no service in particular.
        let service = row.reserved_service.as_deref().unwrap_or_default();
        line(text, "reserved_service", string(service));
    }
    if let Some(Drawn { pool, job_id }) = &row.drawn {
        line(text, "pool", string(pool));
        line(text, "job_id", string(job_id));
    }
    if row.uid != uid {
        line(text, "uid", row.uid);
    }
    optional(text, "token", row.token.as_deref());
    if let Some(LeaseOwner { key, boot, name }) = &row.owner {
        let process = string(&key.to_string());
        let (name, boot) = (string(name), string(boot));
        line(
            text,
            "owner",
            format_args!("{{ process = {process}, name = {name}, boot = {boot} }}"),
        );
    }
}

fn optional(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(text, name, string(value));
    }
}

fn date(text: &mut String, name: &str, time: Option<Timestamp>) {
    if let Some(time) = time {
        line(text, name, dated(time));
    }
}

/// The ports that services had, the last one of each first.
fn history(text: &mut String, history: &[Remembered]) {
    for project in history.chunk_by(|one, other| one.project == other.project) {
        if let Some(first) = project.first() {
            let _ = write!(text, "\n[history.{}]\n", key(&first.project));
        }
        for service in project.chunk_by(|one, other| one.service == other.service) {
            let ports: Vec<String> = service.iter().map(|had| had.port.to_string()).collect();
            if let Some(first) = service.first() {
                line(
                    text,
                    &key(&first.service),
                    format_args!("[{}]", ports.join(", ")),
                );
            }
        }
    }
}

fn pools(text: &mut String, pools: &[Pool]) {
    for pool in pools {
        let _ = write!(text, "\n[pools.{}]\n", key(&pool.name));
        line(text, "ports", string(&pool.ports));
        date(
            text,
            "created_at",
            Some(Timestamp::of_millis(pool.created_at)),
        );
    }
}
