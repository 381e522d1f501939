//! Mounts for tests of files that cannot be read: one that hangs.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// Unmounts when it goes.
pub(crate) struct Mounted(pub(crate) PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// An empty file system that answers only while it is told to.
pub(crate) struct Silent {
    answers: Arc<AtomicBool>,
    mounted: Mounted,
}

impl Silent {
    /// It hangs from the start.
    pub(crate) fn mount(point: &Path) -> io::Result<Self> {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
        let options = std::ffi::CString::new(options)?;
        mount("aura-test", point, "fuse", MountFlags::empty(), options.as_c_str())?;
        let answers = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&answers);
        rustix::io::ioctl_fionbio(&device, true)?;
        thread::spawn(move || serve(device, &told));
        Ok(Self { answers, mounted: Mounted(point.to_owned()) })
    }

    pub(crate) fn answer(&self) {
        self.answers.store(true, Ordering::SeqCst);
    }

    pub(crate) fn hang(&self) {
        self.answers.store(false, Ordering::SeqCst);
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Those who wait get their answers; the server ends when its device says that the mount is gone.
        self.answer();
        let _ = unmount(&self.mounted.0, UnmountFlags::DETACH);
    }
}

/// Answers the kernel until the mount is gone: there is nothing by any name. Numbers are the machine's own.
fn serve(mut device: File, answers: &AtomicBool) {
    const INIT: u32 = 26;
    const FORGET: [u32; 3] = [2, 36, 42];
    const NO_ENTRY: i32 = -2;
    let mut request = vec![0; 64 << 10];
    let mut waiting = Vec::new();
    loop {
        if answers.load(Ordering::SeqCst) {
            for unique in waiting.drain(..) {
                let _ = reply(&mut device, unique, NO_ENTRY, &[]);
            }
        }
        match device.read(&mut request) {
            Ok(length) if length >= 40 => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            _ => return,
        }
        let code = u32::from_ne_bytes(request[4..8].try_into().unwrap());
        let unique = u64::from_ne_bytes(request[8..16].try_into().unwrap());
        match code {
            INIT => {
                let mut answer: Vec<u8> =
                    [7_u32, 31, 0, 0, 0, 4096, 1].into_iter().flat_map(u32::to_ne_bytes).collect();
                answer.resize(64, 0);
                let _ = reply(&mut device, unique, 0, &answer);
            }
            code if FORGET.contains(&code) => {}
            _ => waiting.push(unique),
        }
    }
}

fn reply(device: &mut File, unique: u64, error: i32, body: &[u8]) -> io::Result<()> {
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    device.write_all(&message)
}
