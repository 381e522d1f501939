//! What happens when files were rotated: which of them hold what was counted already, in which order the others are
//! read, and where in each of them.
//!
//! The old file may have been renamed, copied and cut, packed, replaced by its own lines under a new inode, cut from
//! either end, and any of it several times. All that is known is what was counted: each file that is there is held
//! against that, the oldest first, and read from where it goes on. What a file gave is known from then on, so that a
//! copy of it gives nothing more. Where it cannot be told whether lines were counted, they are not, and a gap is.

use std::{
    fs::File,
    io,
    time::{Duration, Instant, SystemTime},
};

use tracing::warn;

use crate::{
    archives::{Opened, archives, open_all, open_file},
    follow::{Follower, Rules},
    known::Known,
    position::{Identity, Position, identity},
    recognise::{Among, Counted, Recognised},
};

/// So many of the newest archives are looked at for what was missed: more rotations than that between two looks are
/// not expected.
const NEAR: usize = 32;
/// Files that are remembered; more than `NEAR`, so that no archive is taken for a new one.
const REMEMBERED: usize = 64;
/// A packed file that cannot be read may still be being written, for so long.
const PACKING: Duration = Duration::from_secs(60);
/// How much of an older file is remembered by its lines.
const PASSED: usize = 64 << 10;
/// A renamed file is looked at so many more times for late writers.
const QUIET_LOOKS: u32 = 3;

