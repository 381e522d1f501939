//! When a server is worth a question. Each is a line in its log and takes its scheduler's lock, so it is asked at every
//! sample only while somebody looks, and otherwise when something can have changed, or seldom.

use std::{
    io::ErrorKind,
    net::{TcpStream, ToSocketAddrs},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aura_model::Stopwatch;

use crate::{Address, engine::Look};

/// While nobody looks and nothing hints at a change a server is asked so often: no scraper asks us much more often.
const REST: Duration = Duration::from_secs(10);
/// Samples in which it is asked after a hint: what an engine does and what the server lists is not the same moment.
const SETTLING: u32 = 3;
/// Somebody who has looked within this time and two intervals still looks.
const LOOKS: Duration = Duration::from_secs(5);
/// A connection to this machine is made within this time.
const CONNECT: Duration = Duration::from_millis(50);

/// Whether anybody looks at what is told of the servers: the page, a client of the feed, a script. Scrapes do not count, as
/// they come whether or not anybody reads them; they get what is known, with its age.
#[derive(Debug, Default)]
pub struct Audience(Mutex<Option<Stopwatch>>);

impl Audience {
    /// Somebody looks now.
    pub fn look(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Stopwatch::start());
    }

    /// Whether somebody looked a moment ago, seen from samples at this interval.
    pub(crate) fn is_there(&self, interval: Duration) -> bool {
        let looked = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|looked| looked.elapsed() < LOOKS + interval * 2)
    }
}

/// What hints at changes of one server since it was last asked.
#[derive(Default)]
pub(crate) struct Pace {
    asked: Option<Stopwatch>,
    settling: u32,
    worked: bool,
    commands: u64,
    line: Line,
}

impl Pace {
    /// Takes in what a look at this machine's processes said.
    pub(crate) fn look(&mut self, look: Option<Look>) {
        let Some(look) = look else { return };
        // The end of an answer moves the model's expiry.
        if look.changed || (self.worked && !look.worked) {
            self.settling = SETTLING;
        }
        self.worked = look.worked;
    }

    /// Whether something can have changed: the agent did something (so often by now), an engine came, went or has
    /// answered, the server closed a connection; or it was not asked for long.
    pub(crate) fn is_due(&mut self, commands: u64, interval: Duration) -> bool {
        self.settling > 0
            || self.commands != commands
            || self.line.is_cut()
            || self.asked.is_none_or(|asked| asked.elapsed() >= REST.max(interval) - interval / 2)
    }

    /// It is asked now.
    pub(crate) fn asked(&mut self, commands: u64) {
        self.asked = Some(Stopwatch::start());
        self.settling = self.settling.saturating_sub(1);
        self.commands = commands;
    }

    /// It has answered.
    pub(crate) fn answered(&mut self, address: &Address) {
        self.line.keep(address);
    }
}

/// A connection on which nothing is asked. It costs neither side anything, and its end tells at once that a server of this
/// machine has gone.
#[derive(Default)]
struct Line(Option<TcpStream>);

impl Line {
    fn keep(&mut self, address: &Address) {
        if self.0.is_some() || address.is_encrypted() || !address.is_loopback() {
            return;
        }
        let place = address.authority().to_socket_addrs().ok().and_then(|mut places| places.next());
        let stream = place.and_then(|place| TcpStream::connect_timeout(&place, CONNECT).ok());
        self.0 = stream.filter(|stream| stream.set_nonblocking(true).is_ok());
    }

    /// Whether it has ended since.
    fn is_cut(&mut self) -> bool {
        let Some(stream) = &self.0 else { return false };
        let open = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        if !open {
            self.0 = None;
        }
        !open
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn asked_in(pace: &mut Pace, samples: u32, look: Option<Look>) -> u32 {
        let mut asked = 0;
        for _ in 0..samples {
            pace.look(look);
            if pace.is_due(0, SECOND) {
                pace.asked(0);
                asked += 1;
            }
        }
        asked
    }

    #[test]
    fn at_rest_it_is_asked_once_and_a_hint_makes_it_a_few_times() {
        let mut pace = Pace::default();
        let look = |changed, worked| Some(Look { changed, worked });
        assert_eq!(asked_in(&mut pace, 100, None), 1);
        assert_eq!(asked_in(&mut pace, 100, look(false, false)), 0);
        assert_eq!(asked_in(&mut pace, 1, look(true, false)) + asked_in(&mut pace, 100, look(false, false)), SETTLING);
        assert_eq!(asked_in(&mut pace, 100, look(false, true)), 0, "while it works nothing is decided");
        assert_eq!(asked_in(&mut pace, 100, look(false, false)), SETTLING, "it has answered");
        assert!(pace.is_due(1, SECOND), "the agent did something");
    }

    #[test]
    fn a_server_that_goes_cuts_the_line() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut line = Line::default();
        line.keep(&address);
        let server_side = listener.accept().unwrap();
        assert!(!line.is_cut());
        drop((server_side, listener));
        let cut = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            line.is_cut()
        });
        assert!(cut && line.0.is_none());
        line.keep(&address);
        assert!(line.0.is_none() && !line.is_cut(), "nobody listens");
        let far: Address = "http://192.0.2.1:11434".parse().unwrap();
        line.keep(&far);
        assert!(line.0.is_none(), "another machine has no such line");
    }
}
