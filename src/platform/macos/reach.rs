//! Projects of folders. A file system that does not answer is not guarded against here yet.

pub use crate::platform::project::of as project_of;
