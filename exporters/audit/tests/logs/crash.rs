//! Each line is counted once: whatever happens to the file, and whenever the agent is killed.

use std::{
    env, fs,
    io::{self, Read},
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::support::{Installation, Rotation, counted};
use aura_model::Source;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    AppendHalf(u8),
    AppendLate(u8),
    Rotate(Rotation),
    Sample,
    /// The process dies between two samples.
    Die,
    /// It dies in a sample, before that was kept.
    DieInSample,
    /// It dies while it writes the file in which positions are kept.
    DieWriting,
}

fn step() -> impl Strategy<Value = Step> {
    let rotation = prop_oneof![
        Just(Rotation::Rename),
        Just(Rotation::RenameAndCreate),
        Just(Rotation::Pack),
        Just(Rotation::CopyAndCut)
    ];
    prop_oneof![
        8 => (0..30u8).prop_map(Step::Append),
        2 => (0..30u8).prop_map(Step::AppendHalf),
        1 => (0..30u8).prop_map(Step::AppendLate),
        2 => rotation.prop_map(Step::Rotate),
        4 => Just(Step::Sample),
        1 => Just(Step::Die),
        1 => Just(Step::DieInSample),
        1 => Just(Step::DieWriting),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn each_line_is_counted_once(steps in prop::collection::vec(step(), 1..60), hurried in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let mut installation = Installation::new(folder.path());
        installation.hurried = hurried;
        let kept = installation.storage.join("audit.json");
        let mut audit = Some(installation.open());
        // Before its first look nobody can know what came before.
        audit.as_mut().unwrap().sample().unwrap();
        // Looks since the file was renamed; a late writer has that long.
        let mut late = usize::MAX;
        for step in steps {
            match step {
                Step::Append(kind) => installation.append(kind),
                Step::AppendHalf(kind) => installation.append_half(kind),
                Step::AppendLate(kind) if late < 2 => installation.append_late(kind),
                Step::AppendLate(_) => {}
                Step::Rotate(how) => {
                    if installation.rotate(how, 30) {
                        late = match how {
                            Rotation::Rename | Rotation::RenameAndCreate => 0,
                            Rotation::Pack | Rotation::CopyAndCut => usize::MAX,
                        };
                    }
                }
                Step::Sample => {
                    let reading = audit.get_or_insert_with(|| installation.open()).sample().unwrap();
                    prop_assert_eq!(reading.kept, Some(true));
                    late = late.saturating_add(1);
                }
                Step::Die => audit = None,
                Step::DieInSample => {
                    let before = fs::read(&kept).unwrap();
                    audit.get_or_insert_with(|| installation.open()).sample().unwrap();
                    fs::write(&kept, before).unwrap();
                    audit = None;
                }
                Step::DieWriting => {
                    audit = None;
                    fs::write(installation.storage.join("audit.json.new"), "{\"logs\":{").unwrap();
                }
            }
        }
        installation.finish_line();
        // The last rotation may have left no live file, and only the next one shows that the old one is done.
        installation.append(0);
        let mut audit = audit.unwrap_or_else(|| installation.open());
        let mut reading = audit.sample().unwrap();
        // Without time each look reads a block of one file.
        for _ in 0..if hurried { 100 } else { 5 } {
            reading = audit.sample().unwrap();
        }
        prop_assert_eq!(counted(&reading), installation.written.clone());
        prop_assert_eq!(reading.logs[0].skipped.total(), 0);
        prop_assert_eq!(reading.logs[0].gaps, 0);
        prop_assert_eq!(reading.logs[0].unread, 0);
    }
}

/// A file of which nothing was counted yet, unfinished line or empty, is filled, copied and cut, filled again and
/// renamed away between two looks. The look that finds no live file must not forget that there may be a copy.
#[test]
fn a_copy_is_found_though_the_cut_file_was_renamed_away() {
    for (unfinished, away) in [
        (true, Rotation::Rename),
        (true, Rotation::RenameAndCreate),
        (true, Rotation::Pack),
        (false, Rotation::Rename),
        (false, Rotation::RenameAndCreate),
        (false, Rotation::Pack),
    ] {
        for restarted in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut installation = Installation::new(folder.path());
            let mut audit = installation.open();
            audit.sample().unwrap();
            if unfinished {
                installation.append_half(0);
            } else {
                fs::write(&installation.live, "").unwrap();
            }
            audit.sample().unwrap();
            installation.append(0);
            assert!(installation.rotate(Rotation::CopyAndCut, 30));
            installation.append(0);
            assert!(installation.rotate(away, 30));
            audit.sample().unwrap();
            if restarted {
                audit = installation.open();
            }
            installation.append(0);
            let mut reading = audit.sample().unwrap();
            for _ in 0..5 {
                reading = audit.sample().unwrap();
            }
            let case = format!("unfinished: {unfinished}, away: {away:?}, restarted: {restarted}");
            assert_eq!(counted(&reading), installation.written, "{case}");
            assert_eq!((reading.logs[0].skipped.total(), reading.logs[0].gaps), (0, 0), "{case}");
            assert_eq!(reading.logs[0].unread, 0, "{case}");
        }
    }
}

