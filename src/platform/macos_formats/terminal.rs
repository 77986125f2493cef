//! Names of terminals by device number.

/// The number of processes without a terminal (`NODEV`).
const NONE: u32 = u32::MAX;
/// The major number of pseudo-terminals (`ptsd_major` in xnu's tty_ptmx.c).
const PSEUDO: u32 = 16;

/// The name of the terminal with this number, as `ps` tells it.
pub fn name(device: u32) -> Option<String> {
    let (major, minor) = (device >> 24, device & 0x00ff_ffff);
    match (device, major) {
        (0 | NONE, _) => None,
        (_, PSEUDO) => Some(format!("ttys{minor:03}")),
        _ => Some(format!("{major}:{minor}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_named() {
        assert_eq!(name(NONE), None);
        assert_eq!(name(0), None);
        assert_eq!(name(PSEUDO << 24 | 3).as_deref(), Some("ttys003"));
        assert_eq!(name(PSEUDO << 24 | 1234).as_deref(), Some("ttys1234"));
        assert_eq!(name(2 << 24 | 1).as_deref(), Some("2:1"));
    }
}
