//! The versions of the database, and the way from each to the next. A migration that was released
//! is never changed: what it did is in databases.

use rusqlite::{Connection, TransactionBehavior};

/// Each takes a database from the version that is its place in the list to the next one.
const MIGRATIONS: [&str; 2] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
];

/// The newest version.
pub const NEWEST: i64 = MIGRATIONS.len() as i64;

/// The version of a database; 0 when it is empty.
pub fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a database to the newest version. Of several that try at once, one does it.
pub fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    if version(db)? >= NEWEST {
        return Ok(());
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (before, migration) in (0..).zip(MIGRATIONS) {
        if version(&change)? == before {
            change.execute_batch(migration)?;
            change.pragma_update(None, "user_version", before + 1)?;
        }
    }
    change.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_every_version_is_brought_to_the_newest() {
        for start in 0..=MIGRATIONS.len() {
            let mut db = Connection::open_in_memory().unwrap();
            for migration in &MIGRATIONS[..start] {
                db.execute_batch(migration).unwrap();
            }
            db.pragma_update(None, "user_version", start as i64)
                .unwrap();
            if start > 0 {
                let row = "INSERT INTO ports (port, protocol, uid, status, hold, kept, created_at)
                           VALUES (3000, 'tcp', 1000, 'reserved', 'advisory', 1, 0)";
                db.execute(row, []).unwrap();
            }
            migrate(&mut db).unwrap();
            assert_eq!(version(&db).unwrap(), NEWEST);
            let kept: u32 = db
                .query_row("SELECT count(*) FROM ports", [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                kept,
                u32::from(start > 0),
                "nothing is lost from version {start}"
            );
            migrate(&mut db).unwrap();
        }
    }
}
