//! What happens when the live file is another one than it was: which files hold what was counted already, in which
//! order the others are read, and where in each of them.
//!
//! The old file may have been renamed, copied and cut, packed, replaced by its own lines under a new inode, cut from
//! either end, and any of it several times. All that is known is what was counted: each file that is there is held
//! against that, the oldest first, and read from where it goes on. What a file gave is known from then on, so that a
//! copy of it gives nothing more. Where it cannot be told whether lines were counted, they are not, and a gap is.

use std::{
    fs::File,
    io::{self, Read, Seek},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{
    archives::{Archive, Opened, Unpacked, archives, open_all, open_file},
    event,
    follow::{Follower, Rules},
    frame,
    lines::Told,
    options::Log,
    position::{Head, Identity, Position, WINDOW, common, identity, peek, window},
};

/// So many of the newest archives are looked at for what was missed: more rotations than that between two looks are
/// not expected.
pub(crate) const NEAR: usize = 32;
/// Files that are remembered; more than `NEAR`, so that no archive is taken for a new one.
const REMEMBERED: usize = 64;
/// A packed file that cannot be read may still be being written, for so long.
const PACKING: Duration = Duration::from_secs(60);
/// How much of a file is looked through for the line that was counted last.
const TRIMMED: u64 = 64 << 20;
const WITHIN: u64 = 8 << 20;
/// A packed file of this length or less is unpacked to know what it holds.
const SHORT: u64 = 1 << 20;
/// How much of a file's beginning is looked at for lines that tell it from others.
const TELLING: usize = 64 << 10;
/// How much of an older file is remembered by its lines.
const PASSED: u64 = 64 << 10;

/// A file that was counted, wholly or as far as it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    pub(crate) at: Position,
    /// How it lies there, where it is packed.
    #[serde(skip_serializing_if = "Option::is_none")]
    packed: Option<Head>,
    /// It is not looked at any more.
    pub(crate) done: bool,
    /// How often it was looked at without finding more.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) quiet: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Known {
    /// A file that somebody may still append to.
    pub(crate) fn growing(mut at: Position) -> Self {
        at.seal();
        Self { at, ..Self::default() }
    }

    pub(crate) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    fn done(at: Position, packed: Option<Head>) -> Self {
        Self { at: at.finished(), packed, done: true, quiet: 0 }
    }
}

/// A packed file that is being read, between two looks.
pub(crate) struct Unpacking {
    seal: Head,
    /// Bytes that were unpacked and not counted.
    pub(crate) rest: Vec<u8>,
    unpacked: Unpacked,
}

impl Read for Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            return self.unpacked.read(buffer);
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

/// Whether a file for which this holds has another name now, and the live one is another.
type Renamed<'a> = dyn Fn(&dyn Fn(&Opened) -> bool) -> bool + 'a;

/// How much of a file was counted, and whether that is in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    bytes: u64,
    skipping: bool,
    doubtful: bool,
}

