//! From a failing seed to the smallest list of choices that fails as well.

use super::attempt;
use crate::property::Choices;
use std::time::{Duration, Instant};

/// How long is looked for a smaller case.
const LIMIT: Duration = Duration::from_secs(20);

/// What a failing seed says in its smallest form, plan included.
pub(super) fn smallest(seed: u64) -> String {
    let mut choices = Choices::endless(seed);
    let Err(mut said) = attempt(&mut choices, None) else { return "it fails only sometimes".into() };
    let made = choices.made();
    let mut all = Choices::endless(seed);
    let mut list: Vec<u16> = (0..made).map(|_| all.number()).collect();
    let began = Instant::now();
    let mut size = list.len();
    while size > 0 && began.elapsed() < LIMIT {
        let mut at = 0;
        while at < list.len() && began.elapsed() < LIMIT {
            at += match simpler(&list, at, size) {
                Some((smaller, why)) => {
                    (list, said) = (smaller, why);
                    0
                }
                None => size,
            };
        }
        size /= 2;
    }
    let case = super::drawn(&list);
    format!("{said}\n{case}\nwith {} choices: {list:?}", list.len())
}

/// The list without a stretch of it, or with zeros there, if it fails like that.
fn simpler(list: &[u16], at: usize, size: usize) -> Option<(Vec<u16>, String)> {
    let end = list.len().min(at + size);
    let without = [&list[..at], &list[end..]].concat();
    let mut zeros = list.to_vec();
    zeros[at..end].fill(0);
    let ways = [without, zeros].into_iter().filter(|way| way != list);
    ways.into_iter().find_map(|way| attempt(&mut Choices::of(&way), None).err().map(|why| (way, why)))
}
