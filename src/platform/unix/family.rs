//! The tree of processes, walked by pids and their parents.

use std::collections::HashMap;

/// The pids below `top`, each before its parent, from pairs of a pid and its parent's pid.
pub fn below(top: u32, pairs: impl Iterator<Item = (u32, u32)>) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, parent) in pairs {
        children.entry(parent).or_default().push(pid);
    }
    let mut below = Vec::new();
    let mut next = vec![top];
    while let Some(pid) = next.pop() {
        let of = children.remove(&pid).unwrap_or_default();
        below.extend(of.iter().copied());
        next.extend(of);
    }
    // Parents were added before their children.
    below.reverse();
    below
}

/// `pid` and the pids above it, up to init.
pub fn lineage(pid: u32, parent_of: impl Fn(u32) -> Option<u32>) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut next = pid;
    while let Some(parent) = parent_of(next).filter(|&parent| parent != 0 && pids.len() < 256) {
        pids.push(parent);
        next = parent;
    }
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(u32, u32); 6] = [(1, 0), (5, 1), (6, 5), (7, 5), (8, 6), (9, 1)];

    #[test]
    fn a_family_is_listed_leaves_first() {
        let family = below(5, PAIRS.into_iter());
        let at = |pid: u32| family.iter().position(|&p| p == pid).unwrap();
        assert_eq!(family.len(), 3);
        assert!(at(8) < at(6) && family.contains(&7));
        assert_eq!(below(9, PAIRS.into_iter()), [0u32; 0]);
    }

    #[test]
    fn a_lineage_ends_at_init_and_in_a_circle() {
        let parent_of = |pid| PAIRS.iter().find(|(p, _)| *p == pid).map(|(_, up)| *up);
        assert_eq!(lineage(8, parent_of), [8, 6, 5, 1]);
        assert_eq!(lineage(3, parent_of), [3]);
        assert_eq!(lineage(3, Some).len(), 256);
    }
}
