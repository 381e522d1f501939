//! Engines between two looks: the kernel tells of each new process (its process connector, `linux/cn_proc.h`), and what a
//! child of an Ollama is gets read within a moment, before the next look may find it gone.
//!
//! Linux lets any user listen since 6.6, before that whoever has `CAP_NET_ADMIN`; and only in the initial namespaces of the
//! machine, so in a container that has the host's processes and network.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recv, sendto, socket_with, sockopt,
    },
};

use super::processes::{Process, boot, engine};

/// From the first message to a look at the queue: a flood costs no more wake-ups than this allows, and by then a child has
/// become the engine that it is to be. No engine has loaded its weights so soon.
const PAUSE: Duration = Duration::from_millis(50);
/// Messages that are taken from the queue in one go.
const BATCH: u32 = 4096;
/// Bytes that the kernel may queue: some 2,500 messages, as it doubles this and counts what belongs to each.
const QUEUE: usize = 1 << 20;
/// Engines that are remembered until the next look: more do not start.
const MOST: usize = 256;

/// `CN_IDX_PROC` and `CN_VAL_PROC`; the first is the group to join too.
const CONNECTOR: u32 = 1;
const LISTEN: u32 = 1;
const FORK: u32 = 1;
/// `nlmsghdr`, `cn_msg`, and of `proc_event` what stands before its union.
const NETLINK_HEADER: usize = 16;
const HEADERS: usize = NETLINK_HEADER + 20;
const EVENT_HEADER: usize = 16;

/// What the kernel tells of engines, until this is dropped.
pub(super) struct Events {
    told: Arc<Mutex<Told>>,
    /// The thread ends when this is closed.
    _running: PipeWriter,
}

/// What the thread and the looks tell each other.
#[derive(Default)]
struct Told {
    /// Whose children may be engines.
    servers: Vec<u32>,
    engines: Vec<Process>,
}

impl Events {
    /// # Errors
    /// The kernel does not tell us: no right to, another namespace than the initial one, or it was built without.
    pub(super) fn listen(procfs: &Path) -> io::Result<Self> {
        let boot = boot(procfs)?;
        let kind = (AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        let socket = socket_with(kind.0, kind.1, kind.2, Some(netlink::CONNECTOR))?;
        // Without the right to exceed the system's limit, up to that.
        sockopt::set_socket_recv_buffer_size_force(&socket, QUEUE)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, QUEUE))?;
        bind(&socket, &netlink::SocketAddrNetlink::new(0, CONNECTOR))?;
        // First what every kernel knows, then the same for new processes alone, which Linux knows since 6.6.
        for request in [request(&[LISTEN]), request(&[LISTEN, FORK])] {
            sendto(&socket, &request, SendFlags::empty(), &netlink::SocketAddrNetlink::new(0, 0))?;
        }
        // It confirms before the call is over, and keeps silent to other namespaces.
        if recv(&socket, &mut [0; 256][..], RecvFlags::DONTWAIT).is_err() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel tells only its initial namespaces"));
        }
        let (stop, running) = io::pipe()?;
        let told = Arc::default();
        let listener = Listener { socket, stop, procfs: procfs.into(), boot, told: Arc::clone(&told) };
        thread::Builder::new().name("ollama-events".into()).spawn(move || listener.run())?;
        Ok(Self { told, _running: running })
    }

    /// The engines that were started since this was last called, as they were then.
    pub(super) fn take(&self) -> Vec<Process> {
        std::mem::take(&mut self.told().engines)
    }

    /// The processes whose children may be engines from now on.
    pub(super) fn watch(&self, servers: Vec<u32>) {
        self.told().servers = servers;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a kernel that tells anything.
    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { told: Arc::default(), _running: io::pipe().unwrap().1 }
    }

    /// As if the kernel had told of this one.
    #[cfg(test)]
    pub(super) fn tell(&self, engine: Process) {
        self.told().engines.push(engine);
    }
}

struct Listener {
    socket: OwnedFd,
    stop: PipeReader,
    procfs: PathBuf,
    boot: f64,
    told: Arc<Mutex<Told>>,
}