impl Follower {
    /// What was there before us is history: it can be asked for, but it is not counted.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        for archive in archives(&self.log.path).into_iter().take(NEAR) {
            let Ok(file) = open_file(&archive.path) else { continue };
            self.pass_over(&Opened { metadata: file.metadata()?, archive: Some(archive), file })?;
        }
        Ok(())
    }

    /// What lies before all that is counted is known from now on.
    fn pass_over(&mut self, opened: &Opened) -> io::Result<()> {
        if opened.packed() {
            let seal = opened.seal()?;
            if !self.state.known.iter().any(|known| known.packed.as_ref() == Some(&seal)) {
                self.pass_lines(opened.unpacked()?)?;
                self.remember(Known::done(Position::default(), Some(seal)));
            }
        } else {
            let named = identity(&opened.metadata);
            if !self.state.known.iter().any(|known| !known.is_packed() && known.at.identity() == named) {
                self.pass_lines(peek(&opened.file, 0, PASSED as usize)?.as_slice())?;
                self.remember(Known::done(Position::at(&opened.file, opened.metadata.len(), false)?, None));
            }
        }
        Ok(())
    }

    fn pass_lines(&mut self, contents: impl Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        contents.take(PASSED).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == PASSED {
            self.state.lines.passed();
        }
        self.state.lines.add_known(&self.log, &bytes);
        Ok(())
    }

    pub(crate) fn remember(&mut self, known: Known) {
        let list = &mut self.state.known;
        list.retain(|other| other.at.offset == 0 && other.packed.is_some() || other.at != known.at);
        list.push_back(known);
        while list.len() > REMEMBERED {
            let oldest = list.iter().position(|known| known.done).unwrap_or(0);
            list.remove(oldest);
        }
    }

    /// Finishes what was before and finds the place to go on in the live file. False when the time was too short; the
    /// next look goes on from there.
    ///
    /// # Errors
    /// Files are being rotated or packed just now; the next look tries again.
    pub(crate) fn turn(
        &mut self,
        live: &File,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let live_identity = identity(&live.metadata()?);
        let mut files = open_all(&self.log.path, live, NEAR)?;
        files.reverse();
        let mut from = 0;
        if let Some(held) = &self.current {
            let metadata = held.metadata()?;
            let held_identity = identity(&metadata);
            let named = files.iter().any(|opened| identity(&opened.metadata) == held_identity);
            if held_identity != live_identity && !named {
                // Its name is gone, but not yet what it holds: what comes before all others, or, where it was cut, after.
                let whole = match &self.state.current {
                    Some(old) => old.clone().holds(held)?,
                    None => false,
                };
                let place = if whole { 0 } else { files.len() };
                files.insert(place, Opened { archive: None, file: held.try_clone()?, metadata });
            }
        }
        if let Some(old) = self.state.current.clone().filter(|old| old.offset > 0) {
            match self.find(&old, &files)? {
                Some(place) => from = place,
                // The live one may hold it itself, replaced by its own lines.
                None if old.clone().holds(live)? => {}
                None => self.lose(old, live)?,
            }
        }
        for index in from..files.len() {
            if !self.read_whole(&files, index, live_identity, rules, buffer, deadline)? {
                return Ok(false);
            }
        }
        for older in files[..from].iter().filter(|older| older.archive.is_some()) {
            self.pass_over(older)?;
        }
        let counted = self.counted(live, None, live_identity, &files)?;
        if counted.doubtful {
            self.gap("the live file begins like one that was counted: its lines up to here were taken for those");
        }
        let old = self.state.current.take();
        let turned = |old: &Position| old.identity() != live_identity || old.offset > counted.bytes;
        self.state.counts.rotations += u64::from(old.as_ref().is_some_and(turned));
        if let Some(old) = old.filter(|old| old.offset > 0 && old.identity() != live_identity) {
            // Late writers may still append to it, wherever it is.
            match self.current.take() {
                Some(file) if identity(&file.metadata()?) == old.identity() => self.open.push(file),
                _ => {}
            }
            let kept = |known: &Known| known.at.identity() == old.identity() && known.at.offset >= old.offset;
            if !self.state.known.iter().any(kept) {
                self.remember(Known::growing(old));
            }
        }
        self.state.current = Some(Position::at(live, counted.bytes, counted.skipping)?);
        self.current = Some(live.try_clone()?);
        Ok(true)
    }

    /// Which of these files is the one that was read last, renamed, copied or packed.
    fn find(&mut self, old: &Position, files: &[Opened]) -> io::Result<Option<usize>> {
        for (index, opened) in files.iter().enumerate().rev() {
            if !opened.packed()
                && old.is(&opened.metadata)
                && tells(&self.log, old, &opened.file)?
                && old.clone().holds(&opened.file)?
            {
                return Ok(Some(index));
            }
        }
        let mut place = None;
        for (index, opened) in files.iter().enumerate().rev() {
            let found = match &opened.archive {
                Some(archive) if archive.packed => {
                    let seal = opened.seal()?;
                    match self.state.known.iter().find(|known| known.packed.as_ref() == Some(&seal)) {
                        Some(known) => known.at.offset >= old.offset && known.at.begins_like(old),
                        None => {
                            let counted = patient(archive, self.counted_packed(opened, &seal, &[]))?;
                            // What is counted before it is its turn may be in it too.
                            self.state.known.retain(|known| known.packed.as_ref() != Some(&seal));
                            counted.is_some_and(|counted| counted.bytes >= old.offset)
                        }
                    }
                }
                _ => old.clone().holds(&opened.file)?,
            };
            // Of several that hold it, as where a copy was made and the file cut, the oldest is the one to go on from.
            if found {
                place = Some(index);
            } else if place.is_some() {
                break;
            }
        }
        Ok(place)
    }

    /// What was read last is nowhere.
    fn lose(&mut self, old: Position, live: &File) -> io::Result<()> {
        let from = old.offset;
        // A copy may have been made before the last lines were counted: the lines are the same, so none is missing.
        let copied = old.is(&live.metadata()?) && self.copied(&old)?;
        if !copied {
            self.gap(&format!("the file read last is gone: lines from byte {from} to its end may be lost"));
        }
        self.state.current = None;
        self.current = None;
        self.state.counts.rotations += 1;
        self.remember(Known { at: old, done: true, ..Known::default() });
        Ok(())
    }

    /// Whether the newest archive is a beginning of what was counted.
    fn copied(&self, old: &Position) -> io::Result<bool> {
        let Some(newest) = archives(&self.log.path).into_iter().next() else { return Ok(false) };
        if newest.number != 1 || newest.packed {
            return Ok(false);
        }
        let (agreed, ends) = old.agrees(&open_file(&newest.path)?)?;
        Ok(agreed > 0 && ends)
    }

    /// Counts what is new in one file. False when the time was too short.
    fn read_whole(
        &mut self,
        files: &[Opened],
        index: usize,
        live: Identity,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let opened = &files[index];
        if let Some(archive) = opened.archive.as_ref().filter(|archive| archive.packed) {
            let seal = opened.seal()?;
            let result = self.read_packed(opened, &seal, files, rules, buffer, deadline);
            let read = patient(archive, result)?;
            if read.is_none() {
                self.gap(&format!("{} is broken: what it held is lost", archive.path.display()));
                self.state.known.retain(|known| known.packed.as_ref() != Some(&seal));
                self.remember(Known::done(Position::default(), Some(seal)));
                self.unpacking = None;
            }
            return Ok(read.unwrap_or(true));
        }
        let size = opened.metadata.len();
        let identity = identity(&opened.metadata);
        let known = self.state.known.iter().position(|known| known.at.identity() == identity && known.packed.is_none());
        if let Some(known) = known
            && self.state.known[known].at.offset >= size
            && self.state.known[known].at.holds(&opened.file)?
        {
            return Ok(true);
        }
        if known.is_none() && self.was_seen(opened)? {
            return Ok(true);
        }
        let counted = self.counted(&opened.file, Some(opened), live, files)?;
        if counted.doubtful {
            let name = opened.archive.as_ref().map(|archive| archive.path.display().to_string()).unwrap_or_default();
            self.gap(&format!("{name} begins like a file that was counted: its lines were taken for those"));
        }
        let is_current = self.state.current.as_ref().is_some_and(|old| old.is(&opened.metadata) && old.offset > 0);
        self.state.counts.rotations += u64::from(known.is_none() && counted.bytes == 0 && !is_current);
        let mut position = Position::at(&opened.file, counted.bytes, counted.skipping)?;
        let ended = self.consume_file(&opened.file, &mut position, rules, buffer, Some(deadline))?;
        if is_current {
            position.seal();
            self.state.current = Some(position.clone());
        }
        if !ended {
            self.remember_at(Known::growing(position));
            return Ok(false);
        }
        if opened.may_grow() {
            self.open.retain(|file| file.metadata().map_or(true, |metadata| !position.is(&metadata)));
            self.open.push(opened.file.try_clone()?);
            position.seal();
            self.remember_at(Known::growing(position));
        } else {
            self.finish_file(&opened.file, &mut position, rules, buffer)?;
            self.remember_at(Known::done(position, None));
        }
        Ok(true)
    }

    /// In place of what was known of this file.
    fn remember_at(&mut self, known: Known) {
        let identity = known.at.identity();
        self.state.known.retain(|other| other.packed.is_some() || other.at.identity() != identity);
        self.remember(known);
    }

    fn read_packed(
        &mut self,
        opened: &Opened,
        seal: &Head,
        files: &[Opened],
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let is_this = |known: &Known| known.packed.as_ref() == Some(seal);
        let mut known = match self.state.known.iter().find(|known| is_this(known)) {
            Some(known) => known.clone(),
            None if self.was_seen(opened)? => return Ok(true),
            None => {
                let counted = self.counted_packed(opened, seal, files)?;
                if counted.doubtful {
                    self.gap("a packed file begins like one that was counted: its lines were taken for those");
                }
                match self.state.known.iter().find(|known| is_this(known)) {
                    Some(known) => known.clone(),
                    None => {
                        self.state.counts.rotations += 1;
                        Known { packed: Some(seal.clone()), ..Known::default() }
                    }
                }
            }
        };
        if known.done {
            return Ok(true);
        }
        let mut unpacking = match self.unpacking.take() {
            Some(unpacking) if unpacking.seal == *seal => unpacking,
            _ => {
                // Begins again: what was counted of it is passed over.
                let mut unpacked = opened.unpacked()?;
                let mut position = Position::default();
                pass_to(&mut unpacked, &mut position, known.at.offset)?;
                position.skipping = known.at.skipping;
                known.at = position;
                Unpacking { seal: seal.clone(), rest: Vec::new(), unpacked }
            }
        };
        let (ended, left) = self.consume(&mut unpacking, &mut known.at, false, rules, buffer, Some(deadline))?;
        unpacking.rest.splice(..0, buffer[..left].iter().copied());
        known.at.seal();
        if ended {
            self.consume(&mut unpacking, &mut known.at, true, rules, buffer, None)?;
            known = Known::done(known.at, Some(seal.clone()));
        } else {
            self.unpacking = Some(unpacking);
        }
        self.state.known.retain(|known| !is_this(known));
        self.remember(known);
        Ok(ended)
    }

    /// Files that were finished before their ends were remembered too.
    fn was_seen(&self, opened: &Opened) -> io::Result<bool> {
        if self.state.seen.is_empty() {
            return Ok(false);
        }
        let beginning = opened.beginning()?;
        Ok(self.state.seen.iter().any(|head| head.begins(&beginning)))
    }

    fn all_known(&self) -> impl Iterator<Item = &Position> {
        self.state.known.iter().map(|known| &known.at).chain(&self.state.current).filter(|at| at.offset > 0)
    }

    /// How much of this file was counted; `archive` is none for the live one.
    fn counted(&self, file: &File, archive: Option<&Opened>, live: Identity, files: &[Opened]) -> io::Result<Counted> {
        let metadata = file.metadata()?;
        let own = |at: &&Position| at.is(&metadata);
        let mut best = Counted::default();
        for at in self.all_known().filter(own) {
            if at.offset > best.bytes && at.clone().holds(file)? {
                best = Counted { bytes: at.offset, skipping: at.skipping, doubtful: false };
            }
        }
        let beginning = peek(file, 0, TELLING)?;
        let telling = |bytes: u64| telling(&self.log, &beginning[..beginning.len().min(bytes as usize)]);
        let renamed = |is: &dyn Fn(&Opened) -> bool| {
            archive.is_none() && files.iter().any(|opened| opened.archive.is_some() && is(opened))
        };
        for at in self.all_known().filter(|at| !own(at)) {
            if at.offset <= best.bytes || !at.begins(&beginning) || !at.clone().holds(file)? {
                continue;
            }
            let telling = telling(at.offset);
            // Lines that are all the same were written again, where the file that held them went to another name.
            if telling || !renamed(&|opened| at.is(&opened.metadata)) {
                // What lies behind the live file and holds the same is a copy of it.
                let doubtful = !(telling || archive.is_some() && at.identity() == live);
                best = Counted { bytes: at.offset, skipping: at.skipping, doubtful };
            }
        }
        let told = if best.bytes == metadata.len() || best.skipping {
            Told::Nothing
        } else {
            let mut contents = file.try_clone()?;
            contents.rewind()?;
            self.state.lines.tell(&self.log, contents)?
        };
        if let Told::Exactly(bytes, sure) = told {
            if bytes > best.bytes {
                best = Counted { bytes, skipping: false, doubtful: !sure };
            }
            return Ok(best);
        }
        for other in files.iter().filter(|other| !other.packed() && identity(&other.metadata) != identity(&metadata)) {
            best = self.shared(file, &metadata, other, renamed(&|opened| std::ptr::eq(opened, other)), best)?;
        }
        if let Some(current) = &self.current
            && identity(&current.metadata()?) != identity(&metadata)
            && files.iter().all(|other| other.metadata.len() == 0 || !same_file(other, current))
        {
            let other = Opened { archive: None, file: current.try_clone()?, metadata: current.metadata()? };
            let copy = archive.is_some() && identity(&other.metadata) == live;
            let shared = self.shared(file, &metadata, &other, false, best)?;
            best = Counted { doubtful: shared.doubtful && !copy, ..shared };
        }
        // A file that is known may have been a shorter copy of what this one is one of.
        let own = best.bytes > 0 && self.state.current.as_ref().is_some_and(|at| at.offset == best.bytes);
        if best.bytes < metadata.len() && !own {
            let mut other = self.trimmed(file, &renamed)?;
            let plain = files.iter().rev().filter(|other| !other.packed()).map(|other| &other.file);
            for held in self.current.iter().chain(plain.take(4)) {
                if other.bytes == 0 && identity(&held.metadata()?) != identity(&metadata) {
                    let mut read = |length| peek(file, 0, length);
                    other = self.within(&beginning, &mut read, held)?;
                }
            }
            if other.bytes > best.bytes {
                best = other;
            }
        }
        best = self.agreed(file, archive, &beginning, best.bytes, &renamed)?.unwrap_or(best);
        if let Told::AtLeast(bytes) = told
            && bytes > best.bytes
        {
            let bytes = if archive.is_some() { metadata.len() } else { line_end(file, metadata.len())? };
            best = Counted { bytes, skipping: false, doubtful: true };
        }
        Ok(best)
    }

    /// How much of this file was counted in another one.
    fn shared(
        &self,
        file: &File,
        metadata: &std::fs::Metadata,
        other: &Opened,
        renamed: bool,
        best: Counted,
    ) -> io::Result<Counted> {
        let (one, two) = (peek(file, 0, 64)?, peek(&other.file, 0, 64)?);
        if one.is_empty() || one[..one.len().min(two.len())] != two[..one.len().min(two.len())] {
            return Ok(best);
        }
        let mut most = 0;
        for at in self.all_known() {
            if at.offset > most && at.clone().holds(&other.file)? {
                most = at.offset;
            }
        }
        let shared = common(file, &other.file, most.min(metadata.len()))?;
        let whole = shared == most || shared == metadata.len();
        // A line that only begins alike is another one.
        let shared = if whole { shared } else { line_end(file, shared)? };
        if shared <= best.bytes {
            return Ok(best);
        }
        let beginning = peek(file, 0, TELLING.min(shared as usize))?;
        let telling = telling(&self.log, &beginning);
        if !telling && (renamed || !whole) {
            return Ok(best);
        }
        Ok(Counted { bytes: shared, skipping: false, doubtful: !(telling && whole) })
    }

    /// How much of a file was counted that only lost its first lines, as when somebody keeps the last thousand.
    fn trimmed(&self, file: &File, renamed: &Renamed<'_>) -> io::Result<Counted> {
        let mut best = Counted::default();
        for at in self.state.current.iter().chain(self.state.known.iter().rev().take(4).map(|known| &known.at)) {
            if let Some((bytes, sure)) = at.trimmed(file, TRIMMED)? {
                let lines = peek(file, 0, TELLING.min(bytes as usize))?;
                let telling = telling(&self.log, &lines);
                if bytes > best.bytes && (telling || !renamed(&|opened| at.is(&opened.metadata))) {
                    best = Counted { bytes, skipping: false, doubtful: !(telling && sure) };
                }
            }
        }
        Ok(best)
    }

    /// How much of a file was counted in another one, where it does not stand at the beginning.
    fn within(
        &self,
        beginning: &[u8],
        read: &mut dyn FnMut(usize) -> io::Result<Vec<u8>>,
        other: &File,
    ) -> io::Result<Counted> {
        let Some(end) = memchr::memchr(b'\n', beginning) else { return Ok(Counted::default()) };
        let line = &beginning[..=end];
        let most = self.counted_in(other)?;
        if most == 0 || !telling(&self.log, line) {
            return Ok(Counted::default());
        }
        let from = most.saturating_sub(WITHIN);
        let bytes = peek(other, from, (most - from) as usize)?;
        // A line that stands there more than once tells nothing.
        if memchr::memmem::find_iter(&bytes, line).nth(1).is_some() {
            return Ok(Counted::default());
        }
        let starts = |at: &usize| *at == 0 && from == 0 || *at > 0 && bytes[at - 1] == b'\n';
        let Some(start) = memchr::memmem::find_iter(&bytes, line).find(starts) else { return Ok(Counted::default()) };
        let there = read(bytes.len() - start)?;
        let same = there.iter().zip(&bytes[start..]).take_while(|(one, other)| one == other).count();
        let whole = start + same == bytes.len() || same == there.len();
        let shared = if whole { same } else { memchr::memrchr(b'\n', &there[..same]).map_or(0, |end| end + 1) };
        Ok(Counted { bytes: shared as u64, skipping: false, doubtful: !whole || same == line.len() })
    }

    /// What was counted is at hand no more: what its marks tell.
    fn agreed(
        &self,
        file: &File,
        archive: Option<&Opened>,
        beginning: &[u8],
        sure: u64,
        renamed: &Renamed<'_>,
    ) -> io::Result<Option<Counted>> {
        let metadata = file.metadata()?;
        let size = metadata.len();
        // Nobody appends to what was renamed or copied; what is or was live may have been cut and grown again.
        let named = archive.is_some_and(|opened| opened.archive.is_some());
        for at in self.all_known().filter(|at| at.offset > sure && size > sure) {
            // What is sure may come from a copy that is shorter than what was cut.
            let (agreed, ends) = at.agrees(file)?;
            if sure > 0 && agreed <= sure && !at.is(&metadata) {
                continue;
            }
            let first = memchr::memchr(b'\n', beginning).map_or(0, |end| end as u64 + 1);
            if agreed == 0 {
                continue;
            }
            let lines = &beginning[..beginning.len().min(agreed as usize)];
            if !telling(&self.log, lines) && (agreed <= first || renamed(&|opened| at.is(&opened.metadata))) {
                // A first line that each file has, or the same lines again.
                continue;
            }
            let bytes = if archive.is_some() { size } else { line_end(file, size)? };
            return Ok(Some(Counted { bytes, skipping: false, doubtful: !(named && ends) }));
        }
        Ok(None)
    }

    /// How much of a packed file was counted. What is found is remembered under its seal.
    fn counted_packed(&mut self, opened: &Opened, seal: &Head, files: &[Opened]) -> io::Result<Counted> {
        let beginning = opened.beginning()?;
        let mut alike: Vec<Position> = self.all_known().filter(|at| at.begins(&beginning)).cloned().collect();
        alike.sort_by_key(|at| at.offset);
        let said = opened.said_length()?;
        #[expect(clippy::cast_possible_truncation, reason = "the file says it to 4 GiB")]
        if let Some(at) = alike.iter().find(|at| at.offset as u32 == said && at.offset > SHORT) {
            self.remember(Known::done(at.clone(), Some(seal.clone())));
            return Ok(Counted { bytes: at.offset, ..Counted::default() });
        }
        // Also a copy that is shorter than what was counted begins like it.
        let mut others = Vec::new();
        for other in files.iter().filter(|other| !other.packed()) {
            let (head, counted) = (peek(&other.file, 0, WINDOW)?, self.counted_in(&other.file)?);
            if counted > 0 && head[..head.len().min(beginning.len())] == beginning[..head.len().min(beginning.len())] {
                others.push((other, counted));
            }
        }
        let told = self.state.lines.tell(&self.log, opened.unpacked()?)?;
        if let Told::Exactly(bytes, sure) = told {
            let (mut unpacked, mut position, mut at) = (opened.unpacked()?, Position::default(), Position::default());
            for other in alike.iter().filter(|other| other.offset >= bytes) {
                pass_to(&mut unpacked, &mut position, other.offset)?;
                position.seal();
                if position.same(other) {
                    at = position.clone();
                    at.skipping = other.skipping;
                }
            }
            let counted =
                Counted { bytes: bytes.max(at.offset), skipping: at.skipping, doubtful: bytes > at.offset && !sure };
            if at.offset < bytes {
                pass_to(&mut opened.unpacked()?, &mut at, bytes)?;
                at.seal();
            }
            if counted.bytes > 0 {
                self.remember(Known { at, packed: Some(seal.clone()), done: false, quiet: 0 });
            }
            return Ok(counted);
        }
        if alike.is_empty() && others.is_empty() {
            let mut counted = Counted::default();
            let plain = files.iter().rev().filter(|other| !other.packed()).map(|other| &other.file);
            for other in self.current.iter().chain(plain.take(4)) {
                if counted.bytes == 0 {
                    let mut read = |length| {
                        let mut bytes = Vec::new();
                        opened.unpacked()?.take(length as u64).read_to_end(&mut bytes).map(|_| bytes)
                    };
                    counted = self.within(&beginning, &mut read, other)?;
                }
            }
            if counted.bytes == 0 {
                counted = self.agreed_packed(opened, &beginning, 0)?.unwrap_or_default();
            }
            if counted.bytes > 0 {
                let (mut unpacked, mut at) = (opened.unpacked()?, Position::default());
                pass_to(&mut unpacked, &mut at, counted.bytes)?;
                at.seal();
                self.remember(Known { at, packed: Some(seal.clone()), done: false, quiet: 0 });
            }
            return Ok(counted);
        }
        let mut unpacked = opened.unpacked()?;
        let (mut position, mut found) = (Position::default(), None);
        for at in &alike {
            pass_to(&mut unpacked, &mut position, at.offset)?;
            position.seal();
            if position.offset < at.offset {
                break;
            }
            if position.same(at) {
                position.skipping = at.skipping;
                found = Some(position.clone());
            }
        }
        let furthest = found.as_ref().map_or(0, |found| found.offset);
        if others.iter().any(|(_, counted)| *counted > furthest) {
            pass_to(&mut unpacked, &mut position, u64::MAX)?;
            position.seal();
            let size = position.offset;
            for (other, counted) in others {
                if size > furthest && size <= counted && position.ends(&window(&other.file, size)?) {
                    self.remember(Known::done(position, Some(seal.clone())));
                    return Ok(Counted { bytes: size, ..Counted::default() });
                }
            }
        }
        // A copy that ends before what was counted of its original.
        if let Some(counted) = self.agreed_packed(opened, &beginning, furthest)? {
            pass_to(&mut unpacked, &mut position, u64::MAX)?;
            position.seal();
            self.remember(Known::done(position, Some(seal.clone())));
            return Ok(counted);
        }
        let Some(found) = found else { return Ok(Counted::default()) };
        if position.offset == found.offset {
            self.unpacking = Some(Unpacking { seal: seal.clone(), rest: Vec::new(), unpacked });
        }
        let lines = &beginning[..beginning.len().min(found.offset as usize)];
        let doubtful = !telling(&self.log, lines);
        let counted = Counted { bytes: found.offset, skipping: found.skipping, doubtful };
        self.remember(Known { at: found, packed: Some(seal.clone()), done: false, quiet: 0 });
        Ok(counted)
    }

    /// What was counted is at hand no more: what its marks tell of a packed file.
    fn agreed_packed(&self, opened: &Opened, beginning: &[u8], sure: u64) -> io::Result<Option<Counted>> {
        for at in self.all_known().filter(|at| at.offset > sure) {
            let (mut unpacked, mut position) = (opened.unpacked()?, Position::default());
            let (agreed, ends) = at.agrees_with(|offset| {
                pass_to(&mut unpacked, &mut position, offset)?;
                Ok((position.offset == offset).then(|| position.stands()))
            })?;
            let lines = &beginning[..beginning.len().min(agreed as usize)];
            if agreed > 0 && agreed >= sure && telling(&self.log, lines) {
                pass_to(&mut unpacked, &mut position, u64::MAX)?;
                if position.offset > sure {
                    return Ok(Some(Counted { bytes: position.offset, skipping: false, doubtful: !ends }));
                }
            }
        }
        Ok(None)
    }

    fn counted_in(&self, file: &File) -> io::Result<u64> {
        let mut most = 0;
        for at in self.all_known() {
            if at.offset > most && at.clone().holds(file)? {
                most = at.offset;
            }
        }
        Ok(most)
    }

    pub(crate) fn gap(&mut self, what: &str) {
        self.state.counts.gaps += 1;
        warn!(log = self.log.name, "{what}");
    }
}

