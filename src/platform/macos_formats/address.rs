//! Local addresses and ports as the kernel keeps them, the same in `in_sockinfo`
//! (<sys/proc_info.h>) and `xinpcb_n` (<netinet/in_pcb.h>).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::{Address, Port};

/// The flag of sockets that take IPv4 (`INP_IPV4`).
const IPV4: u8 = 1;
/// The flag of sockets that take IPv6 (`INP_IPV6`).
const IPV6: u8 = 2;

/// The address of a socket with these flags (`inp_vflag`). An IPv4 address is in the last four of
/// the 16 bytes.
pub fn local(flags: u8, bytes: [u8; 16]) -> Option<Address> {
    if flags & IPV6 != 0 {
        let ip = Ipv6Addr::from(bytes);
        Some(Address::v6(without_scope(ip), flags & IPV4 == 0))
    } else if flags & IPV4 != 0 {
        let [.., a, b, c, d] = bytes;
        Some(Address::v4(Ipv4Addr::new(a, b, c, d)))
    } else {
        None
    }
}

/// The kernel keeps the interface of a link-local address in its second group.
fn without_scope(ip: Ipv6Addr) -> Ipv6Addr {
    if !ip.is_unicast_link_local() {
        return ip;
    }
    let mut groups = ip.segments();
    groups[1] = 0;
    Ipv6Addr::from(groups)
}

/// The port in an `int` that holds it in network byte order.
pub fn port(raw: i32) -> Option<Port> {
    let [high, low, ..] = raw.to_ne_bytes();
    Port::new(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str) -> [u8; 16] {
        text.parse::<Ipv6Addr>().unwrap().octets()
    }

    #[test]
    fn addresses_are_read_by_their_flags() {
        let v4 = v6("::127.0.0.1");
        assert_eq!(local(IPV4, v4), Some(Address::v4(Ipv4Addr::LOCALHOST)));
        let any = local(IPV4, [0; 16]).unwrap();
        assert!(any.is_wildcard() && any.ip.is_ipv4());
        let dual = local(IPV4 | IPV6, [0; 16]).unwrap();
        assert!(dual.ip.is_ipv6() && dual.dual_stack);
        assert!(!local(IPV6, [0; 16]).unwrap().dual_stack);
        assert_eq!(local(IPV6, v6("::1")).unwrap().to_string(), "::1");
        assert_eq!(local(0, v4), None);
    }

    #[test]
    fn the_interface_is_no_part_of_an_address() {
        let told = |text| local(IPV6, v6(text)).unwrap().to_string();
        assert_eq!(told("fe80:4::1"), "fe80::1");
        assert_eq!(told("2001:4::1"), "2001:4::1");
    }

    #[test]
    fn ports_are_in_network_byte_order() {
        assert_eq!(port(0xb80b), Port::new(3000));
        assert_eq!(port(0), None);
    }
}
