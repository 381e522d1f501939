//! Whose a process is.

use std::{collections::HashMap, os::fd::OwnedFd};

use aura_model::{Context, Name};
use rustix::fs::{AtFlags, statat};

use crate::linux::kernel::{
    every::Every,
    file::{Buffer, KeptFile},
    scan::{lines, number},
};

/// Names of users, from /etc/passwd: read again every minute.
pub(super) struct Users {
    file: KeptFile,
    refresh: Every,
    names: HashMap<u32, Name>,
}

impl Users {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            file: KeptFile::new(context.paths.rootfs.join("etc/passwd")),
            refresh: Every::seconds(60),
            names: HashMap::new(),
        }
    }

    pub(super) fn refresh(&mut self, buffer: &mut Buffer) {
        if self.refresh.due() {
            self.names = self.file.read(buffer).map(users).unwrap_or_default();
            // An editor puts a new file in its place.
            self.file.close();
        }
    }

    pub(super) fn of(&mut self, folder: &OwnedFd, pid: u32) -> Option<Name> {
        let user = statat(folder, pid.to_string(), AtFlags::empty()).ok()?.st_uid;
        Some(self.names.entry(user).or_insert_with(|| user.to_string().into()).clone())
    }
}

/// `root:x:0:0:...`
pub(super) fn users(text: &[u8]) -> HashMap<u32, Name> {
    let user = |line: &[u8]| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let user = number(fields.nth(1)?).and_then(|user| u32::try_from(user).ok())?;
        Some((user, Name::from(String::from_utf8_lossy(name))))
    };
    let mut names = HashMap::new();
    for (user, name) in lines(text).filter_map(user) {
        names.entry(user).or_insert(name);
    }
    names
}
