//! Reads what tcpdump wrote: every datagram, and every TCP stream put together by its sequence numbers.
//!
//! ```text
//! file     magic u32, version 2 x u16, zone i32, accuracy u32, longest u32, link type u32
//! packet   seconds u32, fraction u32, captured u32, original u32, bytes
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// More than a tour sends by far. It bounds what a damaged file can make us hold.
const MOST_BYTES: usize = 1 << 28;
/// The link type of Ethernet, which Linux gives the loopback interface.
const ETHERNET: u32 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What was sent in one direction: a TCP stream, or one packet of another kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// All that was sent.
pub fn parts(file: &[u8]) -> Result<Vec<Part>, String> {
    let mut capture = Capture::default();
    for packet in packets(file)? {
        capture.take(packet)?;
    }
    capture.finish()
}

/// The packets of the file. A last one that is cut off is an error: tcpdump ended well.
fn packets(file: &[u8]) -> Result<Vec<&[u8]>, String> {
    if file.len() > MOST_BYTES {
        return Err(format!("{} bytes are too many", file.len()));
    }
    // In microseconds or in nanoseconds; tcpdump writes in the order of its machine.
    let little = match file.get(..4) {
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => true,
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => false,
        _ => return Err("not a capture".into()),
    };
    let number = |at: usize| {
        let bytes: [u8; 4] = file.get(at..at + 4)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    if number(20) != Some(ETHERNET) {
        return Err(format!("link type {:?} is not Ethernet", number(20)));
    }
    let (mut packets, mut at) = (Vec::new(), 24);
    while at < file.len() {
        let (Some(captured), Some(original)) = (number(at + 8), number(at + 12)) else {
            return Err("cut off in the head of a packet".into());
        };
        if captured != original {
            return Err(format!("{captured} of a packet's {original} bytes were kept"));
        }
        let end = at + 16 + captured as usize;
        packets.push(file.get(at + 16..end).ok_or("cut off in a packet")?);
        at = end;
    }
    Ok(packets)
}

/// One direction of one connection.
#[derive(Debug)]
struct Stream {
    /// The sequence number of its first byte.
    first: u32,
    /// By place in the stream. Of segments at one place the longest.
    segments: BTreeMap<u32, Vec<u8>>,
}

#[derive(Debug, Default)]
struct Capture {
    parts: Vec<Part>,
    /// By who sent and who got. A pair of ports may serve again: then the last one counts.
    streams: BTreeMap<(SocketAddr, SocketAddr), Vec<Stream>>,
}

impl Capture {
    fn take(&mut self, packet: &[u8]) -> Result<(), String> {
        let ip = packet.get(14..).ok_or("a packet without a head")?;
        match (ip_payload(ip)?, ip_addresses(ip)) {
            (Some((TCP, segment)), Some((from, to))) => self.take_tcp(segment, from, to),
            (Some((UDP, datagram)), Some((from, to))) => {
                let (from, to) = ports(datagram, from, to)?;
                let payload = datagram.get(8..).ok_or("a datagram without a head")?;
                self.keep(format!("UDP {from} > {to}"), payload);
                Ok(())
            }
            // Whatever it is, it was on the wire.
            _ => {
                self.keep("another packet".into(), packet);
                Ok(())
            }
        }
    }

    fn keep(&mut self, name: String, bytes: &[u8]) {
        self.parts.push(Part { name, bytes: bytes.to_vec() });
    }

    fn take_tcp(&mut self, segment: &[u8], from: IpAddr, to: IpAddr) -> Result<(), String> {
        const SYN: u8 = 2;
        let (from, to) = ports(segment, from, to)?;
        let head = segment.get(..20).ok_or("a segment without a head")?;
        let sequence = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let payload = segment.get(usize::from(head[12] >> 4) * 4..).ok_or("a cut segment")?;
        let streams = self.streams.entry((from, to)).or_default();
        let opens = head[13] & SYN != 0;
        let first = if opens { sequence.wrapping_add(1) } else { sequence };
        let is_new = streams.last().is_none_or(|stream| opens && stream.first != first);
        if is_new {
            streams.push(Stream { first, segments: BTreeMap::new() });
        }
        let Some(stream) = streams.last_mut().filter(|_| !payload.is_empty()) else {
            return Ok(());
        };
        let begins = if opens { first } else { sequence };
        let place = begins.wrapping_sub(stream.first);
        if place as usize > MOST_BYTES {
            // Before what was seen first, such as a probe that asks whether the other is still there.
            self.keep(format!("TCP {from} > {to}, early"), payload);
            return Ok(());
        }
        let kept = stream.segments.entry(place).or_default();
        if kept.len() < payload.len() {
            *kept = payload.to_vec();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Part>, String> {
        for ((from, to), streams) in self.streams {
            for stream in streams {
                let name = format!("TCP {from} > {to}");
                let bytes = stream.whole().map_err(|hole| format!("{name}: {hole}"))?;
                self.parts.push(Part { name, bytes });
            }
        }
        Ok(self.parts)
    }
}

impl Stream {
    fn whole(self) -> Result<Vec<u8>, String> {
        let mut whole = Vec::new();
        for (place, segment) in self.segments {
            let known = whole.len().checked_sub(place as usize);
            let known = known.ok_or_else(|| format!("bytes before {place} are missing"))?;
            whole.extend(segment.get(known..).unwrap_or_default());
        }
        Ok(whole)
    }
}

/// What an IP packet carries: the protocol's number, and its bytes. None if it is no IP packet.
fn ip_payload(ip: &[u8]) -> Result<Option<(u8, &[u8])>, String> {
    let found = match ip.first().map(|first| first >> 4) {
        Some(4) => {
            let head = ip.get(..20).ok_or("an IP packet without a head")?;
            // More to come, or not the first of several. The loopback interface has no need of it.
            if u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0 {
                return Err("a packet in fragments".into());
            }
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            Some((head[9], ip.get(usize::from(head[0] & 15) * 4..length)))
        }
        Some(6) => {
            let head = ip.get(..40).ok_or("an IP packet without a head")?;
            let length = usize::from(u16::from_be_bytes([head[4], head[5]]));
            Some((head[6], ip.get(40..40 + length)))
        }
        _ => None,
    };
    let Some((protocol, payload)) = found else { return Ok(None) };
    Ok(Some((protocol, payload.ok_or("an IP packet with a wrong length")?)))
}

fn ip_addresses(ip: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let four = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?));
    let six = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?));
    match ip.first()? >> 4 {
        4 => Some((four(12)?, four(16)?)),
        _ => Some((six(8)?, six(24)?)),
    }
}

