//! How much of a file was counted, by what it holds.
//!
//! Positions tell how far a file is one that is known: it holds what stood at its beginning, before the place that was
//! reached, and at the marks in between. Behind that, lines tell which were counted in another file. Where neither tells
//! for sure, lines are taken for counted, and that is in doubt.

use std::{fs::File, io, time::Instant};

use crate::{
    archives::{Opened, Stamp},
    contents::{Contents, Unpacking},
    event,
    follow::Follower,
    frame,
    lines::{MOST, Told},
    options::Log,
    position::{Head, Identity, Position, WINDOW, common, peek},
};

/// How much of a file's beginning is looked at for lines that tell it from others.
const TELLING: usize = 64 << 10;
/// A packed file of this length or less is unpacked to know what it holds.
const SHORT: u64 = 1 << 20;

/// What was counted of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// Up to there, in this file.
    pub(crate) at: Position,
    /// Not all of that is sure.
    pub(crate) doubtful: bool,
    /// The file was known by its inode too; a packed one by its seal.
    pub(crate) own: bool,
    /// Something in it is known to have been counted.
    pub(crate) known: bool,
    /// It holds the place where reading stopped.
    pub(crate) last: bool,
    /// There is nothing behind `at`.
    pub(crate) all: bool,
}

/// What a file was recognised as. A turn may take many looks: to recognise all files in each could take all its time.
pub(crate) struct Recognised {
    pub(crate) file: Stamp,
    live: Option<Identity>,
    /// How much was counted of the log then.
    pub(crate) bytes: u64,
    pub(crate) counted: Counted,
}

impl Recognised {
    pub(crate) fn new(opened: &Opened, among: &Among<'_>, bytes: u64, counted: Counted) -> Self {
        Self { file: opened.stamp(), live: among.live, bytes, counted }
    }

    /// Whether this is the file, unchanged.
    pub(crate) fn is(&self, opened: &Opened, among: &Among<'_>) -> bool {
        self.file == opened.stamp() && self.live == among.live
    }
}

/// What lines tell about the file that they stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// One has a time.
    Timed,
    /// They are not all the same.
    Distinct,
    Nothing,
}

/// The files among which one is looked at.
pub(crate) struct Among<'a> {
    pub(crate) files: &'a [Opened],
    pub(crate) live: Option<Identity>,
    /// The one that was the live file at the last look.
    pub(crate) old: Option<Identity>,
}

impl Among<'_> {
    fn is_live(&self, opened: &Opened) -> bool {
        opened.archive.is_none() && self.live == Some(opened.identity())
    }

    /// The newest archive.
    fn newest(&self) -> Option<Identity> {
        self.files.iter().rfind(|opened| opened.archive.is_some()).map(Opened::identity)
    }

    /// Whether this is the file that was live at the last look, and is an archive now.
    fn renamed(&self, named: Identity) -> bool {
        let archive = |opened: &Opened| opened.archive.is_some() && !opened.packed() && opened.identity() == named;
        self.old == Some(named) && self.files.iter().any(archive)
    }
}

impl Follower {
    /// How much of this file was counted.
    ///
    /// # Errors
    /// It cannot be read; `TimedOut` at the deadline, and the next call goes on.
    pub(crate) fn recognise(&mut self, opened: &Opened, among: &Among<'_>, deadline: Instant) -> io::Result<Counted> {
        let old = self.last();
        if !opened.packed() {
            let contents = Contents::Plain(&opened.file, opened.metadata.len());
            let mut counted = self.state_of(contents, opened, among)?;
            if let Some(mut old) = old {
                counted.last |= old.holds(&opened.file)?;
            }
            return Ok(counted);
        }
        let seal = opened.seal()?;
        // More of it may have been counted than was when it was live, and more than its position then tells.
        let reached = |at: &Position| match old.as_ref().filter(|old| at.offset >= old.offset) {
            Some(old) => opened.beginning(WINDOW).map(|beginning| old.begins(&beginning)),
            None => Ok(false),
        };
        if let Some(known) = self.state.known.iter().find(|known| known.packed.as_ref() == Some(&seal)) {
            let (at, last) = (known.at.clone(), reached(&known.at)?);
            return Ok(Counted { at, last, own: true, known: true, all: known.done, doubtful: false });
        }
        let mut unpacking = self.unpacking_of(opened, &seal)?;
        let result = self.unpacked_state(&mut unpacking, opened, among, deadline);
        self.unpacking = Some(unpacking);
        let mut counted = result?;
        counted.last |= reached(&counted.at)?;
        Ok(counted)
    }

