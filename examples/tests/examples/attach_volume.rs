//! The Amazon basin, undisturbed and killed.

use crate::checker::{LAST_LINE, all_lines, check};
use crate::process::{Kill, Life, live};
use crate::random::{Random, number};
use std::time::Duration;

#[track_caller]
fn at(life: &Life, line: &str) -> Duration {
    let place = life.out.iter().position(|it| it == line);
    life.at[place.unwrap_or_else(|| panic!("{line:?} is missing in {life:#?}"))]
}

#[test]
fn case_01_attach_volume_prints_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "attach_volume", &[], &Kill::Never);
    check(std::slice::from_ref(&life)).unwrap_or_else(|why| panic!("{why}: {life:#?}"));
    assert_eq!(life.out.len(), all_lines().len(), "each line once: {life:#?}");
    assert_eq!(life.out.last().unwrap(), LAST_LINE);

    let flows = [at(&life, "CreateVmRiver flow, name: my-vm"), at(&life, "CreateVolumeRiver flow, name: my-vol")];
    let overs = [at(&life, "create vm req over"), at(&life, "create volume req over")];
    assert!(flows.iter().max() < overs.iter().min(), "the flows overlap: {life:#?}");
    let second = Duration::from_millis(950);
    assert!(at(&life, "CreateVmRiver cycle, vmId: vmId1") >= overs[0] + second, "{life:#?}");
    assert!(at(&life, "CreateVolumeRiver cycle, volumeId: volId1") >= overs[1] + second, "{life:#?}");
    assert!(at(&life, LAST_LINE) >= at(&life, "attach volume success") + second, "{life:#?}");
    assert!(life.took >= Duration::from_millis(2_500) && life.took < Duration::from_secs(60), "{:?}", life.took);

    let remarks = life.err.join("\n");
    for needed in ["attach_volume.db", "sqlite3 attach_volume.db 'select id, flow, status from runs'", "cargo run"] {
        assert!(remarks.contains(needed), "{needed:?} is missing in {remarks}");
    }
}

#[test]
fn case_15_restart_skips_done_rivers() {
    let dir = tempfile::tempdir().unwrap();
    let attaches = all_lines().len() - 1;
    let killed = live(dir.path(), "attach_volume", &[], &Kill::AtLine(attaches, Duration::ZERO));
    assert_eq!((killed.code, killed.out.len()), (None, attaches), "{killed:#?}");
    let resumed = live(dir.path(), "attach_volume", &[], &Kill::Never);
    assert!(!resumed.out.iter().any(|line| line.to_lowercase().starts_with("create")), "{resumed:#?}");
    assert_eq!(resumed.out.last().unwrap(), LAST_LINE);
    check(&[killed, resumed]).unwrap();
}

#[test]
fn a_finished_run_says_so_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["--store", "sqlite:own.db", "--id", "own"];
    let first = live(dir.path(), "attach_volume", &args, &Kill::Never);
    assert_eq!(first.code, Some(0), "{first:#?}");
    let again = live(dir.path(), "attach_volume", &args, &Kill::Never);
    assert_eq!((again.code, again.out.len()), (Some(0), 0), "{again:#?}");
    let remarks = again.err.join("\n");
    assert!(remarks.contains("run own is finished already: it succeeded"), "{remarks}");
    assert!(remarks.contains("run own of attach-volume: succeeded after "), "{remarks}");
    assert!(dir.path().join("own.db").exists());
}

#[test]
fn an_unknown_option_names_the_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    let life = live(dir.path(), "attach_volume", &["--sotre", "sqlite:a.db"], &Kill::Never);
    assert_eq!(life.code, Some(2));
    assert_eq!(life.err[0], "error: there is no option --sotre; there are --store, --id, --dashboard, --help");
    assert_eq!(live(dir.path(), "attach_volume", &["--help"], &Kill::Never).code, Some(0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Lives with these kills, then one to the end.
fn lives(kills: &[Kill]) -> Vec<Life> {
    let dir = tempfile::tempdir().unwrap();
    let mut lives = Vec::new();
    for kill in kills.iter().chain([&Kill::Never]) {
        let life = live(dir.path(), "attach_volume", &[], kill);
        let was_killed = life.code.is_none();
        lives.push(life);
        if !was_killed {
            break;
        }
    }
    lives
}

#[track_caller]
fn check_kills(seed: u64, kills: &[Kill]) {
    let lives = lives(kills);
    if let Err(why) = check(&lives) {
        panic!("{why}\nVASTFLOW_SEED={seed} and kills {kills:?} made {lives:#?}");
    }
}

/// Up to two kills: at any moment, or around what may follow a line.
fn some_kills(random: &mut Random) -> Vec<Kill> {
    let one = |random: &mut Random| match random.below(2) {
        0 => Kill::After(Duration::from_millis(random.below(3_400))),
        _ => {
            let line = usize::try_from(random.below(all_lines().len() as u64)).unwrap();
            Kill::AtLine(line + 1, Duration::from_micros(random.below(12_000)))
        }
    };
    (0..1 + random.below(2)).map(|_| one(random)).collect()
}

/// Twenty kills. A flow takes a second, so most lives get nowhere; the one in the middle that does is followed by
/// short ones that fall into the polls.
fn twenty_kills(random: &mut Random) -> Vec<Kill> {
    let life = |number| match number {
        16 => 1_300 + random.below(500),
        17.. => 20 + random.below(180),
        _ => 20 + random.below(800),
    };
    (0..20).map(life).map(|millis| Kill::After(Duration::from_millis(millis))).collect()
}

#[test]
fn killed_at_any_moment_it_finishes_and_repeats_nothing_that_was_recorded() {
    let runs = number("VASTFLOW_KILLS").unwrap_or(6);
    let (seed, mut random) = Random::seeded();
    let mut plans = vec![twenty_kills(&mut random)];
    plans.extend((0..runs).map(|_| some_kills(&mut random)));
    // They wait most of the time.
    for some in plans.chunks(11) {
        std::thread::scope(|scope| {
            for plan in some {
                scope.spawn(move || check_kills(seed, plan));
            }
        });
    }
}