fn ports(bytes: &[u8], from: IpAddr, to: IpAddr) -> Result<(SocketAddr, SocketAddr), String> {
    let Some([a, b, c, d]) = bytes.get(..4) else { return Err("a packet without ports".into()) };
    let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
    Ok((SocketAddr::new(from, port(a, b)), SocketAddr::new(to, port(c, d))))
}

/// A capture made up for a test: as tcpdump writes it, with what the test puts in.
#[derive(Debug)]
pub struct Made(Vec<u8>);

impl Default for Made {
    fn default() -> Self {
        let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
        Self(file)
    }
}

impl Made {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A UDP datagram.
    pub fn datagram(&mut self, payload: &[u8]) {
        let length = u16::try_from(8 + payload.len()).expect("a datagram");
        let mut bytes = [4000_u16, 5000, length, 0].map(u16::to_be_bytes).concat();
        bytes.extend(payload);
        self.ip(UDP, &bytes);
    }

    /// A TCP segment from this port, or with `opens` the one that opens the connection.
    pub fn segment(&mut self, port: u16, sequence: u32, opens: bool, payload: &[u8]) {
        let mut bytes = [port, 6000].map(u16::to_be_bytes).concat();
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 5 << 4, if opens { 2 } else { 16 }, 1, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        self.ip(TCP, &bytes);
    }

    /// An IPv4 packet.
    fn ip(&mut self, protocol: u8, payload: &[u8]) {
        let length = u16::try_from(20 + payload.len()).expect("a packet").to_be_bytes();
        let mut packet = [&[0; 12][..], &[8, 0, 0x45, 0], &length, &[0, 0, 0x40, 0, 64]].concat();
        packet.extend([protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2]);
        packet.extend(payload);
        let length = u32::try_from(packet.len()).expect("a packet").to_le_bytes();
        self.0.extend([&[0; 8][..], &length, &length, &packet].concat());
    }
}
