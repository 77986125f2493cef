//! Choosing a free port: which ones are tried, in which order, and which never.

use super::{Port, PortRange};

/// A set of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSet(Box<[u64; 1024]>);

impl Default for PortSet {
    fn default() -> PortSet {
        PortSet(Box::new([0; 1024]))
    }
}

impl PortSet {
    /// Adds a port.
    pub fn insert(&mut self, port: Port) {
        let number = usize::from(port.get());
        self.0[number / 64] |= 1 << (number % 64);
    }

    /// Whether a port is in it.
    pub fn contains(&self, port: Port) -> bool {
        let number = usize::from(port.get());
        self.0[number / 64] & (1 << (number % 64)) != 0
    }
}

impl FromIterator<Port> for PortSet {
    fn from_iter<I: IntoIterator<Item = Port>>(ports: I) -> PortSet {
        let mut set = PortSet::default();
        ports.into_iter().for_each(|port| set.insert(port));
        set
    }
}

/// Ports that browsers refuse to open ("bad ports" of the Fetch standard), above 1023.
const BROWSER_BLOCKED: [u16; 17] = [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669,
    6679,
];
/// The rest of them.
const BROWSER_BLOCKED_TOO: [u16; 2] = [6697, 10080];

/// Whether browsers refuse to open the port, where it is not privileged anyway.
pub fn is_browser_blocked(port: Port) -> bool {
    BROWSER_BLOCKED.contains(&port.get()) || BROWSER_BLOCKED_TOO.contains(&port.get())
}

/// What the system says of its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The first port that every user may bind.
    pub first_unprivileged: u16,
    /// The first and last port that the kernel gives to sockets that do not ask for one.
    pub ephemeral: (Port, Port),
}

/// What is wished.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// How many ports.
    pub count: usize,
    /// Whether they have to follow each other.
    pub block: bool,
    /// The ports to try first, in this order.
    pub first: &'a [Port],
    /// Where to look then.
    pub range: PortRange,
    /// Whether ports outside of `range` are wished, too, where that has too few.
    pub beyond: bool,
}

/// There are too few free ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Where was looked.
    pub range: PortRange,
    /// How many were wished.
    pub wished: usize,
    /// How many are free there.
    pub free: usize,
}

/// Chooses ports that are not `taken`, as wished: first those to try first, then those of the
/// range, then those of the system outside the ephemeral range. Never one that is privileged, or
/// that browsers refuse to open.
pub fn choose(
    wishes: &Wishes<'_>,
    grounds: &Grounds,
    taken: &PortSet,
) -> Result<Vec<Port>, Exhausted> {
    let suits = |port: &Port| {
        port.get() >= grounds.first_unprivileged
            && !is_browser_blocked(*port)
            && !taken.contains(*port)
    };
    let (first, last) = grounds.ephemeral;
    let beyond = PortRange::new(Port::MIN, Port::MAX)
        .into_iter()
        .flat_map(PortRange::iter)
        .filter(|port| wishes.beyond && !(first..=last).contains(port));
    if wishes.block {
        let starts = wishes
            .first
            .iter()
            .copied()
            .chain(wishes.range.iter())
            .chain(beyond);
        let blocks = starts.filter_map(|start| block(start, wishes, &suits));
        if let Some(found) = blocks.into_iter().next() {
            return Ok(found);
        }
    } else {
        let mut chosen = PortSet::default();
        let candidates = wishes
            .first
            .iter()
            .copied()
            .chain(wishes.range.iter())
            .chain(beyond);
        let new = |port: &Port| {
            let new = !chosen.contains(*port);
            chosen.insert(*port);
            new
        };
        let found: Vec<Port> = candidates
            .filter(suits)
            .filter(new)
            .take(wishes.count)
            .collect();
        if found.len() == wishes.count {
            return Ok(found);
        }
    }
    Err(Exhausted {
        range: wishes.range,
        wished: wishes.count,
        free: wishes.range.iter().filter(suits).count(),
    })
}

/// The ports from `start` on, if all suit; within the range, unless it may be left.
fn block(start: Port, wishes: &Wishes<'_>, suits: &impl Fn(&Port) -> bool) -> Option<Vec<Port>> {
    let after = u16::try_from(wishes.count.checked_sub(1)?).ok()?;
    let last = Port::new(start.get().checked_add(after)?)?;
    let block = PortRange::new(start, last).ok()?;
    let inside = wishes.beyond || wishes.range.contains(start) && wishes.range.contains(last);
    (inside && block.iter().all(|port| suits(&port))).then(|| block.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUNDS: Grounds = Grounds {
        first_unprivileged: 1024,
        ephemeral: (Port::MAX, Port::MAX),
    };

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn chosen(
        count: usize,
        block: bool,
        first: &[u16],
        range: &str,
        taken: &[u16],
    ) -> Result<Vec<u16>, usize> {
        let first: Vec<Port> = first.iter().map(|&p| port(p)).collect();
        let wishes = Wishes {
            count,
            block,
            first: &first,
            range: range.parse().unwrap(),
            beyond: false,
        };
        choose(&wishes, &GROUNDS, &taken.iter().map(|&p| port(p)).collect())
            .map(|ports| ports.into_iter().map(Port::get).collect())
            .map_err(|exhausted| exhausted.free)
    }

    #[test]
    fn the_first_that_is_free_is_chosen() {
        assert_eq!(
            chosen(1, false, &[3000, 3001], "4000-4010", &[3000]),
            Ok(vec![3001])
        );
        assert_eq!(
            chosen(2, false, &[3000], "4000-4010", &[4000]),
            Ok(vec![3000, 4001])
        );
        assert_eq!(
            chosen(2, false, &[4001], "4000-4010", &[]),
            Ok(vec![4001, 4000]),
            "none twice"
        );
        assert_eq!(
            chosen(1, false, &[], "1-2000", &[]),
            Ok(vec![1024]),
            "none that is privileged"
        );
        assert_eq!(
            chosen(1, false, &[6000], "6665-6670", &[]),
            Ok(vec![6670]),
            "none that is blocked"
        );
    }

    #[test]
    fn blocks_follow_each_other() {
        assert_eq!(
            chosen(3, true, &[3000], "4000-4010", &[3002, 4001]),
            Ok(vec![4002, 4003, 4004])
        );
        assert_eq!(
            chosen(3, true, &[], "4000-4003", &[4001]),
            Err(3),
            "three, but not in a row"
        );
        assert_eq!(
            chosen(3, true, &[], "65533-65535", &[]),
            Ok(vec![65533, 65534, 65535])
        );
        assert_eq!(chosen(4, true, &[], "65533-65535", &[]), Err(3));
    }

    #[test]
    fn an_exhausted_range_is_told() {
        assert_eq!(chosen(1, false, &[], "4000-4001", &[4000, 4001]), Err(0));
        let all = Wishes {
            count: 1,
            block: false,
            first: &[],
            range: "4000".parse().unwrap(),
            beyond: true,
        };
        let taken = [port(4000), port(1024)].into_iter().collect();
        assert_eq!(
            choose(&all, &GROUNDS, &taken),
            Ok(vec![port(1025)]),
            "the system has more"
        );
        let ephemeral = Grounds {
            ephemeral: (port(1), port(2000)),
            ..GROUNDS
        };
        assert_eq!(choose(&all, &ephemeral, &taken), Ok(vec![port(2001)]));
    }
}
