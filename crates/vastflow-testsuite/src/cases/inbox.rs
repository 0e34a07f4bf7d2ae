//! The inbox: messages between the scopes of a run.

use crate::fixture::{self, BOB, LEASE, Story, T0, after, attempt, inner, message};
use crate::probe::{ALL, Probe};
use vastflow_core::{Codec, Payload, ScopeId, Task};
use vastflow_store::{ClaimToken, Claimed, Commit, Committed, Control, WorkerId};

/// A run with nothing else to claim.
async fn quiet(probe: &Probe) -> Story {
    let mut story = Story::new(fixture::wide(9), "r");
    probe.put_plan(&story.plan).await;
    let mut commit = story.start();
    commit.queue.clear();
    probe.done(commit).await;
    story
}

/// A commit of the root that sends messages of these kinds.
fn sending(story: &mut Story, node: u32, to: &ScopeId, kinds: impl IntoIterator<Item = u32>) -> Commit {
    let mut commit = story.finish(attempt(node, 1));
    commit.messages = kinds.into_iter().map(|kind| message(to, kind)).collect();
    commit
}

async fn deliver(probe: &Probe, worker: WorkerId) -> Claimed {
    let mut tasks = probe.claim_as(worker, T0, ALL).await.tasks;
    assert_eq!(tasks.len(), 1, "one task: {tasks:#?}");
    assert_eq!(tasks[0].task, Task::Deliver);
    tasks.remove(0)
}

fn kinds(claimed: &Claimed) -> Vec<u32> {
    claimed.messages.iter().map(|(_, message)| message.kind).collect()
}

fn settling(claimed: &Claimed) -> Commit {
    let mut commit = fixture::commit(&claimed.scope, claimed.len.0);
    commit.settle.push((claimed.task, claimed.token));
    commit
}

/// Messages are handed over with their senders, in the order they came, by one task.
pub async fn messages_are_handed_over_in_order(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [5, 3])).await;
    probe.done(sending(&mut story, 1, &item, [4])).await;
    assert_eq!(probe.tasks(&item).await.len(), 1, "at most one deliver task");
    let claimed = deliver(&probe, BOB).await;
    let wanted: Vec<_> = [5, 3, 4].map(|kind| (story.scope.clone(), message(&item, kind))).into();
    assert_eq!(claimed.messages, wanted);
    assert_eq!((claimed.scope, claimed.token, claimed.len.0), (item, ClaimToken::FIRST, 0));
}

/// A commit settles what was handed over; then the inbox is empty.
pub async fn settling_empties_the_inbox(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1, 2])).await;
    let claimed = deliver(&probe, BOB).await;
    probe.done(settling(&claimed)).await;
    assert_eq!(probe.tasks(&item).await, []);
    assert!(probe.claim(ALL).await.is_empty());
}

/// A claim hands over at most 512; the rest follows.
pub async fn at_most_512_are_handed_over(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, 0..1_100)).await;
    let mut seen = Vec::new();
    for wanted in [512, 512, 76] {
        let claimed = deliver(&probe, BOB).await;
        assert_eq!(claimed.messages.len(), wanted);
        seen.extend(kinds(&claimed));
        probe.done(settling(&claimed)).await;
    }
    assert_eq!(seen, (0..1_100).collect::<Vec<_>>());
    assert!(probe.claim(ALL).await.is_empty());
}

/// Beyond the first, a claim hands over only what has 1 MiB together; the rest follows, and nothing is passed over.
pub async fn at_most_a_mebibyte_is_handed_over(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    let mebibyte = 1 << 20;
    let sizes = [mebibyte + 1, mebibyte - 10, 10, 1, mebibyte, 0, 1];
    let mut commit = sending(&mut story, 0, &item, 0..7);
    for (message, size) in commit.messages.iter_mut().zip(sizes) {
        message.body = Payload::new(Codec::Bytes, vec![7; size]);
    }
    probe.done(commit).await;
    for wanted in [vec![0], vec![1, 2], vec![3], vec![4, 5], vec![6]] {
        let claimed = deliver(&probe, BOB).await;
        assert_eq!(kinds(&claimed), wanted);
        probe.done(settling(&claimed)).await;
    }
    assert!(probe.claim(ALL).await.is_empty());
}

/// However few deliveries one claim gives, claims that go on while there is more get them all.
pub async fn very_many_deliveries_are_all_claimed(probe: Probe) {
    let mut story = quiet(&probe).await;
    let mut commit = story.finish(attempt(0, 1));
    commit.messages = (0..2_500).map(|key| message(&inner("r", &key.to_string()), 1)).collect();
    probe.done(commit).await;
    let mut count = 0;
    loop {
        let claims = probe.claim_at(T0, 0).await;
        count += claims.tasks.len();
        if !claims.more {
            break;
        }
    }
    assert_eq!(count, 2_500);
}

/// What comes after a claim is not settled by it: it is delivered next.
pub async fn what_comes_meanwhile_is_delivered_next(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1])).await;
    let first = deliver(&probe, BOB).await;
    probe.done(sending(&mut story, 1, &item, [2, 3])).await;
    assert!(probe.claim(ALL).await.is_empty(), "at most one deliver task");
    probe.done(settling(&first)).await;
    let second = deliver(&probe, BOB).await;
    assert_eq!(kinds(&second), [2, 3]);
    probe.done(settling(&second)).await;
    assert_eq!(probe.tasks(&item).await, []);
}