fn same_file(opened: &Opened, file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| identity(&metadata) == identity(&opened.metadata))
}

/// Unpacks up to there, or to the end.
fn pass_to(unpacked: &mut Unpacked, position: &mut Position, offset: u64) -> io::Result<()> {
    let mut block = [0; 16 << 10];
    while position.offset < offset {
        let length = (block.len() as u64).min(offset - position.offset) as usize;
        let read = unpacked.read(&mut block[..length])?;
        if read == 0 {
            break;
        }
        position.pass(&block[..read]);
    }
    Ok(())
}

/// The end of the last whole line before this place.
fn line_end(file: &File, before: u64) -> io::Result<u64> {
    let length = before.min(TELLING as u64);
    let bytes = peek(file, before - length, length as usize)?;
    let end = memchr::memrchr(b'\n', &bytes).map(|end| end + 1);
    let end = end.or_else(|| memchr::memmem::rfind(&bytes, b"\\n").map(|end| end + 2));
    Ok(end.map_or(if length == before { 0 } else { before }, |end| before - length + end as u64))
}

/// Whether what was counted of the live file tells it from others.
pub(crate) fn tells(log: &Log, at: &Position, live: &File) -> io::Result<bool> {
    Ok(at.offset >= WINDOW as u64 || at.offset > 0 && telling(log, &peek(live, 0, at.offset as usize)?))
}

/// Whether lines tell a file from another one that begins so: they are not all the same, or the only one has a time.
fn telling(log: &Log, bytes: &[u8]) -> bool {
    let mut first = None;
    let (mut records, mut same) = (0_u32, true);
    frame::split(log.framing, bytes, |record| {
        records += 1;
        same &= *first.get_or_insert(record) == record;
    });
    match (records, first) {
        (1, Some(record)) => event::read(record, &log.keys).is_ok_and(|event| event.time().is_some()),
        (0, _) => bytes.len() > WINDOW,
        _ => !same,
    }
}

/// `None` for an archive that is broken for good; the error for one that may still be being written.
fn patient<T>(archive: &Archive, result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let modified = archive.path.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            if archive.packed && age.is_none_or(|age| age > PACKING) { Ok(None) } else { Err(error) }
        }
    }
}
