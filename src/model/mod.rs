//! Pure values: what a port, a listener, a process and a snapshot are, and what follows from them.
//!
//! Nothing here reads a clock, a file or an environment variable, and nothing here depends on the
//! operating system. Everything that decides (grouping sockets into listeners, naming a service,
//! comparing two snapshots, planning a kill) is a function of its arguments.

pub mod address;
pub mod attribute;
pub mod choice;
pub mod conflict;
pub mod container;
pub mod diff;
pub mod job;
pub mod kill;
pub mod leftover;
pub mod listener;
pub mod log;
pub mod news;
pub mod pool;
pub mod port;
pub mod port_list;
pub mod process;
pub mod project;
pub mod reservation;
pub mod service;
pub mod settings;
pub mod snapshot;
pub mod supervisor;
pub mod text;
pub mod time;
pub mod visibility;

pub use address::Address;
pub use conflict::Conflict;
pub use container::Container;
pub use listener::{Listener, Protocol, Socket, SocketId};
pub use port::{Port, PortError, PortRange};
pub use port_list::{PortList, PortListError};
pub use process::{Ancestor, Process, ProcessKey};
pub use project::Project;
pub use reservation::Reservation;
pub use snapshot::{Gap, GapKind, Snapshot};
pub use time::Timestamp;
