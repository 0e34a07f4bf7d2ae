//! What the lives of one `attach_volume` run may have said, whenever they were killed.

use crate::process::Life;

/// A call of a river or of the Atlantic: the lines that it says, then a commit.
struct Step {
    lines: &'static [&'static str],
    /// Steps that are committed before it begins.
    needs: &'static [usize],
    /// How the remark begins that tells of its commit, in lower case.
    commit: &'static str,
}

const fn step(lines: &'static [&'static str], needs: &'static [usize], commit: &'static str) -> Step {
    Step { lines, needs, commit }
}

const STEPS: [Step; 6] = [
    step(&["CreateVmRiver flow, name: my-vm", "create vm req over"], &[], "▸ create-vm submitted"),
    step(&["CreateVmRiver cycle, vmId: vmId1", "create vm success"], &[0], "✓ create-vm "),
    step(&["CreateVolumeRiver flow, name: my-vol", "create volume req over"], &[], "▸ create-volume submitted"),
    step(&["CreateVolumeRiver cycle, volumeId: volId1", "create volume success"], &[2], "✓ create-volume "),
    step(
        &["AttachVolumeRiver flow, vmId:vmId1, volumeId:volId1", "attach volume success"],
        &[1, 3],
        "▸ attach-volume submitted",
    ),
    step(&[LAST_LINE], &[4], "✓ finally"),
];

/// What a run that went well says last.
pub(crate) const LAST_LINE: &str = "attach success, we should update status";

/// Every line of a run.
pub(crate) fn all_lines() -> Vec<&'static str> {
    STEPS.iter().flat_map(|step| step.lines).copied().collect()
}

/// What is known of one step.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Lines that its last call said, in whatever life.
    said: usize,
    /// Lines that its call in this life said.
    said_now: usize,
    /// Its commit must have been there: a step that needs it began, or a remark told of it.
    is_committed: bool,
}

/// Checks the lives of one run, the last of which ended by itself. A line may be said again only if its life ended
/// before the commit of its step.
pub(crate) fn check(lives: &[Life]) -> Result<(), String> {
    let mut known = [Known::default(); STEPS.len()];
    for (number, life) in lives.iter().enumerate() {
        for line in &life.out {
            hear(&mut known, line).map_err(|why| format!("life {}: {line:?} {why}", number + 1))?;
        }
        for (at, step) in STEPS.iter().enumerate() {
            known[at].said_now = 0;
            if remarks(life, step) > 0 {
                if known[at].said < step.lines.len() {
                    return Err(format!("life {}: {:?} before its lines were said", number + 1, step.commit));
                }
                known[at].is_committed = true;
            }
        }
    }
    end(&known, lives)
}

/// One more line was said.
fn hear(known: &mut [Known; STEPS.len()], line: &str) -> Result<(), String> {
    let place =
        STEPS.iter().enumerate().find_map(|(at, step)| Some((at, step.lines.iter().position(|it| *it == line)?)));
    let (at, position) = place.ok_or("is no line of this run")?;
    if known[at].is_committed {
        return Err("came again after its step was committed".into());
    }
    if position != known[at].said_now {
        return Err("came out of order, or twice in one life".into());
    }
    if position == 0 {
        for need in STEPS[at].needs {
            if known[*need].said < STEPS[*need].lines.len() {
                return Err(format!("came before {:?} was complete", STEPS[*need].lines));
            }
            known[*need].is_committed = true;
        }
    }
    known[at].said_now += 1;
    known[at].said = known[at].said_now;
    Ok(())
}

/// Remarks about a step's commit.
fn remarks(life: &Life, step: &Step) -> usize {
    let is_event = |line: &&String| {
        // A bar of the timeline at the end is no event.
        line.trim().to_lowercase().starts_with(step.commit) && !line.contains('│')
    };
    life.err.iter().filter(is_event).count()
}

