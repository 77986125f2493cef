//! What macOS writes, decoded: purely, so that it is tested on every system.

pub mod address;
pub mod arguments;
pub mod join;
pub mod launch_agent;
pub mod pcb_list;
pub mod program;
pub mod terminal;
