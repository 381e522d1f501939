//! A real file system that stops answering: the sample does not wait for it, and takes it back when it answers again.

#![cfg(all(target_os = "linux", not(feature = "portable")))]

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aura_host::{Filesystem, Host, HostOptions};
use aura_model::{Context, Interval, Source};

#[test]
fn a_mount_that_stops_answering_is_marked_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let mount = match Silent::mount(folder.path()) {
        Ok(mount) => mount,
        Err(error) => return aura_tests::skip(&format!("fuse and the right to mount ({error})")),
    };
    let point = folder.path().to_str().unwrap();
    let mut options = HostOptions::default();
    options.filesystem.mount_points_include = Some(format!("^(/|{point})$"));
    options.filesystem.fs_types_include = Some(".".into());
    options.filesystem.timeout = Interval::from_millis(300);
    let mut host = Host::open(&options, &Context::default()).unwrap();
    let mut sample = || {
        let reading = host.sample().unwrap();
        let mounts = &reading.filesystem.value().expect("the table of mounts").mounts;
        let of = |point: &str| mounts.iter().find(|mount| &*mount.mountpoint == point).cloned();
        let root = of("/").expect("the root is mounted");
        assert!(reading.loadavg.value().is_some());
        (root, of(point).expect("the test's mount is listed"))
    };

    let healthy =
        |mount: &Filesystem| mount.usage.is_some_and(|usage| usage.size == BLOCKS * 4096) && mount.error.is_none();
    until(|| healthy(&sample().1));

    mount.answers.store(false, Ordering::SeqCst);
    let silent = until_some(|| Some(sample().1).filter(|mount| mount.usage.is_none()));
    assert_eq!(silent.error, None, "it may still answer in time");
    let marked = until_some(|| Some(sample().1).filter(|mount| mount.error.is_some()));
    assert_eq!(marked.error.as_deref(), Some("mountpoint timeout"));
    let requests = mount.requests.load(Ordering::SeqCst);
    let mut fresh = 0;
    for _ in 0..50 {
        let (root, stuck) = sample();
        assert!(stuck.usage.is_none(), "an old answer must not be shown");
        fresh += usize::from(root.usage.is_some());
    }
    // On a busy machine the root's answer may be late now and then; it is never lost.
    assert!(fresh > 25, "the root was fresh in {fresh} of 50 samples");
    assert_eq!(mount.requests.load(Ordering::SeqCst), requests, "the stuck mount is not asked again");
    assert!(workers() <= 3, "{} threads", workers());

    mount.answers.store(true, Ordering::SeqCst);
    until(|| healthy(&sample().1));
    drop(host);
    until(|| workers() == 0);
}

fn until(mut condition: impl FnMut() -> bool) {
    until_some(|| condition().then_some(()));
}

fn until_some<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it never came true");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Our threads that ask mounts.
fn workers() -> usize {
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| name(task.ok()?)).filter(|name| name.trim() == "statfs").count()
}

const BLOCKS: u64 = 1000;

/// A file system without files that answers how large it is only while it is told to.
struct Silent {
    point: PathBuf,
    answers: Arc<AtomicBool>,
    /// How often this process asked how large it is: others of the machine look at every mount, too.
    requests: Arc<AtomicUsize>,
}

impl Silent {
    fn mount(point: &Path) -> io::Result<Self> {
        let device = if rustix::process::geteuid().is_root() { as_root(point)? } else { as_user(point)? };
        let (answers, requests) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let mount = Self { point: point.to_owned(), answers, requests };
        let (answers, requests) = (mount.answers.clone(), mount.requests.clone());
        rustix::io::ioctl_fionbio(&device, true)?;
        thread::spawn(move || serve(File::from(device), &answers, &requests));
        Ok(mount)
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // The server ends when its device says that the mount is gone; requests that wait are then given up.
        self.answers.store(true, Ordering::SeqCst);
        if rustix::mount::unmount(&self.point, rustix::mount::UnmountFlags::DETACH).is_err() {
            let _ = Command::new("fusermount3").arg("-uz").arg(&self.point).status();
        }
    }
}

fn as_root(point: &Path) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = std::ffi::CString::new(options)?;
    rustix::mount::mount("aura-test", point, "fuse", rustix::mount::MountFlags::empty(), options.as_c_str())?;
    Ok(device.into())
}

/// fusermount3 mounts for us and hands the device over through a socket.
fn as_user(point: &Path) -> io::Result<OwnedFd> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let (ours, theirs) = UnixStream::pair()?;
    rustix::io::fcntl_setfd(theirs.as_fd(), rustix::io::FdFlags::empty())?;
    let status = Command::new("fusermount3")
        .env("_FUSE_COMMFD", theirs.as_raw_fd().to_string())
        .arg("--")
        .arg(point)
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("fusermount3: {status}")));
    }
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&ours, &mut [io::IoSliceMut::new(&mut [0])], &mut control, RecvFlags::empty())?;
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .ok_or_else(|| io::Error::other("fusermount3 sent no device"))
}

/// Answers the kernel until the mount is gone. Numbers are the machine's own, as everywhere in this protocol.
fn serve(mut device: File, answers: &AtomicBool, requests: &AtomicUsize) {
    const INIT: u32 = 26;
    const STATFS: u32 = 17;
    const FORGET: [u32; 3] = [2, 36, 42];
    const NO_SUCH_CALL: i32 = -38;
    let mut request = vec![0; 64 << 10];
    let mut waiting = Vec::new();
    loop {
        if answers.load(Ordering::SeqCst) {
            for unique in waiting.drain(..) {
                let _ = reply(&mut device, unique, 0, &statfs());
            }
        }
        let length = match device.read(&mut request) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if length < 40 {
            return;
        }
        let code = u32::from_ne_bytes(request[4..8].try_into().unwrap());
        let unique = u64::from_ne_bytes(request[8..16].try_into().unwrap());
        let _ = match code {
            INIT => {
                let mut answer = Vec::new();
                for field in [7_u32, 31, 0, 0, 0, 4096, 1] {
                    answer.extend(field.to_ne_bytes());
                }
                answer.resize(64, 0);
                reply(&mut device, unique, 0, &answer)
            }
            STATFS => {
                let thread = u32::from_ne_bytes(request[32..36].try_into().unwrap());
                requests.fetch_add(usize::from(is_ours(thread)), Ordering::SeqCst);
                waiting.push(unique);
                Ok(())
            }
            code if FORGET.contains(&code) => Ok(()),
            _ => reply(&mut device, unique, NO_SUCH_CALL, &[]),
        };
    }
}

fn is_ours(thread: u32) -> bool {
    Path::new("/proc/self/task").join(thread.to_string()).exists()
}

fn statfs() -> Vec<u8> {
    let mut answer = Vec::new();
    for field in [BLOCKS, BLOCKS / 2, BLOCKS / 2, 100, 50] {
        answer.extend(field.to_ne_bytes());
    }
    for field in [4096_u32, 255, 4096] {
        answer.extend(field.to_ne_bytes());
    }
    answer.resize(80, 0);
    answer
}

fn reply(device: &mut File, unique: u64, error: i32, body: &[u8]) -> io::Result<()> {
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    device.write_all(&message)
}