impl Follower {
    /// What was there before us is history: it can be asked for, but it is not counted.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        for archive in archives(&self.log.path).into_iter().take(NEAR) {
            let Ok(file) = open_file(&archive.path) else { continue };
            self.pass_over(&Opened::new(Some(archive), file)?)?;
        }
        Ok(())
    }

    /// What lies before all that is counted is known from now on.
    fn pass_over(&mut self, opened: &Opened) -> io::Result<()> {
        let bytes = opened.beginning(PASSED)?;
        let known = if opened.packed() {
            Known::done(Position::default(), Some(opened.seal()?))
        } else {
            Known::done(Position::at(&opened.file, opened.metadata.len(), false)?, None)
        };
        if bytes.len() == PASSED {
            self.state.lines.passed();
        }
        self.state.lines.add_known(self.log.framing, &bytes);
        self.remember(known);
        Ok(())
    }

    /// In place of what was known of this file.
    fn remember(&mut self, known: Known) {
        let list = &mut self.state.known;
        match &known.packed {
            Some(seal) => list.retain(|other| other.packed.as_ref() != Some(seal)),
            None => list.retain(|other| !other.is_plain(known.at.identity())),
        }
        list.push_back(known);
        while list.len() > REMEMBERED {
            let oldest = list.iter().position(|known| known.done).unwrap_or(0);
            list.remove(oldest);
        }
    }

    /// Finishes what was before and finds the place to go on in the live file, where there is one. False when the time
    /// was too short; the next look goes on from there.
    ///
    /// # Errors
    /// Files are being rotated or packed just now; the next look tries again.
    pub(crate) fn turn(
        &mut self,
        live: Option<&File>,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        match self.read_all(live, rules, buffer, deadline) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Ok(true) => {
                self.recognised.clear();
                Ok(true)
            }
            result => result,
        }
    }

    fn read_all(
        &mut self,
        live: Option<&File>,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let files = self.files(live)?;
        let named = live.map(File::metadata).transpose()?.map(|metadata| identity(&metadata));
        let old = self.state.current.as_ref().map(Position::identity);
        let among = Among { files: &files, live: named, old };
        let mut found = Vec::new();
        for opened in &files {
            found.push(self.counted_of(opened, &among, false, deadline)?);
        }
        self.look_for_loss(&among, &found);
        // What lies before files of which something was counted is history, unless all that was counted is remembered.
        let known = files.iter().zip(&found).rposition(|(opened, counted)| {
            let placed = opened.archive.is_some() || named == Some(opened.identity());
            placed && counted.as_ref().is_some_and(|counted| counted.known)
        });
        let last = found.iter().rposition(|counted| counted.as_ref().is_some_and(|counted| counted.last)).unwrap_or(0);
        let history = known.filter(|_| self.state.lines.thinned()).unwrap_or(0);
        for (index, (opened, mut counted)) in files.iter().zip(found).enumerate() {
            if index < history
                && counted.as_ref().is_some_and(|counted| !counted.known && !counted.own)
                && opened.archive.is_some()
            {
                self.pass_over(opened)?;
                continue;
            }
            let counted_before = self.state.counts.bytes;
            // What was counted meanwhile may be in it too.
            counted = self.counted_of(opened, &among, true, deadline)?;
            let Some(counted) = counted else {
                self.gap(&format!("{} is broken: what it held is lost", name(opened)));
                self.remember(Known::done(Position::default(), Some(opened.seal()?)));
                continue;
            };
            if counted.doubtful {
                self.gap(&format!(
                    "{} begins like what was counted: its lines up to byte {} were taken for that",
                    name(opened),
                    counted.at.offset
                ));
            }
            let missed = opened.archive.is_some() && !counted.own && counted.at.offset == 0;
            self.state.counts.rotations += u64::from(missed && old != Some(opened.identity()));
            let ended = if opened.packed() {
                self.read_packed(opened, counted, rules, buffer, deadline)?
            } else if named == Some(opened.identity()) {
                self.go_on_in(counted, &files);
                true
            } else {
                self.read_plain(opened, counted, rules, buffer, deadline)?
            };
            // It is known as what it is now.
            self.recognised.retain(|known| known.file.0 != opened.identity());
            if index >= last && self.state.counts.bytes != counted_before {
                self.state.reached = self.state.known.back().map(|known| known.at.clone());
            }
            if !ended {
                return Ok(false);
            }
        }
        self.state.reached = None;
        if live.is_none() {
            self.go_on_in(Counted::default(), &files);
            self.state.current = None;
        }
        self.let_go(&files, named)?;
        Ok(true)
    }

    /// All files that may hold something new, the oldest first, the live one last.
    fn files(&self, live: Option<&File>) -> io::Result<Vec<Opened>> {
        let live = live.map(|file| Opened::new(None, file.try_clone()?)).transpose()?;
        let mut files = open_all(&self.log.path, live.as_ref().map(Opened::identity), NEAR)?;
        for file in &self.held {
            // Its name may be gone, but not yet what it holds: it comes before all others, or, where it was cut, after.
            let held = Opened::new(None, file.try_clone()?)?;
            if files.iter().chain(&live).all(|other| other.identity() != held.identity()) {
                let mut whole = false;
                let known = self.state.known.iter().map(|known| &known.at).chain(&self.state.current);
                for at in known.filter(|at| at.is(&held.metadata)) {
                    whole |= at.clone().holds(file)?;
                }
                files.insert(if whole { 0 } else { files.len() }, held);
            }
        }
        files.extend(live);
        Ok(files)
    }

    /// How much was counted, `now` or before the turn began; none for an archive that is broken for good.
    fn counted_of(
        &mut self,
        opened: &Opened,
        among: &Among<'_>,
        now: bool,
        deadline: Instant,
    ) -> io::Result<Option<Counted>> {
        let bytes = self.state.counts.bytes;
        let known = self.recognised.iter().find(|known| known.is(opened, among));
        if let Some(known) = known.filter(|known| if now { known.bytes == bytes } else { opened.archive.is_some() }) {
            return Ok(Some(known.counted.clone()));
        }
        let counted = or_broken(opened, self.recognise(opened, among, deadline))?;
        self.recognised.retain(|known| known.file.0 != opened.identity());
        self.recognised.extend(counted.clone().map(|counted| Recognised::new(opened, among, bytes, counted)));
        Ok(counted)
    }

    /// Whether what was read last is nowhere.
    fn look_for_loss(&mut self, among: &Among<'_>, found: &[Option<Counted>]) {
        let Some(old) = self.last() else { return };
        if found.iter().flatten().any(|counted| counted.last) {
            return;
        }
        // A copy may have been made before the last lines were counted: the lines are the same, so none is missing.
        let copied = among.live == Some(old.identity())
            && among.files.iter().zip(found).any(|(opened, counted)| {
                let new = counted.as_ref().filter(|counted| !counted.own);
                opened.archive.is_some() && new.is_some_and(|counted| counted.known && counted.all && !counted.doubtful)
            });
        if !copied {
            let from = old.offset;
            self.gap(&format!("the file read last is gone: lines from byte {from} to its end may be lost"));
        }
        self.state.counts.rotations += 1;
        (self.state.current, self.state.reached) = (None, None);
        self.remember(Known::done(old, None));
    }

    /// The live file is another one, or was cut; or it is the same.
    fn go_on_in(&mut self, counted: Counted, files: &[Opened]) {
        if let Some(old) = self.state.current.replace(counted.at) {
            let at = self.state.current.as_ref();
            let turned = at.is_none_or(|at| at.identity() != old.identity() || at.offset < old.offset);
            self.state.counts.rotations += u64::from(turned);
            let cut = at.is_some_and(|at| at.identity() == old.identity());
            let read = files.iter().any(|opened| !opened.packed() && old.is(&opened.metadata));
            if turned && old.offset > 0 && (cut || !read) {
                self.remember(Known::done(old, None));
            }
        }
    }

    /// Keeps the files open that may still grow, and forgets those that are gone.
    fn let_go(&mut self, files: &[Opened], live: Option<Identity>) -> io::Result<()> {
        self.held.clear();
        for opened in files.iter().filter(|opened| !opened.packed()) {
            let growing = self.state.known.iter().any(|known| !known.done && known.is_plain(opened.identity()));
            if growing || Some(opened.identity()) == live {
                self.held.push(opened.file.try_clone()?);
            }
        }
        let mut seals = Vec::new();
        for opened in files.iter().filter(|opened| opened.packed()) {
            seals.push(opened.seal()?);
        }
        let mut gone = 0;
        for known in self.state.known.iter_mut().filter(|known| !known.done) {
            let there = match &known.packed {
                Some(seal) => seals.contains(seal),
                None => files.iter().any(|opened| !opened.packed() && known.at.is(&opened.metadata)),
            };
            if !there {
                gone += u32::from(known.packed.is_some());
                known.done = true;
            }
        }
        for _ in 0..gone {
            self.gap("a packed file is gone before all of it was counted");
        }
        Ok(())
    }

    /// Counts what is new in a file that is not the live one. False when the time was too short.
    fn read_plain(
        &mut self,
        opened: &Opened,
        counted: Counted,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let named = opened.identity();
        let mut before = self.state.known.iter().find(|known| known.is_plain(named)).cloned();
        if let Some(known) = &mut before
            && !known.at.holds(&opened.file)?
        {
            // It is what the file held before it was cut.
            before = None;
        }
        if before.as_ref().is_some_and(|known| known.done && known.at.offset >= opened.metadata.len()) {
            return Ok(true);
        }
        let mut at = counted.at;
        let ended = self.consume_file(&opened.file, &mut at, rules, buffer, Some(deadline))?;
        let quiet = before.as_ref().filter(|known| known.at.offset == at.offset).map_or(0, |known| known.quiet + 1);
        let mut known = Known { quiet, ..Known::growing(at) };
        if ended && (quiet > QUIET_LOOKS || before.is_none() && !opened.may_grow()) {
            // An unfinished last line of a file that nobody writes any more is a record, sound or torn.
            self.finish_file(&opened.file, &mut known.at, rules, buffer)?;
            known = Known::done(known.at, None);
        }
        self.remember(known);
        Ok(ended)
    }

    fn read_packed(
        &mut self,
        opened: &Opened,
        counted: Counted,
        rules: &Rules,
        buffer: &mut Vec<u8>,
        deadline: Instant,
    ) -> io::Result<bool> {
        let seal = opened.seal()?;
        if counted.all {
            if !counted.own {
                self.remember(Known::done(counted.at, Some(seal)));
            }
            return Ok(true);
        }
        let mut unpacking = self.unpacking_of(opened, &seal)?;
        let mut at = counted.at;
        let result = unpacking.go_to(at.offset, deadline).and_then(|()| {
            let skipping = at.skipping;
            at = unpacking.at.clone().with_marks_of(&at);
            at.skipping = skipping;
            self.consume(&mut unpacking, &mut at, false, rules, buffer, Some(deadline))
        });
        let known = match or_broken(opened, result) {
            Ok(Some((ended, left))) => {
                unpacking.put_back(&at, &buffer[..left]);
                if ended {
                    self.consume(&mut unpacking, &mut at, true, rules, buffer, None)?;
                    Known::done(at, Some(seal))
                } else {
                    Known { packed: Some(seal), ..Known::growing(at) }
                }
            }
            Ok(None) => {
                self.gap(&format!("{} is broken: what it held behind byte {} is lost", name(opened), at.offset));
                Known::done(at, Some(seal))
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::TimedOut {
                    self.unpacking = Some(unpacking);
                } else if at.offset > 0 {
                    self.remember(Known { packed: Some(seal), ..Known::growing(at) });
                }
                return Err(error);
            }
        };
        let done = known.done;
        self.remember(known);
        self.unpacking = (!done).then_some(unpacking);
        Ok(done)
    }

    pub(crate) fn gap(&mut self, what: &str) {
        self.state.counts.gaps += 1;
        warn!(log = self.log.name, "{what}");
    }
}

fn name(opened: &Opened) -> String {
    opened.archive.as_ref().map_or_else(|| "the live file".to_owned(), |archive| archive.path.display().to_string())
}

/// `None` for an archive that is broken for good; the error for one that may still be being written.
fn or_broken<T>(opened: &Opened, result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if opened.packed() && error.kind() != io::ErrorKind::TimedOut => {
            let modified = opened.metadata.modified();
            let age = modified.ok().and_then(|time| SystemTime::now().duration_since(time).ok());
            if age.is_none_or(|age| age > PACKING) { Ok(None) } else { Err(error) }
        }
        result => result.map(Some),
    }
}
