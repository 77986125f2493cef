//! Joining what the kernel lists (the sockets of all users, without processes) with what processes
//! have open (only those that may be read).

use crate::model::Socket;

/// A socket that a process has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The socket.
    pub socket: Socket,
    /// The process.
    pub pid: u32,
}

/// The sockets of both sides, sorted, each once.
///
/// One is found on both sides by its handle; where the handles differ, by its port and address,
/// and it then has the handle of `held`, by which its process can be asked again. What is only in
/// `held` was opened since the list was made, or has been closed since it was found: it counts
/// when it is `fresh`, and is taken out of `held` otherwise.
pub fn join(listed: &[Socket], held: &mut Vec<Held>, fresh: bool) -> Vec<Socket> {
    let place = |socket: &Socket| (socket.port, socket.protocol, socket.address);
    let by_id = |socket: &Socket| listed.iter().any(|other| other.id == socket.id);
    let by_place = |socket: &Socket| listed.iter().any(|other| place(other) == place(socket));
    if !fresh {
        held.retain(|one| by_id(&one.socket) || by_place(&one.socket));
    }
    let strangers: Vec<Socket> = held
        .iter()
        .map(|one| one.socket)
        .filter(|socket| !by_id(socket))
        .collect();
    let mut sockets: Vec<Socket> = listed
        .iter()
        .filter(|socket| {
            held.iter().any(|one| one.socket.id == socket.id)
                || !strangers.iter().any(|other| place(other) == place(socket))
        })
        .copied()
        .collect();
    sockets.extend(strangers);
    sockets.sort_unstable();
    sockets.dedup();
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::attribute::tests::socket;

    fn held(port: u16, id: u64) -> Held {
        Held {
            socket: socket(port, id),
            pid: 9,
        }
    }

    fn ids(sockets: &[Socket]) -> Vec<(u16, u64)> {
        sockets.iter().map(|s| (s.port.get(), s.id.0)).collect()
    }

    #[test]
    fn a_socket_of_another_user_is_kept_without_process() {
        let listed = [socket(22, 1), socket(3000, 2)];
        let mut open = vec![held(3000, 2)];
        assert_eq!(ids(&join(&listed, &mut open, true)), [(22, 1), (3000, 2)]);
    }

    #[test]
    fn handles_that_differ_are_matched_by_address() {
        let listed = [socket(3000, 77)];
        let mut open = vec![held(3000, 2)];
        assert_eq!(ids(&join(&listed, &mut open, true)), [(3000, 2)]);
        assert_eq!(ids(&join(&listed, &mut open, false)), [(3000, 2)]);
    }

    #[test]
    fn two_sockets_at_one_address_stay_two() {
        let listed = [socket(3000, 1), socket(3000, 2)];
        let mut open = vec![held(3000, 1), held(3000, 2)];
        assert_eq!(ids(&join(&listed, &mut open, true)), [(3000, 1), (3000, 2)]);
        open.pop();
        assert_eq!(ids(&join(&listed, &mut open, true)), [(3000, 1), (3000, 2)]);
    }

    #[test]
    fn what_is_only_held_counts_while_it_is_fresh() {
        let mut open = vec![held(3000, 2)];
        assert_eq!(ids(&join(&[], &mut open, true)), [(3000, 2)]);
        assert_eq!(join(&[], &mut open, false), []);
        assert_eq!(open, []);
    }

    #[test]
    fn a_socket_of_two_processes_is_one() {
        let mut open = vec![
            held(3000, 2),
            Held {
                pid: 10,
                ..held(3000, 2)
            },
        ];
        assert_eq!(ids(&join(&[socket(3000, 2)], &mut open, true)), [(3000, 2)]);
    }
}
