//! The original's wire: what its datagrams and text sessions say, byte for byte.
//!
//! ```text
//! token    12 ASCII digits                      a knock, first half
//! purpose  "t" / "f"                            a knock, second half: text or file
//! port     ASCII decimal, 1024 to 65535         the answer: connect here by TCP
//! refresh  "9999", then "IP,PORT"               a tier-2 node asks for its copy
//! ```

use crate::model::limits::{LOWEST_PORT, TOKEN_DIGITS};
use crate::model::secret::Token;
use std::net::{IpAddr, SocketAddr};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Messages and alarms.
    Text,
    /// The rows of people.
    File,
}

/// One datagram, understood but not yet believed.
#[derive(Debug)]
pub enum Datagram {
    /// First half of a knock.
    Token(Token),
    /// Second half of a knock.
    Purpose(Purpose),
    /// Answer to our knock.
    Port(u16),
    /// First half of a refresh.
    Refresh,
    /// Second half of a refresh: where the tier-2 node listens.
    RefreshAddress(SocketAddr),
}

/// First half of a refresh.
pub const REFRESH: &[u8] = b"9999";
/// The text that begins an alarm.
pub const ALARM_PREFIX: &str = "EMERGENCY BROADCAST - - ";
/// What the original's alarm says behind it.
pub const ALARM_STANDARD: &str = "SAFEZONE COMPROMISED";
/// The text that ends a text session.
pub const QUIT: &str = "quit";

impl Purpose {
    /// Its datagram.
    pub fn datagram(self) -> &'static [u8] {
        match self {
            Self::Text => b"t",
            Self::File => b"f",
        }
    }
}

/// Understands a datagram; `None` for anything else.
pub fn parse(bytes: &[u8]) -> Option<Datagram> {
    match bytes {
        b"t" => Some(Datagram::Purpose(Purpose::Text)),
        b"f" => Some(Datagram::Purpose(Purpose::File)),
        REFRESH => Some(Datagram::Refresh),
        _ if bytes.len() == TOKEN_DIGITS => {
            Token::try_from(bytes).ok().map(Datagram::Token).or_else(|| address(bytes))
        }
        _ if (4..=5).contains(&bytes.len()) => port(bytes).map(Datagram::Port),
        _ => address(bytes),
    }
}

fn port(bytes: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|port| *port >= LOWEST_PORT)
}

fn address(bytes: &[u8]) -> Option<Datagram> {
    let (ip, port_text) = std::str::from_utf8(bytes).ok()?.split_once(',')?;
    let ip: IpAddr = ip.trim().parse().ok()?;
    let port = port(port_text.trim().as_bytes())?;
    Some(Datagram::RefreshAddress(SocketAddr::new(ip, port)))
}

/// The second datagram of a refresh.
pub fn refresh_address(address: SocketAddr) -> String {
    format!("{},{}", address.ip(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_originals_datagrams_are_understood() {
        assert!(matches!(parse(b"149418626997"), Some(Datagram::Token(_))));
        assert!(matches!(parse(b"t"), Some(Datagram::Purpose(Purpose::Text))));
        assert!(matches!(parse(b"f"), Some(Datagram::Purpose(Purpose::File))));
        assert!(matches!(parse(b"45231"), Some(Datagram::Port(45231))));
        assert!(matches!(parse(b"9999"), Some(Datagram::Refresh)));
        for (bytes, wanted) in
            [("127.0.0.1,40000", "127.0.0.1:40000"), ("10.0.0.1, 4000", "10.0.0.1:4000")]
        {
            assert!(
                matches!(parse(bytes.as_bytes()), Some(Datagram::RefreshAddress(to)) if to.to_string() == wanted)
            );
        }
        // Twelve bytes, and yet no token.
        assert!(matches!(parse(b"1.1.1.1,4000"), Some(Datagram::RefreshAddress(_))));
    }

    #[test]
    fn everything_else_is_nothing() {
        let wrong: [&[u8]; 14] = [
            b"",
            b"T",
            b"tt",
            b"14941862699x",
            b"1494186269",
            b"1023",
            b"99999",
            b"+4000",
            b"4 00",
            b"127.0.0.1,80",
            b"localhost,4000",
            b"127.0.0.1",
            b"\xff\xff\xff\xff",
            b"127.0.0.1,40000,1",
        ];
        for bytes in wrong {
            assert!(parse(bytes).is_none(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn an_address_comes_back_as_it_was_written(ip in any::<[u8; 4]>(), port in LOWEST_PORT..) {
            let address = SocketAddr::from((ip, port));
            let again = parse(refresh_address(address).as_bytes());
            prop_assert!(matches!(again, Some(Datagram::RefreshAddress(to)) if to == address));
        }
    }
}
