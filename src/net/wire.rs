//! A TCP connection on which every wait has a bound and sees the stop flag.

use crate::base::clock::Deadline;
use crate::base::error::{Error, Result};
use crate::base::threads::Stop;
use crate::model::limits::{LINK_SILENCE, SLICE};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a read waits for.
const AWAITED: &str = "the other side's bytes";

/// A connection to a peer or a tier-2 node.
#[derive(Debug)]
pub struct Wire {
    stream: Arc<TcpStream>,
    stop: Stop,
}

impl Wire {
    /// Takes over a connected stream.
    pub fn new(stream: TcpStream, stop: &Stop) -> Result<Self> {
        let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        ready.map_err(|cause| Error::device("set up a connection", cause))?;
        // The system breaks off when nothing is confirmed for so long, or nothing read at the other end.
        let silence = u32::try_from(LINK_SILENCE.as_millis()).unwrap_or(u32::MAX);
        if let Err(cause) = sockopt::set_tcp_user_timeout(&stream, silence) {
            log::debug!("a dead connection will be noticed late: {cause}");
        }
        Ok(Self { stream: Arc::new(stream), stop: stop.clone() })
    }

    /// Connects to `to` before `deadline`.
    pub fn connect(to: SocketAddr, deadline: Deadline, stop: &Stop) -> Result<Self> {
        let wrong = |cause: Errno| Error::device("connect", cause.into());
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(family, SocketType::STREAM, flags, None).map_err(wrong)?;
        match rustix::net::connect(&socket, &to) {
            Ok(()) => {}
            Err(Errno::INPROGRESS) => {
                ready(&socket, PollFlags::OUT, deadline, stop, "connecting")?;
                sockopt::socket_error(&socket).map_err(wrong)?.map_err(wrong)?;
            }
            Err(cause) => return Err(wrong(cause)),
        }
        Self::new(TcpStream::from(socket), stop)
    }

    /// Makes the send buffer at least `bytes` large, so that so much can be sent in one piece.
    pub fn set_send_buffer(&self, bytes: usize) {
        if let Err(cause) = sockopt::set_socket_send_buffer_size(&*self.stream, bytes) {
            log::debug!("the send buffer stays small: {cause}");
        }
    }

    /// Reads what has come, 0 at the end, waiting until `deadline`.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize> {
        loop {
            self.check(deadline)?;
            match (&*self.stream).read(buffer) {
                Err(cause) if is_not_yet(&cause) => {
                    ready(&*self.stream, PollFlags::IN, deadline, &self.stop, AWAITED)?;
                }
                Err(cause) => return Err(Error::device("read from the connection", cause)),
                Ok(count) => return Ok(count),
            }
        }
    }

    /// Writes all of `bytes`; each piece of progress may take `patience`.
    pub fn write_all(&mut self, mut bytes: &[u8], patience: Duration) -> Result<()> {
        while !bytes.is_empty() {
            self.stop.check()?;
            match (&*self.stream).write(bytes) {
                Err(cause) if is_not_yet(&cause) => {
                    let deadline = Deadline::after(patience);
                    ready(
                        &*self.stream,
                        PollFlags::OUT,
                        deadline,
                        &self.stop,
                        "the other side to read",
                    )?;
                }
                Err(cause) => return Err(Error::device("write to the connection", cause)),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            }
        }
        Ok(())
    }

    /// The connection itself, which never blocks.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The connection, for who may have to break it off.
    pub fn handle(&self) -> Weak<TcpStream> {
        Arc::downgrade(&self.stream)
    }

    /// An error once the node ends or `deadline` has passed. Asked before each read: bytes that never end must keep
    /// nobody from either.
    pub fn check(&self, deadline: Deadline) -> Result<()> {
        self.stop.check()?;
        deadline.left().map(|_| ()).ok_or(Error::Deadline { what: AWAITED })
    }

    /// Whether there is something to read, or nothing will come any more.
    pub fn has_come(&self) -> bool {
        self.stream.peek(&mut [0]).is_ok()
    }

    /// Waits until there is something to read.
    pub fn wait_to_read(&self, deadline: Deadline) -> Result<()> {
        self.stop.check()?;
        ready(&*self.stream, PollFlags::IN, deadline, &self.stop, AWAITED)
    }

    /// Waits until something can be written.
    pub fn wait_to_write(&self, deadline: Deadline) -> Result<()> {
        ready(&*self.stream, PollFlags::OUT, deadline, &self.stop, "the other side to read")
    }

    /// Whether the other side has closed or broken the connection, as far as is known here.
    pub fn is_closed(&mut self) -> bool {
        match (&*self.stream).read(&mut [0; 256]) {
            Ok(count) => count == 0,
            Err(cause) => !is_not_yet(&cause),
        }
    }

    /// Says that nothing more will be written.
    pub fn finish(&mut self) -> Result<()> {
        let done = self.stream.shutdown(Shutdown::Write);
        done.map_err(|cause| Error::device("end the connection", cause))
    }

    /// Waits until the other side has closed too. What it still sends is not wanted.
    pub fn wait_closed(&mut self, deadline: Deadline) -> Result<()> {
        let mut buffer = [0; 4096];
        while self.read(&mut buffer, deadline)? > 0 {}
        Ok(())
    }

    /// Whether the end of this value, or of the process, breaks the connection off, so that the other side
    /// sees that it did not end well.
    pub fn break_off_at_end(&self, broken: bool) {
        let linger = broken.then_some(Duration::ZERO);
        if let Err(cause) = sockopt::set_socket_linger(&*self.stream, linger) {
            log::debug!("how a connection ends cannot be set: {cause}");
        }
    }
}

