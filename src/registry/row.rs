//! Reservations as rows of the table `ports`.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use crate::model::reservation::{Drawn, HeldBy, Hold, Lease, LeaseOwner, ReservationKey, Status};
use crate::model::{Port, ProcessKey, Protocol, Reservation, Timestamp};

/// The word for a protocol.
pub(super) fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// The protocol that a word means.
pub(super) fn protocol(word: &str) -> Option<Protocol> {
    [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .find(|known| self::word(*known) == word)
}

const COLUMNS: &str = "port, protocol, project, service_name, pid, pid_start, boot_id, owner_name, uid, \
    metadata, status, hold, kept, token, created_at, ttl, expires_at, last_heartbeat, \
    held_by, keep_held, reserved_service, pool, job_id";

/// All reservations.
pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Reservation>> {
    let mut select = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM ports ORDER BY port, protocol"
    ))?;
    let rows = select.query_map([], |row| Ok(reservation(row)))?;
    // A row that no version of Freeport wrote is left alone.
    Ok(rows
        .collect::<rusqlite::Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// Writes a reservation in the place of what was there.
pub(super) fn put(db: &Connection, r: &Reservation) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached(&format!(
        "INSERT OR REPLACE INTO ports ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)"
    ))?;
    let owner = r.owner.as_ref();
    insert.execute(params![
        r.port.get(),
        word(r.protocol),
        r.project,
        r.service,
        owner.map(|owner| owner.key.pid),
        owner.map(|owner| owner.key.start.cast_signed()),
        owner.map(|owner| &owner.boot),
        owner.map(|owner| &owner.name),
        r.uid,
        r.metadata,
        r.status.word(),
        r.hold.word(),
        r.kept,
        r.token,
        r.created_at.millis(),
        r.lease
            .map(|lease| i64::try_from(lease.ttl.as_millis()).unwrap_or(i64::MAX)),
        r.lease.map(|lease| lease.expires_at.millis()),
        r.last_heartbeat.map(Timestamp::millis),
        r.held_by.map(HeldBy::word),
        r.keep_held,
        r.reserved_service,
        r.drawn.as_ref().map(|drawn| &drawn.pool),
        r.drawn.as_ref().map(|drawn| &drawn.job_id),
    ])?;
    Ok(())
}

/// Removes a reservation.
pub(super) fn remove(db: &Connection, (port, protocol): ReservationKey) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM ports WHERE port = ?1 AND protocol = ?2")?;
    delete.execute(params![port.get(), word(protocol)])?;
    Ok(())
}

/// A token that nobody guesses.
pub(super) fn token(db: &Connection) -> rusqlite::Result<String> {
    db.prepare_cached("SELECT lower(hex(randomblob(16)))")?
        .query_row([], |row| row.get(0))
}

fn reservation(row: &Row<'_>) -> Option<Reservation> {
    let status: String = row.get(10).ok()?;
    let hold: String = row.get(11).ok()?;
    let statuses = [
        Status::Reserved,
        Status::Claimed,
        Status::Active,
        Status::Stale,
    ];
    let holds = [Hold::Advisory, Hold::Held, Hold::HandedOver];
    let ttl: Option<i64> = row.get(15).ok()?;
    let expires_at: Option<i64> = row.get(16).ok()?;
    Some(Reservation {
        port: Port::new(row.get(0).ok()?)?,
        protocol: protocol(&row.get::<_, String>(1).ok()?)?,
        project: row.get(2).ok()?,
        service: row.get(3).ok()?,
        owner: owner(row)?,
        uid: row.get(8).ok()?,
        metadata: row.get(9).ok()?,
        status: statuses.into_iter().find(|known| known.word() == status)?,
        hold: holds.into_iter().find(|known| known.word() == hold)?,
        kept: row.get(12).ok()?,
        token: row.get(13).ok()?,
        created_at: Timestamp::of_millis(row.get(14).ok()?),
        lease: ttl.zip(expires_at).map(|(ttl, expires_at)| Lease {
            ttl: Duration::from_millis(u64::try_from(ttl).unwrap_or(0)),
            expires_at: Timestamp::of_millis(expires_at),
        }),
        last_heartbeat: row
            .get::<_, Option<i64>>(17)
            .ok()?
            .map(Timestamp::of_millis),
        held_by: match row.get::<_, Option<String>>(18).ok()? {
            Some(word) => Some(
                [HeldBy::App, HeldBy::Client]
                    .into_iter()
                    .find(|known| known.word() == word)?,
            ),
            None => None,
        },
        keep_held: row.get(19).ok()?,
        reserved_service: row.get(20).ok()?,
        drawn: row
            .get::<_, Option<String>>(21)
            .ok()?
            .zip(row.get::<_, Option<String>>(22).ok()?)
            .map(|(pool, job_id)| Drawn { pool, job_id }),
    })
}

fn owner(row: &Row<'_>) -> Option<Option<LeaseOwner>> {
    let Some(pid) = row.get::<_, Option<u32>>(4).ok()? else {
        return Some(None);
    };
    let key = ProcessKey {
        pid,
        start: row.get::<_, i64>(5).ok()?.cast_unsigned(),
    };
    Some(Some(LeaseOwner {
        key,
        boot: row.get(6).ok()?,
        name: row.get::<_, Option<String>>(7).ok()?.unwrap_or_default(),
    }))
}
