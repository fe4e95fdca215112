//! Waiting for something to read, or for the end of the node, whichever comes first: so that an idle node sleeps.

use crate::base::threads::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Longest wait where the system gives no more of what would wake it.
const UNWOKEN: Duration = Duration::from_millis(200);

/// Waits until one of `readers` has something to read or one of `stops` is set, not longer than this. Returns whether
/// there is something to read. It may also end earlier, for nothing.
pub fn wait_to_read<'a>(
    readers: impl IntoIterator<Item = BorrowedFd<'a>>,
    stops: &[&Stop],
    longest: Duration,
) -> io::Result<bool> {
    let mut longest = longest;
    let mut all: Vec<_> =
        readers.into_iter().map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN)).collect();
    let count = all.len();
    for stop in stops {
        match stop.wake() {
            Some(wake) => all.push(PollFd::from_borrowed_fd(wake, PollFlags::IN)),
            None => longest = longest.min(UNWOKEN),
        }
    }
    match poll(&mut all, Timespec::try_from(longest).ok().as_ref()) {
        Ok(_) => Ok(all.iter().take(count).any(|reader| !reader.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::thread;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn what_comes_and_the_stop_flag_end_a_wait_of_ten_minutes() {
        let begun = Instant::now();
        let (own, other) = (Stop::default(), Stop::default());
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let to = socket.local_addr().expect("bound");
        thread::scope(|scope| {
            scope.spawn(|| socket.send_to(b"x", to));
            while !wait_to_read([socket.as_fd()], &[&own, &other], LONG).expect("polled") {}
        });
        assert_eq!(socket.recv(&mut [0; 8]).expect("it came"), 1);
        thread::scope(|scope| {
            scope.spawn(|| other.set());
            while !other.is_set() {
                let came = wait_to_read([socket.as_fd()], &[&own, &other], LONG).expect("polled");
                assert!(!came, "nothing more came");
            }
        });
        // Also who begins to wait afterwards, and as often as it likes.
        wait_to_read([], &[&other], LONG).expect("polled");
        wait_to_read([], &[&other.clone()], LONG).expect("polled");
        let set_first = Stop::default();
        set_first.set();
        wait_to_read([], &[&set_first], LONG).expect("polled");
        assert!(!own.is_set() && begun.elapsed() < LONG);
    }
}