/// Waits until `listener` has somebody to accept.
pub fn wait_for_caller(listener: &TcpListener, deadline: Deadline, stop: &Stop) -> Result<()> {
    wait_for_any(listener, std::iter::empty(), deadline, stop)
}

/// Waits until `listener` has somebody to accept, or something has come on one of `others`.
pub fn wait_for_any<'a>(
    listener: &TcpListener,
    others: impl Iterator<Item = BorrowedFd<'a>>,
    deadline: Deadline,
    stop: &Stop,
) -> Result<()> {
    let mut sockets = vec![PollFd::new(listener, PollFlags::IN)];
    sockets.extend(others.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
    wait(&mut sockets, deadline, stop, "somebody to connect")
}

/// Whether nothing has come yet, which is no error.
pub fn is_not_yet(cause: &io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn ready(
    socket: &impl AsFd,
    what: PollFlags,
    deadline: Deadline,
    stop: &Stop,
    waited_for: &'static str,
) -> Result<()> {
    wait(&mut [PollFd::new(socket, what)], deadline, stop, waited_for)
}

fn wait(
    sockets: &mut [PollFd<'_>],
    deadline: Deadline,
    stop: &Stop,
    waited_for: &'static str,
) -> Result<()> {
    loop {
        stop.check()?;
        let slice = deadline.slice(SLICE).ok_or(Error::Deadline { what: waited_for })?;
        let timeout = Timespec::try_from(slice).ok();
        match poll(sockets, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(cause) => return Err(Error::device("wait for a connection", cause.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = listener.local_addr().expect("bound");
        let stop = Stop::default();
        let wire = Wire::connect(to, Deadline::after(Duration::from_secs(10)), &stop);
        (wire.expect("connected"), listener.accept().expect("accepted").0)
    }

    #[test]
    fn reading_waits_no_longer_than_its_deadline_and_the_stop_flag() {
        let (mut wire, _other) = pair();
        let error = wire.read(&mut [0; 8], Deadline::after(Duration::from_millis(1)));
        assert!(matches!(error, Err(Error::Deadline { .. })));
        wire.stop.set();
        let error = wire.read(&mut [0; 8], Deadline::after(Duration::from_secs(60)));
        assert!(matches!(error, Err(Error::Stopped)));
    }

    #[test]
    fn writing_gives_up_on_a_side_that_never_reads() {
        let (mut wire, _other) = pair();
        let megabytes = vec![0; 64 << 20];
        let error = wire.write_all(&megabytes, Duration::from_millis(20));
        assert!(matches!(error, Err(Error::Deadline { .. })));
    }

    #[test]
    fn a_connection_that_breaks_off_does_not_look_like_a_whole_one() {
        let (wire, mut other) = pair();
        wire.break_off_at_end(true);
        drop(wire);
        assert!(other.read(&mut [0; 8]).is_err());
    }

    #[test]
    fn connecting_where_nobody_listens_fails_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let to = listener.local_addr().expect("bound");
        drop(listener);
        let deadline = Deadline::after(Duration::from_secs(60));
        assert!(matches!(Wire::connect(to, deadline, &Stop::default()), Err(Error::Device { .. })));
    }
}