    pub(crate) fn unpacking_of(&mut self, opened: &Opened, seal: &Head) -> io::Result<Unpacking> {
        match self.unpacking.take().filter(|unpacking| unpacking.is_of(seal)) {
            Some(unpacking) => Ok(unpacking),
            None => Unpacking::new(opened, seal),
        }
    }

    fn unpacked_state(
        &self,
        unpacking: &mut Unpacking,
        opened: &Opened,
        among: &Among<'_>,
        deadline: Instant,
    ) -> io::Result<Counted> {
        if unpacking.at.offset == 0 {
            // A file that was counted to its end, packed since.
            let beginning = Contents::Packed(unpacking, deadline).beginning(TELLING)?;
            let said = opened.said_length()?;
            #[expect(clippy::cast_possible_truncation, reason = "the file says it to 4 GiB")]
            let whole = |at: &&Position| at.offset > SHORT && at.offset as u32 == said && at.begins(&beginning);
            if let Some(at) = self.all_known().find(whole) {
                return Ok(Counted { at: at.clone(), known: true, all: true, ..Counted::default() });
            }
        }
        self.state_of(Contents::Packed(unpacking, deadline), opened, among)
    }

    fn state_of(&self, mut contents: Contents<'_>, opened: &Opened, among: &Among<'_>) -> io::Result<Counted> {
        let beginning = contents.beginning(TELLING)?;
        let lines = |bytes: u64| telling(&self.log, &beginning[..beginning.len().min(bytes as usize)]);
        let (is_live, own) = (among.is_live(opened), |at: &Position| !opened.packed() && at.is(&opened.metadata));
        let renamed = |at: &Position| is_live && among.renamed(at.identity());
        let follows = is_live && among.old.is_some_and(|old| among.renamed(old));
        // Behind a file between them it may also hold what is left of a copy of that.
        let fresh = follows && among.newest() == among.old;
        let mut counted =
            Counted { own: self.state.known.iter().any(|known| known.is_empty(opened)), ..Counted::default() };
        let mut base = &Position::default();
        let (held, agreed) = self.compare(&mut contents, &beginning)?;
        for at in held {
            let telling = lines(at.offset);
            if at.offset < base.offset || (at.offset == base.offset && !own(at)) {
                continue;
            }
            counted.doubtful = !own(at)
                && match telling {
                    Telling::Timed => false,
                    // They may have been written again, where the file that held them went to another name.
                    Telling::Distinct => renamed(at),
                    // What lies behind the live file and holds the same is a copy of it.
                    Telling::Nothing => is_live || Some(at.identity()) != among.live,
                };
            (base, counted.own, counted.known) = (at, own(at), own(at) || telling != Telling::Nothing);
        }
        let mut bytes = base.offset;
        let told = match contents.behind(bytes, MOST)? {
            rest if rest.is_empty() => {
                counted.all = true;
                Told::Counted { bytes: 0, sure: true, last: false }
            }
            _ if base.skipping => Told::Counted { bytes: 0, sure: true, last: false },
            rest => {
                let told = self.state.lines.tell(&self.log, &rest, rest.len() < MOST, !fresh || bytes > 0);
                counted.all = matches!(told, Told::Counted { bytes, .. } if bytes == rest.len() as u64);
                told
            }
        };
        let mut skipped = false;
        match told {
            Told::Counted { bytes: more, sure, last } => {
                bytes += more;
                counted.known |= more > 0;
                let written_again = follows && more > 0 && lines(u64::MAX) != Telling::Timed;
                counted.doubtful |= !sure || written_again;
                counted.last |= last && more > 0;
            }
            Told::Some => (skipped, counted.doubtful) = (true, true),
            Told::Nothing => {
                // A first line stands in each file, and lines without a time are written again in a new one.
                let first = memchr::memchr(b'\n', &beginning).map_or(0, |end| end as u64 + 1);
                for (at, agreed, ends) in agreed {
                    if agreed < base.offset.max(first) || (lines(agreed) != Telling::Timed && renamed(at)) {
                        continue;
                    }
                    if let Some(shared) = shared(&contents, among, at, agreed)? {
                        let tells = shared > first || lines(shared) == Telling::Timed;
                        if shared > bytes && (tells || lines(u64::MAX) != Telling::Timed) {
                            counted.known |= tells;
                            counted.doubtful |= !tells;
                            bytes = shared;
                        }
                    } else if agreed > base.offset.max(first) || (ends && base.offset > 0) {
                        (skipped, counted.doubtful) = (true, is_live || !ends || agreed <= base.offset);
                    }
                }
            }
        }
        counted.known |= skipped;
        counted.all |= skipped && !is_live;
        counted.at = match contents {
            Contents::Plain(file, size) => {
                let end = if is_live { line_end(file, size)? } else { size };
                let bytes = if skipped { end.max(bytes) } else { bytes };
                Position::at(file, bytes, base.skipping && bytes == base.offset)?.with_marks_of(base)
            }
            Contents::Packed(..) if counted.all => base.clone(),
            Contents::Packed(unpacking, deadline) => {
                unpacking.go_to(bytes, deadline)?;
                let mut at = unpacking.at.clone();
                at.skipping = base.skipping && bytes == base.offset;
                at.seal();
                at.with_marks_of(base)
            }
        };
        Ok(counted)
    }