/// Where files are rotated as fast as they can be read, the live one is never come to.
#[test]
fn while_reading_never_comes_to_the_live_file_nothing_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = Installation::new(folder.path());
    installation.hurried = true;
    installation.append(0);
    let mut audit = installation.open();
    audit.sample().unwrap();
    let mut read = 1;
    for round in 0..100 {
        while installation.written.values().sum::<u64>() < read + 12 {
            installation.append(0);
            installation.rotate(Rotation::Rename, 50);
        }
        audit = if round % 5 == 0 { installation.open() } else { audit };
        read = audit.sample().unwrap().logs[0].total;
    }
    installation.append(0);
    let mut reading = audit.sample().unwrap();
    for _ in 0..50 {
        reading = audit.sample().unwrap();
    }
    assert_eq!(counted(&reading), installation.written);
    assert_eq!((reading.logs[0].gaps, reading.logs[0].unread), (0, 0));
}

/// Each look takes up an archive where the one before left it, however many others are there.
#[test]
fn archives_that_take_longer_than_a_look_are_read_to_their_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = Installation::new(folder.path());
    installation.hurried = true;
    installation.append(0);
    installation.open().sample().unwrap();
    for _ in 0..3 {
        (0..8000).for_each(|_| installation.append(1));
        installation.rotate(Rotation::Pack, 10);
    }
    installation.append(0);
    let mut audit = installation.open();
    let mut looks = 0;
    while counted(&audit.sample().unwrap()) != installation.written {
        looks += 1;
        assert!(looks < 500, "no end is come to");
    }
    assert_eq!(audit.sample().unwrap().logs[0].gaps, 0);
}

/// It is looked for places that it does not come to; a look that has no time for that must not have to begin anew.
#[test]
fn an_archive_that_ends_before_what_was_counted_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = Installation::new(folder.path());
    installation.hurried = true;
    let mut audit = installation.open();
    audit.sample().unwrap();
    for _ in 0..3 {
        (0..5000).for_each(|_| installation.append(0));
        audit.sample().unwrap();
    }
    while audit.sample().unwrap().logs[0].total < 15_000 {}
    let bytes = fs::read(&installation.live).unwrap();
    fs::write(&installation.live, &bytes[..bytes.len() / 2]).unwrap();
    assert!(installation.rotate(Rotation::Pack, 10));
    installation.append(1);
    let counts = |_| counted(&audit.sample().unwrap()).contains_key("kind_1");
    assert!((0..100).any(counts));
}

/// The process that is killed; a test only in name.
#[test]
fn follower_to_be_killed() {
    let Some(folder) = env::var_os("AURA_AUDIT_FOLLOW") else { return };
    // Nobody writes to the pipe: it ends when the test does, however that comes.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    let mut audit = Installation::new(&PathBuf::from(folder)).open();
    loop {
        audit.sample().unwrap();
    }
}

fn start_follower(folder: &std::path::Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["crash::follower_to_be_killed", "--exact"])
        .env("AURA_AUDIT_FOLLOW", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_process_counts_each_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut installation = Installation::new(folder.path());
    let kept = installation.storage.join("audit.json");
    installation.open().sample().unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for _ in 0..8 {
        let mut follower = start_follower(folder.path());
        let mut before = fs::read(&kept).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let (mut writes, mut rotations) = (0, 0);
        // Killed at a moment that nobody chose: some time after it has begun to count, in the midst of writing.
        let stop = 3 + next(30);
        while writes < stop {
            for _ in 0..=next(20) {
                installation.append(next(30) as u8);
            }
            // Cutting loses what was written since the copy was made: that is the writer's fault, so not here.
            if next(40) == 0 && rotations < 10 {
                let how = [Rotation::Rename, Rotation::RenameAndCreate, Rotation::Pack][next(3) as usize];
                rotations += usize::from(installation.rotate(how, 30));
            }
            let now = fs::read(&kept).unwrap();
            if now != before {
                (before, rotations) = (now, 0);
                writes += 1;
            } else {
                // Nobody writes faster than can be read.
                thread::sleep(Duration::from_millis(1));
            }
            assert!(Instant::now() < deadline, "the follower does not count");
        }
        follower.kill().unwrap();
        follower.wait().unwrap();
    }
    installation.append(0);
    let mut audit = installation.open();
    let mut reading = audit.sample().unwrap();
    // What waits may take more than one look.
    while reading.logs[0].unread > 0 {
        reading = audit.sample().unwrap();
    }
    for _ in 0..5 {
        reading = audit.sample().unwrap();
    }
    assert_eq!(counted(&reading), installation.written);
    assert_eq!((reading.logs[0].skipped.total(), reading.logs[0].gaps), (0, 0));
}
