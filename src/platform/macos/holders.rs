//! Which sockets a process has open, from libproc.

use libproc::bsd_info::BSDInfo;
use libproc::file_info::{ListFDs, ProcFDInfo, ProcFDType};
use libproc::proc_pid::{listpidinfo, pidinfo};
use libproc::processes::{ProcFilter, pids_by_type};

use super::kernel;
use crate::model::{Socket, SocketId};
use crate::platform::macos_formats::join::Held;
use crate::platform::macos_formats::socket_info;

// The same numbers as <sys/proc_info.h> gives in C: a change of libproc's hand-written structures
// stops the build instead of reading wrong bytes. Sockets are decoded from bytes in socket_info,
// whose offsets are compared with libproc's here.
const _: () = {
    use std::mem::offset_of;

    use libproc::net_info::{InSockInfo, SocketFDInfo, SocketInfo, TcpSockInfo};
    assert!(size_of::<SocketFDInfo>() == socket_info::LENGTH);
    assert!(offset_of!(SocketFDInfo, psi) == 24);
    assert!(size_of::<SocketInfo>() == 768);
    assert!(offset_of!(SocketInfo, soi_so) == 136);
    assert!(offset_of!(SocketInfo, soi_protocol) == 156);
    assert!(offset_of!(SocketInfo, soi_family) == 160);
    assert!(offset_of!(SocketInfo, soi_kind) == 232);
    assert!(offset_of!(SocketInfo, soi_proto) == 240);
    assert!(size_of::<InSockInfo>() == 80);
    assert!(offset_of!(InSockInfo, insi_fport) == 0);
    assert!(offset_of!(InSockInfo, insi_lport) == 4);
    assert!(offset_of!(InSockInfo, insi_vflag) == 24);
    assert!(offset_of!(InSockInfo, insi_laddr) == 48);
    assert!(size_of::<TcpSockInfo>() == 120);
    assert!(offset_of!(TcpSockInfo, tcpsi_state) == 80);
    assert!(size_of::<ProcFDInfo>() == 8);
    assert!(size_of::<BSDInfo>() == 136);
    assert!(offset_of!(BSDInfo, pbi_ppid) == 16);
    assert!(offset_of!(BSDInfo, pbi_nfiles) == 96);
    assert!(offset_of!(BSDInfo, pbi_start_tvsec) == 120);
};

/// The pids of all processes whose descriptors may be read: the user's, or all for root.
pub(super) fn readable_pids(user: u32) -> Vec<u32> {
    let mut pids = listed(if user == 0 {
        ProcFilter::All
    } else {
        ProcFilter::ByUID { uid: user }
    });
    pids.retain(|&pid| pid != 0);
    pids
}

/// The pids of all processes.
pub(super) fn pids() -> Vec<u32> {
    listed(ProcFilter::All)
}

/// The pids of the children of a process.
pub(super) fn children(pid: u32) -> Vec<u32> {
    listed(ProcFilter::ByParentProcess { ppid: pid })
}

/// libproc asks how much room is needed, for which the kernel adds some processes more; who starts
/// within that moment is seen by the next look.
fn listed(filter: ProcFilter) -> Vec<u32> {
    pids_by_type(filter).unwrap_or_default()
}

/// Adds the sockets of a process that wait for peers to `held`. A process that may not be read, or
/// is gone, has none.
pub(super) fn search(pid: u32, held: &mut Vec<Held>) {
    let Some(process) = bsd_info(pid) else {
        return;
    };
    let found = descriptors(pid, process.pbi_nfiles)
        .into_iter()
        .filter_map(|fd| kernel::socket(pid, fd.proc_fd))
        .filter_map(|bytes| socket_info::waiting(&bytes));
    held.extend(found.map(|found| Held {
        socket: Socket {
            port: found.port,
            protocol: found.protocol,
            address: found.address,
            id: found.id,
            uid: process.pbi_uid,
        },
        pid,
    }));
}

/// Whether the process has any of these sockets open now.
pub(super) fn has_any(pid: u32, sockets: &[SocketId]) -> bool {
    let Some(process) = bsd_info(pid) else {
        return false;
    };
    descriptors(pid, process.pbi_nfiles)
        .into_iter()
        .filter_map(|fd| kernel::socket(pid, fd.proc_fd))
        .any(|bytes| sockets.contains(&socket_info::id(&bytes)))
}

/// What libproc tells of a process of the user's own; to root, of any.
pub(super) fn bsd_info(pid: u32) -> Option<BSDInfo> {
    let pid = i32::try_from(pid).ok().filter(|&pid| pid != 0)?;
    let info = pidinfo::<BSDInfo>(pid, 0).ok()?;
    (info.pbi_pid == pid.cast_unsigned()).then_some(info)
}

/// The descriptors of a process that are sockets. `table` is how many it has room for.
fn descriptors(pid: u32, table: u32) -> Vec<ProcFDInfo> {
    // Room for those that it opens meanwhile. A list that fills the room may have been cut.
    let mut room = table as usize + 32;
    let mut found = loop {
        match listpidinfo::<ListFDs>(pid.cast_signed(), room) {
            Ok(found) if found.len() < room => break found,
            Ok(_) if room < 1 << 20 => room *= 2,
            Ok(found) => break found,
            Err(_) => return Vec::new(),
        }
    };
    found.retain(|fd| matches!(ProcFDType::from(fd.proc_fdtype), ProcFDType::Socket));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    fn own() -> Vec<Held> {
        let mut held = vec![];
        search(std::process::id(), &mut held);
        held
    }

    #[test]
    fn finds_its_own_sockets() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("[::1]:0").unwrap();
        let held = own();
        for local in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
            let one = held
                .iter()
                .find(|one| one.socket.port.get() == local.port())
                .unwrap();
            assert_eq!(one.socket.address.ip, local.ip());
            assert!(has_any(std::process::id(), &[one.socket.id]));
        }
        assert!(!has_any(std::process::id(), &[SocketId(1)]));
        assert!(readable_pids(crate::platform::limits::user_id()).contains(&std::process::id()));
    }

    #[test]
    fn finds_a_socket_behind_more_than_a_thousand_descriptors() {
        crate::platform::limits::raise_descriptor_limit();
        let files: Vec<_> = (0..1500)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(own().iter().any(|one| one.socket.port.get() == port));
        drop(files);
    }
}
