-- The reservations. Times are milliseconds since 1970, durations milliseconds.
CREATE TABLE ports (
  port           INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  protocol       TEXT    NOT NULL CHECK (protocol IN ('tcp', 'udp')),
  project        TEXT,
  service_name   TEXT,
  pid            INTEGER,
  pid_start      INTEGER,
  boot_id        TEXT,
  owner_name     TEXT,
  uid            INTEGER NOT NULL,
  metadata       TEXT    CHECK (metadata IS NULL OR json_valid(metadata)),
  status         TEXT    NOT NULL CHECK (status IN ('reserved', 'claimed', 'active', 'stale')),
  hold           TEXT    NOT NULL CHECK (hold IN ('advisory', 'held', 'handed-over')),
  kept           INTEGER NOT NULL CHECK (kept IN (0, 1)),
  token          TEXT,
  created_at     INTEGER NOT NULL,
  ttl            INTEGER,
  expires_at     INTEGER,
  last_heartbeat INTEGER,
  PRIMARY KEY (port, protocol)
) STRICT, WITHOUT ROWID;

-- Named sets of ports that jobs draw from: `ports` as in '15000-15999,20000'.
CREATE TABLE port_pools (
  name       TEXT    NOT NULL PRIMARY KEY,
  ports      TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened, and who asked for it.
CREATE TABLE audit_log (
  id           INTEGER PRIMARY KEY,
  at           INTEGER NOT NULL,
  event        TEXT    NOT NULL,
  port         INTEGER,
  protocol     TEXT,
  project      TEXT,
  service_name TEXT,
  uid          INTEGER NOT NULL,
  pid          INTEGER,
  name         TEXT,
  detail       TEXT
) STRICT;

-- What the user has set; everything else has its default.
CREATE TABLE config (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which ports a service had, so that it gets them again.
CREATE TABLE service_ports (
  project      TEXT    NOT NULL,
  service_name TEXT    NOT NULL,
  port         INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  used_at      INTEGER NOT NULL,
  PRIMARY KEY (project, service_name, port)
) STRICT, WITHOUT ROWID;

-- The two clocks when they were last compared: the wall's, and the one that stands still while the
-- machine sleeps. Where they have moved apart since, leases are moved along.
CREATE TABLE clock (
  id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  boot_id TEXT    NOT NULL,
  wall    INTEGER NOT NULL,
  awake   INTEGER NOT NULL
) STRICT;
