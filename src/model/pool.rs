//! Pools: named sets of ports that jobs draw from. Which ports are drawn, what is wrong with those
//! of a pool, and how a set of ports is told. Pure.

use super::choice::{Grounds, PortSet, is_browser_blocked};
use super::{Port, PortList, PortRange, ProcessKey, Timestamp};

/// The pool that the portserver draws from. It is no pool that can be made.
pub const PORTSERVER: &str = "portserver";
/// The most pools that there can be.
pub const POOLS_LIMIT: usize = 1024;
/// How many ranges of a set are told at most.
const TOLD: usize = 8;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its ports.
    pub ports: PortList,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Somebody who waits for ports of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Its place: who came first has the lower one.
    pub place: i64,
    /// The pool.
    pub pool: String,
    /// The job that the ports are for.
    pub job_id: String,
    /// How many are wanted.
    pub count: usize,
    /// The process that asks: when it ends, its place is lost.
    pub process: ProcessKey,
    /// The boot of the system in which that identity means something.
    pub boot: String,
    /// Since when it has waited.
    pub since: Timestamp,
    /// When it asked last, in milliseconds of the time that the machine was awake.
    pub seen_ms: i64,
}

/// There are too few ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// There never are so many, whoever gives back what he has.
    Ever,
    /// There are only so many free now, in a row where that is wished.
    Now,
}

/// What a port of a pool is for who draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Free, since the time that this number stands for: a lower one is longer ago.
    Free(i64),
    /// Somebody has it.
    Taken,
    /// It needs a right that the user does not have.
    Never,
}

/// Draws ports: those first that have been free for longest, so that one that was just given back
/// is left alone for as long as possible. All that were wished, or none.
pub fn draw(
    ports: &PortList,
    standing: impl Fn(Port) -> Standing,
    count: usize,
    block: bool,
) -> Result<Vec<Port>, TooFew> {
    let rated: Vec<(Port, Standing)> = ports.iter().map(|port| (port, standing(port))).collect();
    let drawn = if block {
        in_a_row(&rated, count)
    } else {
        apart(&rated, count)
    };
    drawn.ok_or_else(|| {
        let open: Vec<(Port, Standing)> = rated
            .iter()
            .filter(|(_, standing)| *standing != Standing::Never)
            .map(|(port, _)| (*port, Standing::Free(0)))
            .collect();
        let ever = if block {
            in_a_row(&open, count).is_some()
        } else {
            open.len() >= count
        };
        if ever { TooFew::Now } else { TooFew::Ever }
    })
}

fn apart(rated: &[(Port, Standing)], count: usize) -> Option<Vec<Port>> {
    let mut free: Vec<(i64, Port)> = rated
        .iter()
        .filter_map(|(port, standing)| match standing {
            Standing::Free(since) => Some((*since, *port)),
            _ => None,
        })
        .collect();
    free.sort_unstable();
    let mut drawn: Vec<Port> = free.into_iter().take(count).map(|(_, port)| port).collect();
    drawn.sort_unstable();
    (drawn.len() == count).then_some(drawn)
}

/// The first row of free ports of which none was given back later than those of any other row.
fn in_a_row(rated: &[(Port, Standing)], count: usize) -> Option<Vec<Port>> {
    let latest = |row: &[(Port, Standing)]| -> Option<i64> {
        let (first, last) = (row.first()?.0.get(), row.last()?.0.get());
        let follow = usize::from(last - first) + 1 == count;
        let each = row.iter().map(|(_, standing)| match standing {
            Standing::Free(since) => Some(*since),
            _ => None,
        });
        let since: Option<Vec<i64>> = each.collect();
        since?.into_iter().max().filter(|_| follow)
    };
    let rows = rated.windows(count.max(1));
    let (_, row) = rows
        .filter_map(|row| Some((latest(row)?, row)))
        .min_by_key(|(since, _)| *since)?;
    Some(row.iter().map(|(port, _)| *port).collect())
}

