//! The table `audit_log`.

use rusqlite::{Connection, Row, params};

use crate::model::log::{Entry, Happened, Wanted};
use crate::model::{Port, Timestamp};

pub(super) fn add(db: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO audit_log (at, event, port, protocol, project, service_name, uid, pid, name, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        entry.at.millis(),
        entry.event.word(),
        entry.port.map(Port::get),
        entry.protocol.map(super::row::word),
        entry.project,
        entry.service,
        entry.uid,
        entry.pid,
        entry.name,
        entry.detail,
    ])?;
    Ok(())
}

/// The entries that are wanted, oldest first.
pub(super) fn read(db: &Connection, wanted: &Wanted) -> rusqlite::Result<Vec<Entry>> {
    let mut select = db.prepare(
        "SELECT at, event, port, protocol, project, service_name, uid, pid, name, detail FROM audit_log
         WHERE (?1 IS NULL OR port = ?1) AND at >= ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let since = wanted.since.map_or(0, Timestamp::millis);
    let rows = select.query_map(params![wanted.port.map(Port::get), since, limit], entry)?;
    let mut entries: Vec<Entry> = rows.collect::<rusqlite::Result<_>>()?;
    entries.reverse();
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let event: String = row.get(1)?;
    let protocol: Option<String> = row.get(3)?;
    Ok(Entry {
        at: Timestamp::of_millis(row.get(0)?),
        event: Happened::ALL
            .into_iter()
            .find(|known| known.word() == event)
            .unwrap_or(Happened::Unknown),
        port: row.get::<_, Option<u16>>(2)?.and_then(Port::new),
        protocol: protocol.as_deref().and_then(super::row::protocol),
        project: row.get(4)?,
        service: row.get(5)?,
        uid: row.get(6)?,
        pid: row.get(7)?,
        name: row.get(8)?,
        detail: row.get(9)?,
    })
}

/// Removes what is older than `oldest`, and what is more than `rows`.
pub(super) fn prune(db: &Connection, oldest: Timestamp, rows: u64) -> rusqlite::Result<usize> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let by_age = db.execute("DELETE FROM audit_log WHERE at < ?1", [oldest.millis()])?;
    let by_count = db.execute(
        "DELETE FROM audit_log WHERE id <= (SELECT max(id) FROM audit_log) - ?1",
        [rows],
    )?;
    Ok(by_age + by_count)
}