fn end(known: &[Known; STEPS.len()], lives: &[Life]) -> Result<(), String> {
    let incomplete = STEPS.iter().zip(known).find(|(step, known)| known.said < step.lines.len());
    if let Some((step, _)) = incomplete {
        return Err(format!("{:?} was never said completely", step.lines));
    }
    let last = lives.last().ok_or("there was no life")?;
    if last.code != Some(0) {
        return Err(format!("the last life ended with {:?}", last.code));
    }
    let was_over = last.err.iter().any(|line| line.contains("is finished already"));
    match last.out.last() {
        // The kill before fell between the last commit and the end of the process.
        None if was_over => return Ok(()),
        Some(line) if line == LAST_LINE && !was_over => {}
        other => return Err(format!("the last life said {other:?} in the end")),
    }
    match STEPS.iter().find(|step| remarks(last, step) != 1) {
        Some(step) => Err(format!("{:?} was recorded {} times", step.commit, remarks(last, step))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives with lines and remarks by number: `0` is the first line, `c0` the remark about the commit of step 0.
    fn lives(text: &str) -> Vec<Life> {
        let mut lives: Vec<Life> = text.split('|').map(life).collect();
        lives.last_mut().unwrap().code = Some(0);
        lives
    }

    fn life(text: &str) -> Life {
        let mut life = Life::default();
        for word in text.split_whitespace() {
            match word.strip_prefix('c') {
                Some(step) => life.err.push(format!("  {} 1.0 s", STEPS[step.parse::<usize>().unwrap()].commit)),
                None if word == "over" => life.err.push("run attach-1 is finished already: it succeeded".into()),
                None if word == "?" => life.out.push("what is this".into()),
                None => life.out.push(all_lines()[word.parse::<usize>().unwrap()].into()),
            }
        }
        life
    }

    const ALL: &str = "c0 c1 c2 c3 c4 c5";

    #[track_caller]
    fn accepts(text: &str) {
        check(&lives(&format!("{text} {ALL}"))).unwrap();
    }

    #[track_caller]
    fn refuses(text: &str, because: &str) {
        let why = check(&lives(&format!("{text} {ALL}"))).unwrap_err();
        assert!(why.contains(because), "{text}: {why}");
    }

    #[test]
    fn what_a_kill_explains_is_accepted() {
        accepts("0 1 2 3 4 5 6 7 8 9 10");
        accepts("0 4 5 1 c0 c2|6 2 3 7 c1 c3|8 9 10");
        // Killed in the middle of a flow, twice; then between a line and its commit; then after the commit.
        accepts("0 4|4 0 1|0 1 4 5 c0|2 4 5 3 6 7|2 3 8|8 9 10|10");
        // Nothing was said in a life.
        accepts("|0 1 4 5||2 3 6 7 8 9||10");
        check(&lives("0 1 2 3 4 5 6 7 8 9 10|over")).unwrap();
    }

    #[test]
    fn what_no_kill_explains_is_refused() {
        // Again, after the first line of the next step.
        refuses("0 1 2|0 1 2 3 4 5 6 7 8 9 10", "committed");
        refuses("0 1 2 3 4 5 6 7 8|6 7 8 9 10", "committed");
        refuses("0 1 2 3 4 5 6 7 8 9 10|8 9 10", "committed");
        refuses("0 1 2 3 4 5 6 7 8|0 1 8 9 10", "committed");
        // Again, after a remark told of the commit.
        refuses("0 1 c0|0 1 2 3 4 5 6 7 8 9 10", "committed");
        refuses("0 1 2 3 4 5 6 7 8 9 10 c5|10", "committed");
        // Twice in one life.
        refuses("0 0 1 2 3 4 5 6 7 8 9 10", "out of order");
        refuses("0 1 0 1 2 3 4 5 6 7 8 9 10", "out of order");
        // Not from its first line on.
        refuses("0|1 2 3 4 5 6 7 8 9 10", "out of order");
        refuses("0 1 2|3 4 5 6 7 8 9 10", "out of order");
        // Before what it needs.
        refuses("0 4 5 2 1 3 6 7 8 9 10", "before");
        refuses("0 1 2 3 4 5 6 8 9 7 10", "before");
        refuses("0 1 4 5|0|2 3 6 7 8 9 10", "before");
        refuses("0 1 2 3 4 5 6 7 10 8 9", "before");
        refuses("0 1 2 3 4 5 6 7 8|10", "before");
        refuses("0 c0|0 1 2 3 4 5 6 7 8 9 10", "before its lines");
        // Something else, or not all.
        refuses("0 1 ? 2 3 4 5 6 7 8 9 10", "no line");
        refuses("0 1 2 3 4 5 6 7 8 9", "before its lines");
        refuses("0 1 2 3 4 5 6 7 8 9 10|", "in the end");
        refuses("0 1 2 3 4 5 6 7 8 9 10|over 10", "in the end");
        refuses("0 1 2 3 4 5 6 7 8 9 10 c3", "2 times");
        assert!(check(&lives("0 1 2 3 4 5 6 7 8 9 10")).unwrap_err().contains("0 times"));
        assert!(check(&lives("0 1 2 3 4 5 6 7 8 9")).unwrap_err().contains("never said"));
        assert!(check(&[life("0 1 2 3 4 5 6 7 8 9 10")]).unwrap_err().contains("ended with None"));
    }
}