/// What is wrong with the ports of a pool, where these are the `others`.
pub fn warnings(pool: &str, ports: &PortList, grounds: &Grounds, others: &[Pool]) -> Vec<String> {
    let told = |some: Vec<Port>, what: &str| {
        let (is, are) = match some.len() {
            0 => return None,
            1 => ("is", spans(&some)),
            _ => ("are", spans(&some)),
        };
        Some(format!("{are} {is} {what}"))
    };
    let of = |which: &dyn Fn(Port) -> bool| ports.iter().filter(|port| which(*port)).collect();
    let (first, last) = grounds.ephemeral;
    let ephemeral: Vec<Port> = of(&|port| (first..=last).contains(&port));
    let lent = format!(
        "in the range {first}-{last}, from which the system gives ports to any program that connects: use ports outside of it"
    );
    let blocked: Vec<Port> = of(&|port| is_browser_blocked(port));
    let privileged: Vec<Port> = of(&|port| port.get() < grounds.first_unprivileged);
    let shared = others.iter().filter(|other| other.name != pool);
    let shared = shared.filter_map(|other| {
        let name = super::text::escape(&other.name).into_owned();
        told(
            of(&|port| other.ports.contains(port)),
            &format!("in the pool {name}, too: what one gives out, the other does not"),
        )
    });
    [
        told(ephemeral, &lent),
        told(
            blocked,
            "refused by browsers: leave them out where a page is opened",
        ),
        told(
            privileged,
            &format!(
                "below {}, where servers need a right of their own",
                grounds.first_unprivileged
            ),
        ),
    ]
    .into_iter()
    .flatten()
    .chain(shared)
    .collect()
}

/// Some ports as people write them, which come upwards: `15000-15002, 15007`. Of many, the first.
pub fn spans(ports: &[Port]) -> String {
    let mut ranges: Vec<(Port, Port)> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.get().checked_add(1) == Some(port.get()) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    let more = ranges.len().saturating_sub(TOLD);
    let mut texts: Vec<String> = ranges
        .into_iter()
        .take(TOLD)
        .filter_map(|(first, last)| Some(PortRange::new(first, last).ok()?.to_string()))
        .collect();
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    texts.join(", ")
}

/// The ports of a list in turn: from the one after `last` on, each once.
pub fn in_turn(ports: &PortList, last: Option<Port>) -> impl Iterator<Item = Port> {
    let last = last.map_or(0, Port::get);
    let part = move |after: u16, to: u16| {
        let within = move |range: &PortRange| {
            let first = u32::from(range.first().get()).max(u32::from(after) + 1);
            let last = u32::from(range.last().get().min(to));
            (first..=last).filter_map(|number| Port::new(u16::try_from(number).ok()?))
        };
        ports.ranges().iter().flat_map(within)
    };
    part(last, u16::MAX).chain(part(0, last))
}

