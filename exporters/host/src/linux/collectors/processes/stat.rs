//! `/proc/<pid>/stat`, of processes and of their threads.

use std::{collections::BTreeMap, mem::MaybeUninit, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags, RawDir, openat},
    io::{Errno, read},
};

use crate::linux::kernel::scan::{number, words};

/// Counts the states of a process's threads but for its first, which has the process's number. A thread, or the whole
/// process, may end meanwhile.
pub(super) fn threads(folder: &OwnedFd, pid: &[u8], states: &mut BTreeMap<char, u64>) {
    let path = [pid, b"/task"].concat();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(tasks) = openat(folder, &*path, flags, Mode::empty()) else { return };
    let (mut entries, mut text) = ([MaybeUninit::uninit(); 4 << 10], [0; 1024]);
    let mut list = RawDir::new(&tasks, &mut entries);
    while let Some(Ok(entry)) = list.next() {
        let name = entry.file_name().to_bytes();
        if number(name).is_none() || name == pid {
            continue;
        }
        let Ok(length) = stat(&tasks, name, &mut text) else { continue };
        if let Some(row) = parse(&text[..length]) {
            *states.entry(row.state).or_insert(0) += 1;
        }
    }
}

pub(super) fn stat(folder: &OwnedFd, pid: &[u8], text: &mut [u8]) -> Result<usize, Errno> {
    let mut path = [0; 24];
    let (end, rest) = path.split_at_mut_checked(pid.len()).ok_or(Errno::NAMETOOLONG)?;
    end.copy_from_slice(pid);
    rest.get_mut(..5).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(b"/stat");
    let file = openat(folder, &path[..pid.len() + 5], OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read(&file, text)
}

#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) name: &'a [u8],
    pub(super) state: char,
    pub(super) threads: u64,
    pub(super) ticks: u64,
    pub(super) started: u64,
    pub(super) pages: u64,
}

/// `2450 (cat) R 2448 ...`: a name may hold anything, brackets too, but what follows it may not.
pub(super) fn parse(text: &[u8]) -> Option<Row<'_>> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let name = text.get(open + 1..close)?;
    let mut words = words(&text[close + 1..]);
    let state = words.next()?.first().map(|&letter| char::from(letter)).filter(char::is_ascii_alphabetic)?;
    let user = number(words.nth(10)?)?;
    let system = number(words.next()?)?;
    let threads = number(words.nth(4)?)?;
    let started = number(words.nth(1)?)?;
    let pages = number(words.nth(1)?)?;
    Some(Row { name, state, threads, ticks: user.checked_add(system)?, started, pages })
}
