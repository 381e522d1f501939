//! What a file holds, whether it lies there plain or packed.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read},
    time::Instant,
};

use crate::{
    archives::{Opened, Unpacked},
    position::{Head, Position, peek, window},
};

const BLOCK: usize = 64 << 10;

/// A file that is looked into at some places; those of a packed one come best in ascending order.
pub(crate) enum Contents<'a> {
    Plain(&'a File, u64),
    Packed(&'a mut Unpacking, Instant),
}

impl Contents<'_> {
    /// What stands before this place; none where the file ends earlier.
    pub(crate) fn before(&mut self, offset: u64) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Plain(_, size) if *size < offset => Ok(None),
            Self::Plain(file, _) => window(file, offset).map(Some),
            Self::Packed(unpacking, deadline) => {
                if let Some(before) = unpacking.before.get(&offset) {
                    return Ok(before.clone());
                }
                unpacking.go_to(offset, *deadline)?;
                let before = (unpacking.at.offset == offset).then(|| unpacking.at.before().to_vec());
                unpacking.before.insert(offset, before.clone());
                Ok(before)
            }
        }
    }

    /// At most so many bytes from there on.
    pub(crate) fn behind(&mut self, offset: u64, most: usize) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::Plain(file, _) => peek(file, offset, most).map(Cow::Owned),
            Self::Packed(unpacking, deadline) => {
                unpacking.go_to(offset, *deadline)?;
                unpacking.peek(most).map(Cow::Borrowed)
            }
        }
    }

    /// At most so many of the first bytes, the same number each time.
    pub(crate) fn beginning(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if let Self::Packed(unpacking, _) = self
            && let Some(beginning) = &unpacking.beginning
        {
            return Ok(beginning.clone());
        }
        let beginning = self.behind(0, most)?.into_owned();
        if let Self::Packed(unpacking, _) = self {
            unpacking.beginning = Some(beginning.clone());
        }
        Ok(beginning)
    }
}

/// A packed file that is being read, also over several looks: as far as can be it is unpacked once.
pub(crate) struct Unpacking {
    seal: Head,
    file: File,
    unpacked: Unpacked,
    /// How far it was passed.
    pub(crate) at: Position,
    /// What was unpacked and not passed.
    ahead: VecDeque<u8>,
    /// What was looked at already: a look that goes on where one had no time any more does not begin anew for it.
    beginning: Option<Vec<u8>>,
    before: HashMap<u64, Option<Vec<u8>>>,
}

impl Unpacking {
    pub(crate) fn new(opened: &Opened, seal: &Head) -> io::Result<Self> {
        let file = opened.file.try_clone()?;
        let unpacked = crate::archives::unpacked(&file)?;
        Ok(Self {
            seal: seal.clone(),
            file,
            unpacked,
            at: Position::default(),
            ahead: VecDeque::new(),
            beginning: None,
            before: HashMap::new(),
        })
    }

    pub(crate) fn is_of(&self, seal: &Head) -> bool {
        self.seal == *seal
    }

    /// To this place, or to the end of what ends before it.
    ///
    /// # Errors
    /// It cannot be unpacked; `TimedOut` at the deadline: another call goes on from there.
    pub(crate) fn go_to(&mut self, offset: u64, deadline: Instant) -> io::Result<()> {
        if self.at.offset > offset {
            self.unpacked = crate::archives::unpacked(&self.file)?;
            (self.at, self.ahead) = (Position::default(), VecDeque::new());
        }
        let mut block = vec![0; BLOCK];
        while self.at.offset < offset {
            let most = (offset - self.at.offset).min(BLOCK as u64) as usize;
            let read = self.read(&mut block[..most])?;
            if read == 0 {
                break;
            }
            self.at.pass(&block[..read]);
            if self.at.offset < offset && self.ahead.is_empty() && Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    fn peek(&mut self, most: usize) -> io::Result<&[u8]> {
        let mut block = vec![0; BLOCK];
        while self.ahead.len() < most {
            let missing = (most - self.ahead.len()).min(BLOCK);
            match self.unpacked.read(&mut block[..missing])? {
                0 => break,
                read => self.ahead.extend(&block[..read]),
            }
        }
        let bytes = self.ahead.make_contiguous();
        Ok(&bytes[..most.min(bytes.len())])
    }

    /// What was read behind this place and not passed comes again.
    pub(crate) fn put_back(&mut self, at: &Position, bytes: &[u8]) {
        let mut ahead = VecDeque::from(bytes.to_vec());
        ahead.append(&mut self.ahead);
        (self.at, self.ahead) = (at.clone(), ahead);
    }
}

impl Read for Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() { self.unpacked.read(buffer) } else { self.ahead.read(buffer) }
    }
}
