//! Where a node listens: an address and port that can be one of a node, and means the same on every device.

use crate::base::error::{Error, Result};
use crate::model::codec::{Decoder, Encoder};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

const ADVICE: &str = "write it like 10.35.70.1:33001";

/// The address of a node's listener.
///
/// ```text
/// address = 4 | 6  4 or 16 bytes  port u16
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(SocketAddr);

impl Address {
    /// The address for sockets.
    pub fn socket(&self) -> SocketAddr {
        self.0
    }

    /// Writes it.
    pub fn encode(&self, out: &mut Encoder) {
        match self.0.ip() {
            IpAddr::V4(ip) => out.u8(4).bytes(&ip.octets()),
            IpAddr::V6(ip) => out.u8(6).bytes(&ip.octets()),
        };
        out.u16(self.0.port());
    }

    /// Reads it.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self> {
        let ip = match from.u8()? {
            4 => IpAddr::from(from.array::<4>()?),
            6 => IpAddr::from(from.array::<16>()?),
            _ => return Err(Error::peer("sent an address of a kind that is not known")),
        };
        let read = SocketAddr::new(ip, from.u16()?);
        // What means the same has one form.
        Self::try_from(read)
            .ok()
            .filter(|address| address.0 == read)
            .ok_or_else(|| Error::peer("sent an address that no node can have"))
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads what somebody typed.
    fn from_str(text: &str) -> Result<Self> {
        typed(text)?.try_into()
    }
}

/// What somebody typed, whether it can be the address of a node or not.
pub fn typed(text: &str) -> Result<SocketAddr> {
    let wrong = |_| Error::input("address", "it is not an IP address and port", ADVICE);
    text.trim().parse().map_err(wrong)
}

impl TryFrom<SocketAddr> for Address {
    type Error = Error;

    /// A scope means something on one device alone, and is left away.
    fn try_from(address: SocketAddr) -> Result<Self> {
        let ip = address.ip().to_canonical();
        let of_many = ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST;
        if of_many || address.port() == 0 {
            let wrong = format!("{address} is not the address of one device with a port");
            return Err(Error::input("address", wrong, ADVICE));
        }
        Ok(Self(SocketAddr::new(ip, address.port())))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address> {
        text.parse()
    }

    #[test]
    fn an_address_is_of_one_device() {
        for wrong in [
            "",
            "clinic:1",
            "10.0.0.1",
            "0.0.0.0:1",
            "[::]:1",
            "10.0.0.1:0",
            "224.0.0.1:9",
            "255.255.255.255:9",
            "[ff02::1]:9",
        ] {
            assert!(address(wrong).is_err(), "{wrong} was taken");
        }
        let mapped = address("[::ffff:10.0.0.1]:33001").expect("right");
        assert_eq!(mapped.to_string(), "10.0.0.1:33001");
        assert_eq!(
            address("[fe80::1%7]:9").expect("right"),
            address("[fe80::1]:9").expect("right")
        );
    }

    #[test]
    fn one_address_has_one_form_of_bytes() {
        for text in ["10.0.0.1:33001", "[fe80::1]:9", "127.0.0.1:65535"] {
            let mut out = Encoder::default();
            address(text).expect("right").encode(&mut out);
            let bytes = out.done();
            let read = Address::decode(&mut Decoder::new(&bytes)).expect("right");
            assert_eq!(read.to_string(), text);
            assert!(Address::decode(&mut Decoder::new(&bytes[..bytes.len() - 1])).is_err());
        }
        let mut mapped = vec![6];
        mapped.extend([0; 10]);
        mapped.extend([0xff, 0xff, 10, 0, 0, 1, 0, 9]);
        for wrong in [&mapped[..], &[4, 0, 0, 0, 0, 0, 9], &[5, 10, 0, 0, 1, 0, 9]] {
            assert!(Address::decode(&mut Decoder::new(wrong)).is_err(), "{wrong:?}");
        }
    }
}