/// A sender's second message of one kind is dropped while the first waits or is in hand. What comes later is the
/// receiver's business, so that a store need not remember what was delivered.
pub async fn one_message_of_a_kind(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1, 1])).await;
    probe.done(sending(&mut story, 1, &item, [1])).await;
    let claimed = deliver(&probe, BOB).await;
    assert_eq!(kinds(&claimed), [1]);
    probe.done(sending(&mut story, 2, &item, [1])).await;
    probe.done(settling(&claimed)).await;
    assert!(probe.claim(ALL).await.is_empty(), "dropped while in hand");
    probe.done(sending(&mut story, 3, &item, [1])).await;
    assert_eq!(kinds(&deliver(&probe, BOB).await), [1], "it comes again when the first was settled");
}

/// The first of two messages of one kind is the one that counts.
pub async fn the_first_of_a_kind_counts(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1])).await;
    let mut second = sending(&mut story, 1, &item, [1]);
    second.messages[0].body = fixture::payload("\"other\"");
    probe.done(second).await;
    assert_eq!(deliver(&probe, BOB).await.messages[0].1, message(&item, 1));
}

/// The same kind from two senders are two messages, and to two receivers as well.
pub async fn senders_and_receivers_are_told_apart(probe: Probe) {
    let mut story = quiet(&probe).await;
    let (one, two) = (inner("r", "1"), inner("r", "2"));
    let mut from_root = sending(&mut story, 0, &one, [1]);
    from_root.messages.push(message(&two, 1));
    probe.done(from_root).await;
    let mut from_two = fixture::commit(&two, 0);
    from_two.messages.push(message(&one, 1));
    probe.done(from_two).await;
    let tasks = probe.claim(ALL).await;
    let of = |scope: &ScopeId| tasks.iter().find(|claimed| claimed.scope == *scope).expect("a deliver task");
    let senders: Vec<_> = of(&one).messages.iter().map(|(from, _)| from.clone()).collect();
    assert_eq!(senders, [story.scope.clone(), two.clone()]);
    assert_eq!(kinds(of(&two)), [1]);
}

/// An inner scope writes to its root, and any scope to itself.
pub async fn messages_go_up_and_to_oneself(probe: Probe) {
    let story = quiet(&probe).await;
    let item = inner("r", "1");
    let mut commit = fixture::commit(&item, 0);
    commit.messages = vec![message(&story.scope, 1), message(&item, 1)];
    probe.done(commit).await;
    let mut scopes: Vec<_> = probe.claim(ALL).await.into_iter().map(|claimed| claimed.scope).collect();
    scopes.sort_unstable();
    assert_eq!(scopes, [story.scope.clone(), item]);
}

/// A message to oneself in the commit that settles a delivery is delivered next.
pub async fn a_message_to_oneself_while_settling(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1])).await;
    let claimed = deliver(&probe, BOB).await;
    let mut commit = settling(&claimed);
    commit.messages.push(message(&item, 7));
    probe.done(commit).await;
    assert_eq!(kinds(&deliver(&probe, BOB).await), [7]);
}

/// A delivery that was given back or swept hands the same messages over again, and new ones with them.
pub async fn a_delivery_that_failed_comes_again(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1])).await;
    let first = deliver(&probe, BOB).await;
    probe.release(&[first]).await;
    probe.done(sending(&mut story, 1, &item, [2])).await;
    let second = deliver(&probe, BOB).await;
    assert_eq!((kinds(&second), second.token), (vec![1, 2], ClaimToken(2)));
    probe.sweep(T0.plus(LEASE)).await;
    let third = probe.claim_at(after(60), ALL).await.tasks.remove(0);
    assert_eq!((kinds(&third), third.token), (vec![1, 2], ClaimToken(3)));
    probe.refused(settling(&second), Committed::Fenced).await;
    probe.done(settling(&third)).await;
    assert_eq!(probe.tasks(&item).await, []);
}

/// A refused commit sends nothing.
pub async fn a_refused_commit_sends_nothing(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    let late = sending(&mut story.clone(), 0, &item, [1]);
    let mut fenced = late.clone();
    fenced.op = fixture::op();
    fenced.settle.push((attempt(0, 1), ClaimToken::FIRST));
    probe.refused(fenced, Committed::Fenced).await;
    probe.done(sending(&mut story, 1, &item, [])).await;
    probe.refused(late, Committed::Conflict { len: story.state.len() }).await;
    probe.done(sending(&mut story, 0, &item, [1])).await;
    assert_eq!(kinds(&deliver(&probe, BOB).await), [1], "what was refused does not count as sent");
}

/// Messages to a held run wait with it.
pub async fn messages_wait_while_held(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    let mut commit = sending(&mut story, 0, &item, [1]);
    commit.control = Some(Control::Held);
    probe.done(commit).await;
    assert!(probe.claim(ALL).await.is_empty());
    let mut resume = sending(&mut story, 1, &item, [2]);
    resume.control = Some(Control::Running);
    probe.done(resume).await;
    assert_eq!(kinds(&deliver(&probe, BOB).await), [1, 2]);
}

/// A delivery cannot be settled with another token, or twice.
pub async fn a_delivery_is_fenced(probe: Probe) {
    let mut story = quiet(&probe).await;
    let item = inner("r", "1");
    probe.done(sending(&mut story, 0, &item, [1])).await;
    let claimed = deliver(&probe, BOB).await;
    let mut wrong = settling(&claimed);
    wrong.settle[0].1 = ClaimToken(2);
    probe.refused(wrong, Committed::Fenced).await;
    probe.done(settling(&claimed)).await;
    let mut again = settling(&claimed);
    again.expected = vastflow_core::Seq(1);
    probe.refused(again, Committed::Fenced).await;
}