    /// The positions that a file holds; and of those that it holds a part of, how much, as far as marks tell, and whether
    /// it ends there.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn compare(
        &self,
        contents: &mut Contents<'_>,
        beginning: &[u8],
    ) -> io::Result<(Vec<&Position>, Vec<(&Position, u64, bool)>)> {
        let (mut held, mut agreed) = (Vec::new(), Vec::new());
        let mut left: Vec<(&Position, usize)> =
            self.all_known().filter(|at| at.resembles(beginning)).map(|at| (at, 0)).collect();
        // In the order in which they stand there, so that a packed file is unpacked once.
        while let Some(next) = (0..left.len()).min_by_key(|&next| left[next].0.place(left[next].1)) {
            let (at, index) = left[next];
            let so_far = || index.checked_sub(1).and_then(|index| at.place(index)).unwrap_or(0);
            let before = match at.place(index) {
                Some(place) => contents.before(place)?,
                None => {
                    held.extend(at.begins(beginning).then_some(at));
                    left.swap_remove(next);
                    continue;
                }
            };
            if before.as_ref().is_some_and(|before| at.agrees(index, before)) {
                left[next].1 += 1;
            } else {
                agreed.push((at, so_far(), before.is_none()));
                left.swap_remove(next);
            }
        }
        Ok((held, agreed))
    }

    /// What was read last.
    pub(crate) fn last(&self) -> Option<Position> {
        self.state.reached.clone().or_else(|| self.state.current.clone()).filter(|at| at.offset > 0)
    }

    pub(crate) fn all_known(&self) -> impl Iterator<Item = &Position> {
        self.state.known.iter().map(|known| &known.at).chain(&self.state.current).filter(|at| at.offset > 0)
    }
}

/// How much of what was counted of a file that is at hand this one holds too.
fn shared(contents: &Contents<'_>, among: &Among<'_>, at: &Position, agreed: u64) -> io::Result<Option<u64>> {
    let Contents::Plain(file, size) = contents else { return Ok(None) };
    for other in among.files.iter().filter(|other| !other.packed() && at.is(&other.metadata)) {
        if at.clone().holds(&other.file)? {
            let most = at.offset.min(*size);
            let shared = common(file, &other.file, agreed, most)?;
            // A line that only begins alike is another one.
            return Ok(Some(if shared == most { shared } else { line_end(file, shared)? }));
        }
    }
    Ok(None)
}

/// The end of the last whole line before this place.
fn line_end(file: &File, before: u64) -> io::Result<u64> {
    let length = before.min(TELLING as u64);
    let bytes = peek(file, before - length, length as usize)?;
    let end = memchr::memrchr(b'\n', &bytes).map(|end| end + 1);
    let end = end.or_else(|| memchr::memmem::rfind(&bytes, b"\\n").map(|end| end + 2));
    Ok(end.map_or(if length == before { 0 } else { before }, |end| before - length + end as u64))
}

fn telling(log: &Log, bytes: &[u8]) -> Telling {
    let mut first = None;
    let mut telling = if bytes.len() == TELLING { Telling::Distinct } else { Telling::Nothing };
    frame::split(log.framing, bytes, |record| {
        if telling == Telling::Timed {
        } else if event::read(record, &log.keys).is_ok_and(|event| event.time().is_some()) {
            telling = Telling::Timed;
        } else if *first.get_or_insert(record) != record {
            telling = Telling::Distinct;
        }
    });
    telling
}