impl Listener {
    fn run(&self) {
        loop {
            let mut polled = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.stop, PollFlags::IN)];
            match poll(&mut polled, None) {
                Ok(_) if polled[1].revents().is_empty() => {}
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => return,
            }
            thread::sleep(PAUSE);
            self.drain();
        }
    }

    fn drain(&self) {
        let mut message = [0; 256];
        for _ in 0..BATCH {
            match recv(&self.socket, &mut message[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => self.hear(&message[..length]),
                Err(Errno::NOBUFS) => {
                    tracing::debug!("more processes start than the kernel can tell of: an engine may have been missed");
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn hear(&self, message: &[u8]) {
        let Some((parent, child)) = forked(message) else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.servers.contains(&parent) && told.engines.len() < MOST {
            told.engines.extend(engine(&self.procfs, child, self.boot));
        }
    }
}

/// A message to the connector of processes.
fn request(words: &[u32]) -> Vec<u8> {
    const NLMSG_DONE: u16 = 3;
    let mut data = Vec::new();
    words.iter().for_each(|word| data.extend(word.to_ne_bytes()));
    let lengths = [HEADERS + data.len(), data.len()].map(|length| u16::try_from(length).unwrap_or(u16::MAX));
    let mut message = u32::from(lengths[0]).to_ne_bytes().to_vec();
    [NLMSG_DONE, 0].iter().for_each(|half| message.extend(half.to_ne_bytes()));
    [0, 0, CONNECTOR, CONNECTOR, 0, 0].iter().for_each(|word: &u32| message.extend(word.to_ne_bytes()));
    [lengths[1], 0].iter().for_each(|half| message.extend(half.to_ne_bytes()));
    message.append(&mut data);
    message
}

/// The parent and its child, if the kernel tells of a new process. A thread is none. Whoever may send us a false one could as well
/// start a true one: what is read is read from `/proc`.
fn forked(message: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    let is_event = word(NETLINK_HEADER)? == CONNECTOR && word(NETLINK_HEADER + 4)? == CONNECTOR;
    (is_event && word(HEADERS)? == FORK).then_some(())?;
    // Each is told as a thread and as the process that it is of.
    let [parent, thread, child] = [4, 8, 12].map(|at| word(HEADERS + EVENT_HEADER + at));
    (thread? == child?).then_some((parent?, child?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::processes::tests::Tree;

    /// As Linux 6.18 sends it.
    fn event(what: u32, parent: u32, thread: u32, child: u32) -> Vec<u8> {
        let message = request(&[what, 1, 0x9000, 0x1acc, parent + 5, parent, thread, child, 0, 0]);
        assert_eq!(message.len(), 76);
        message
    }

    #[test]
    fn new_processes_are_read_and_all_else_is_not() {
        assert_eq!(forked(&event(FORK, 70, 7500, 7500)), Some((70, 7500)));
        assert_eq!(forked(&event(FORK, 70, 7501, 7500)), None, "a thread");
        for other in [0, 2, 4, 0x4000_0000, 0x8000_0000] {
            assert_eq!(forked(&event(other, 70, 7500, 7500)), None);
        }
        let mut foreign = event(FORK, 70, 7500, 7500);
        foreign[NETLINK_HEADER] = 9;
        assert_eq!(forked(&foreign), None, "another connector");
    }

    #[test]
    fn children_of_servers_are_looked_at_and_not_too_many_are_remembered() {
        let tree = Tree::new();
        tree.process(9, 0, &["llama-server", "--model", "/m"], ('R', 70, 5, 0, 0));
        let events = Events::silent();
        let (stop, _) = io::pipe().unwrap();
        let (socket, procfs, told) = (stop.try_clone().unwrap().into(), tree.0.path().into(), Arc::clone(&events.told));
        let listener = Listener { socket, stop, procfs, boot: 0.0, told };
        let take = |message: &[u8]| {
            listener.hear(message);
            events.take().len()
        };
        assert_eq!(take(&event(FORK, 70, 9, 9)), 0, "nobody's that is known");
        events.watch(vec![70]);
        assert_eq!(take(&event(FORK, 70, 9, 9)), 1);
        assert_eq!([take(&event(FORK, 71, 9, 9)), take(&event(FORK, 70, 8, 8)), take(&event(FORK, 70, 10, 9))], [0; 3]);
        (0..1000).for_each(|_| listener.hear(&event(FORK, 70, 9, 9)));
        assert_eq!((events.take().len(), events.take().len()), (MOST, 0));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(message in prop::collection::vec(any::<u8>(), 0..100)) {
            forked(&message);
        }

        #[test]
        fn a_message_cut_short_says_nothing(child: u32, length in 0_usize..68) {
            prop_assert_eq!(forked(&event(FORK, 1, child, child)[..length]), None);
        }
    }
}
