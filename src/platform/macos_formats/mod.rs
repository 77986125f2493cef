//! What macOS writes, decoded: purely, so that it is tested on every system.

pub mod address;
pub mod arguments;
pub mod join;
pub mod launch_agent;
pub mod notification;
pub mod pcb_list;
pub mod program;
pub mod socket_info;
pub mod terminal;