/// The ports of a list that are in a set.
pub fn count_in(ports: &PortList, set: &PortSet) -> usize {
    ports.iter().filter(|port| set.contains(*port)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    fn list(text: &str) -> PortList {
        text.parse().unwrap()
    }

    /// Draws where some are taken, and some were given back, each later than the one before it.
    fn drawn(
        ports: &str,
        taken: &[u16],
        given_back: &[u16],
        count: usize,
        block: bool,
    ) -> Result<Vec<u16>, TooFew> {
        let standing = |port: Port| match port.get() {
            number if number < 1024 => Standing::Never,
            number if taken.contains(&number) => Standing::Taken,
            number => {
                let at = given_back.iter().position(|back| *back == number);
                Standing::Free(at.map_or(0, |at| at as i64 + 1))
            }
        };
        draw(&list(ports), standing, count, block)
            .map(|ports| ports.into_iter().map(Port::get).collect())
    }

    #[test]
    fn the_one_that_was_free_for_longest_is_drawn() {
        assert_eq!(drawn("2000-2003", &[], &[], 2, false), Ok(vec![2000, 2001]));
        assert_eq!(
            drawn("2000-2003", &[2001], &[2000], 2, false),
            Ok(vec![2002, 2003])
        );
        assert_eq!(
            drawn("2000-2002", &[], &[2002, 2000, 2001], 1, false),
            Ok(vec![2002])
        );
        assert_eq!(
            drawn("2000-2002", &[], &[2002, 2000, 2001], 3, false),
            Ok(vec![2000, 2001, 2002])
        );
    }

    #[test]
    fn ports_in_a_row_are_drawn_together() {
        assert_eq!(
            drawn("2000-2005", &[2001], &[], 3, true),
            Ok(vec![2002, 2003, 2004])
        );
        assert_eq!(
            drawn("2000-2005", &[], &[2001], 2, true),
            Ok(vec![2002, 2003])
        );
        // A hole in the list is none in the row.
        assert_eq!(
            drawn("2000-2001,2003-2005", &[], &[2004], 3, true),
            Ok(vec![2003, 2004, 2005])
        );
        assert_eq!(
            drawn("2000-2001,2003-2004", &[], &[], 3, true),
            Err(TooFew::Ever)
        );
        assert_eq!(drawn("2000-2004", &[2002], &[], 3, true), Err(TooFew::Now));
    }

    #[test]
    fn too_few_now_and_too_few_ever() {
        assert_eq!(drawn("2000-2002", &[2000], &[], 3, false), Err(TooFew::Now));
        assert_eq!(drawn("2000-2002", &[], &[], 4, false), Err(TooFew::Ever));
        assert_eq!(drawn("1000-1002", &[], &[], 1, false), Err(TooFew::Ever));
        assert_eq!(drawn("1023-1024", &[], &[], 1, true), Ok(vec![1024]));
    }

    #[test]
    fn what_is_wrong_with_a_pool_is_told() {
        let grounds = Grounds {
            first_unprivileged: 1024,
            ephemeral: (port(32768), port(60999)),
        };
        let other = Pool {
            name: "b".into(),
            ports: list("6001-6100"),
            created_at: Timestamp::of_millis(0),
        };
        let of = |text: &str| warnings("a", &list(text), &grounds, std::slice::from_ref(&other));
        assert!(of("15000-15999").is_empty());
        let all = of("1000,5999-6001,32767-32769");
        assert_eq!(all.len(), 4, "{all:#?}");
        assert!(all[0].starts_with("32768-32769 are in the range 32768-60999"));
        assert_eq!(
            all[1],
            "6000 is refused by browsers: leave them out where a page is opened"
        );
        assert!(all[2].starts_with("1000 is below 1024"));
        assert!(all[3].starts_with("6001 is in the pool b, too"));
    }

    #[test]
    fn ports_are_told_as_ranges() {
        let told = |numbers: &[u16]| {
            spans(
                &numbers
                    .iter()
                    .map(|number| port(*number))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(told(&[]), "");
        assert_eq!(told(&[1, 2, 3, 7]), "1-3, 7");
        let apart: Vec<u16> = (1..12).map(|number| number * 2).collect();
        assert_eq!(told(&apart), "2, 4, 6, 8, 10, 12, 14, 16, 3 more");
        assert_eq!(told(&[65534, 65535]), "65534-65535");
    }

    #[test]
    fn ports_take_turns() {
        let turn = |last: Option<u16>| -> Vec<u16> {
            in_turn(&list("10-11,20"), last.map(port))
                .map(Port::get)
                .collect()
        };
        assert_eq!(turn(None), [10, 11, 20]);
        assert_eq!(turn(Some(10)), [11, 20, 10]);
        assert_eq!(turn(Some(15)), [20, 10, 11]);
        assert_eq!(turn(Some(20)), [10, 11, 20]);
        assert_eq!(turn(Some(9)), [10, 11, 20]);
        let all: Vec<Port> = in_turn(&list("65534-65535"), Some(Port::MAX)).collect();
        assert_eq!(all, [port(65534), port(65535)]);
    }
}
