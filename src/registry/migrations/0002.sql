-- Ports that are bound, so that nobody else can bind them: by whom, and whether the app holds the
-- port whenever no client does.
ALTER TABLE ports ADD COLUMN held_by TEXT CHECK (held_by IS NULL OR held_by IN ('app', 'client'));
ALTER TABLE ports ADD COLUMN keep_held INTEGER NOT NULL DEFAULT 0 CHECK (keep_held IN (0, 1));

-- The service that a port was reserved for, whichever one claims it meanwhile.
ALTER TABLE ports ADD COLUMN reserved_service TEXT;
UPDATE ports SET reserved_service = service_name WHERE kept = 1;

-- The pool that a port was drawn from, and the job that it was drawn for.
ALTER TABLE ports ADD COLUMN pool TEXT;
ALTER TABLE ports ADD COLUMN job_id TEXT;

-- The order in which drawn ports were given back: of a pool, those come first that have been free for
-- longest. The database notes it by itself, so that no way of ending a claim forgets to.
CREATE TABLE given_back (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  port     INTEGER NOT NULL,
  protocol TEXT    NOT NULL,
  UNIQUE (port, protocol) ON CONFLICT REPLACE
) STRICT;
CREATE TRIGGER gives_back AFTER DELETE ON ports WHEN OLD.pool <> 'portserver'
BEGIN
  INSERT INTO given_back (port, protocol) VALUES (OLD.port, OLD.protocol);
END;

-- Who waits for ports of a pool, first come first served. `since` is in milliseconds since 1970,
-- `seen_ms`, when it asked last, in milliseconds that the machine has been awake in that boot.
CREATE TABLE pool_waiters (
  place     INTEGER PRIMARY KEY AUTOINCREMENT,
  pool      TEXT    NOT NULL,
  job_id    TEXT    NOT NULL,
  count     INTEGER NOT NULL,
  pid       INTEGER NOT NULL,
  pid_start INTEGER NOT NULL,
  boot_id   TEXT    NOT NULL,
  since     INTEGER NOT NULL,
  seen_ms   INTEGER NOT NULL
) STRICT;
