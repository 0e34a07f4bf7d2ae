//! `start` and `runs` at a service.

use super::{LOOK, Remote, no_other_name};
use crate::args::{self, ChoiceWord, Filter, Logs, Ls, RunResult, Start, Tail, Told};
use crate::complaint::{Complaint, Exit};
use crate::verbs::tell::{self, Done, Word};
use crate::verbs::{logs, looking, ls, read, result, tail};
use crate::{convert, text};
use serde_json::json;
use std::time::Duration;
use vastflow_api::control::{Choice, ForkRun, Resolve};
use vastflow_api::run::{RunRow, StartRun};
use vastflow_client::{ClientError, Runs};
use vastflow_core::{Codec, Payload, RunId};

/// The most rows of a page.
const PAGE: usize = 1_000;
/// How often it is looked whether something new was recorded.
const NEWS: Duration = Duration::from_millis(200);

impl Remote<'_> {
    pub(super) async fn start(&self, args: Start) -> Result<(), Complaint> {
        let input = read(args.input.input.as_deref())?;
        let start = StartRun {
            flow: args.flow.clone(),
            id: args.id,
            input: input.value(),
            labels: args.label.into_iter().collect(),
            key: args.key,
            lane: args.lane,
            priority: args.priority,
            deadline_in_ms: args.deadline.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
        };
        let id = self.client.start(start).await?.id;
        if args.wait {
            let row = self.client.wait(&id).await?;
            return self.print_result(&row).await.map_err(|complaint| self.without_output(&row, complaint));
        }
        let row = self.client.run(&id).await?;
        let out = self.out();
        if out.is_json() {
            out.json(json!({ "run": row }));
        } else {
            out.say(&id);
            out.note(format!("run {id} of {} is {}", args.flow, row.status.as_str()));
        }
        Ok(())
    }

    pub(super) async fn runs(&self, verb: args::Runs) -> Result<(), Complaint> {
        match verb {
            args::Runs::Ls(args) => looking(self.out(), args.watch, async || self.ls(&args).await).await,
            args::Runs::Show(args) => self.show(&args).await,
            args::Runs::Tail(args) => self.tail(&args).await,
            args::Runs::Result(args) => self.result(&args).await,
            args::Runs::Logs(args) => self.logs(&args).await,
            args::Runs::Signal(args) => self.signal(args).await,
            args::Runs::Fork(args) => self.fork(args).await,
            args::Runs::Resolve(args) => self.resolve(args).await,
            args::Runs::Pause(told) => self.tell(Word::Pause, &told).await,
            args::Runs::Resume(told) => self.tell(Word::Resume, &told).await,
            args::Runs::Stop(told) => self.tell(Word::Stop, &told).await,
            args::Runs::Kill(told) => self.tell(Word::Kill, &told).await,
            args::Runs::Retry(told) => self.tell(Word::Retry, &told).await,
            args::Runs::Rerun(told) => self.tell(Word::Rerun, &told).await,
            args::Runs::Rm(told) => self.tell(Word::Rm, &told).await,
        }
    }

    async fn ls(&self, args: &Ls) -> Result<(), Complaint> {
        let (rows, next) = self.list(&args.filter, args.before, args.limit as usize).await?;
        ls::print(self.context, &rows, next, text::now());
        if let Some(flow) = args.filter.flow.as_deref().filter(|_| rows.is_empty()) {
            let known = self.client.flows().await?;
            ls::hint(self.out(), flow, known.items.iter().map(|known| known.name.as_str()));
        }
        Ok(())
    }

    /// Runs that fit a filter, newest first, at most `most`; and where the next page begins.
    async fn list(
        &self,
        filter: &Filter,
        before: Option<u64>,
        most: usize,
    ) -> Result<(Vec<RunRow>, Option<u64>), Complaint> {
        let mut runs = Runs {
            flow: filter.flow.clone(),
            status: filter.status.iter().map(|status| convert::status(*status)).collect(),
            labels: filter.label.clone(),
            since_ms: filter.from.map(|from| from.millis()),
            until_ms: filter.until(text::now()).map(|until| until.millis()),
            before: before.map(|before| before.to_string()),
            ..Runs::default()
        };
        let mut rows = Vec::new();
        loop {
            runs.limit = PAGE.min(most - rows.len());
            let page = self.client.runs(&runs).await?;
            rows.extend(page.items);
            let next = page.next.as_deref().and_then(|next| next.parse().ok());
            if next.is_none() || rows.len() >= most {
                return Ok((rows, next));
            }
            runs.before = page.next;
        }
    }

    async fn result(&self, args: &RunResult) -> Result<(), Complaint> {
        let mut row = self.pick(&args.id).await?;
        if args.wait {
            row = self.client.wait(&row.id).await?;
        }
        self.print_result(&row).await
    }

    async fn logs(&self, args: &Logs) -> Result<(), Complaint> {
        let id = self.pick(&args.id).await?.id;
        let (mut after, mut dropped, mut count) = (None, 0, 0);
        loop {
            let ends_run = self.client.run(&id).await?.status.is_final();
            let ends = !args.follow || ends_run;
            let page = self.client.logs(&id, &args.within, args.node.as_deref(), after.as_deref()).await?;
            page.lines.iter().for_each(|line| logs::print(self.out(), line));
            count += page.lines.len() as u64;
            dropped += page.dropped;
            let is_last = page.next.is_none();
            after = Some(page.next.unwrap_or(page.seen));
            if is_last && ends {
                logs::note(self.out(), (count, dropped), ends_run);
                return Ok(());
            }
            if is_last {
                tokio::time::sleep(logs::LOOK).await;
            }
        }
    }

    async fn print_result(&self, row: &RunRow) -> Result<(), Complaint> {
        let output = match row.output_bytes {
            Some(_) => Some(self.client.output(&row.id).await?),
            None => None,
        };
        let output =
            output.map(|output| Payload::new(if output.is_json { Codec::Json } else { Codec::Bytes }, output.bytes));
        result::print_row(row, output.as_ref(), self.context)
    }

    /// What is said of a run that was started here and whose output may not be seen.
    fn without_output(&self, row: &RunRow, complaint: Complaint) -> Complaint {
        if complaint.code != "payload-not-allowed" {
            return complaint;
        }
        let id = &row.id;
        if self.out().is_json() {
            self.out().json(json!({ "run": row }));
        } else {
            self.out().say(id);
        }
        let text = format!("run {id} {}, but this token may not see its output", row.status.as_str());
        Complaint { text, ..complaint }.next(format!(
            "vastflow runs show {id}; for the output take a token with the right `payload:read`, or leave out --wait"
        ))
    }

    async fn tail(&self, args: &Tail) -> Result<(), Complaint> {
        let id = self.pick(&args.id).await?.id;
        let mut read = 0;
        loop {
            // Whether it was over is asked first: what was recorded before is read then.
            let is_over = self.client.run(&id).await?.status.is_final();
            loop {
                let page = self.client.events_within(&id, &args.within, read).await?;
                read += page.items.len() as u64;
                page.items.iter().for_each(|event| tail::print_row(self.out(), event));
                if page.next.is_none() {
                    break;
                }
            }
            if is_over || args.no_follow {
                return Ok(());
            }
            tokio::time::sleep(NEWS).await;
        }
    }

    async fn signal(&self, args: args::Signal) -> Result<(), Complaint> {
        let input = read(args.input.input.as_deref())?;
        let id = self.pick_to_change(&args.id).await?.id;
        let signal_id = args.signal_id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        self.client.signal(&id, &args.name, &input, Some(&signal_id), &args.within).await?;
        if self.out().is_json() {
            self.out().json(json!({ "run": id, "signal": args.name, "signal_id": signal_id }));
        } else {
            self.out().note(format!("sent {} to run {id}", args.name));
        }
        Ok(())
    }

    async fn resolve(&self, args: args::Resolve) -> Result<(), Complaint> {
        if args.input.is_some() && args.choice != ChoiceWord::Done {
            return Err(Complaint::usage("--input says what the node gave, and is for `done` only"));
        }
        no_other_name(args.reason.by.as_deref())?;
        let (choice, output) = match args.choice {
            ChoiceWord::Retry => (Choice::Retry, None),
            ChoiceWord::Skip => (Choice::Skip, None),
            ChoiceWord::Done => (Choice::Done, Some(read(args.input.as_deref())?.value())),
        };
        let id = self.pick_to_change(&args.id).await?.id;
        let said = Resolve { at: args.node.clone(), choice, output, why: args.reason.why };
        self.client.resolve(&id, &said).await?;
        if self.out().is_json() {
            self.out().json(json!({ "run": id, "node": args.node, "done": true }));
        } else {
            self.out().note(format!("{} of run {id} goes on", args.node));
        }
        Ok(())
    }

    async fn fork(&self, args: args::Fork) -> Result<(), Complaint> {
        no_other_name(args.reason.by.as_deref())?;
        let json = |given: &Option<String>| match given {
            Some(given) => read(Some(given)).map(|raw| Some(raw.value())),
            None => Ok(None),
        };
        let id = self.pick_to_change(&args.id).await?.id;
        let fork = ForkRun {
            node: args.at.clone(),
            input: json(&args.input)?,
            output: json(&args.gives)?,
            id: args.new_id,
            why: args.reason.why,
        };
        let row = self.client.fork(&id, &fork).await?;
        if self.out().is_json() {
            self.out().json(json!({ "run": row }));
        } else {
            self.out().say(&row.id);
            self.out().note(format!("run {} goes on from {id} at {}", row.id, args.at));
        }
        Ok(())
    }

    async fn tell(&self, word: Word, told: &Told) -> Result<(), Complaint> {
        tell::says_which(word, told)?;
        no_other_name(told.reason.by.as_deref())?;
        let rows = self.chosen(word, told).await?;
        if told.dry_run {
            if !self.out().is_json() {
                self.preview(&rows);
            }
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            tell::would(word, &ids, self.context);
            return Ok(());
        }
        if word.is_destructive(rows.len()) && !rows.is_empty() {
            if told.ids.is_empty() && !self.out().is_json() && !told.yes {
                self.preview(&rows);
            }
            self.out().confirm(&format!("{} {}", word.verb(), text::count(rows.len() as u64, "run")), told.yes)?;
        }
        let bar = self.out().bar(rows.len() as u64, word.verb());
        let mut done = Done::default();
        for row in rows {
            let id = RunId::new(row.id.as_str())?;
            match self.tell_one(word, &row.id, &told.reason.why).await {
                Ok(new) => done.runs.push((id, new.map(RunId::new).transpose()?)),
                Err(error) => done.failed.push((id, error)),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        tell::report(word, done, self.context)
    }

    fn preview(&self, rows: &[RunRow]) {
        let shown = &rows[..rows.len().min(tell::SHOWN)];
        tell::preview_of(shown, rows.len(), text::now(), self.context);
    }

    async fn chosen(&self, word: Word, told: &Told) -> Result<Vec<RunRow>, Complaint> {
        if told.ids.is_empty() {
            return match tell::fitting(word, told) {
                Some(filter) => Ok(self.list(&filter, None, tell::MOST).await?.0),
                None => Ok(Vec::new()),
            };
        }
        let mut rows: Vec<RunRow> = Vec::new();
        for id in &told.ids {
            let row = if told.dry_run { self.pick(id).await? } else { self.pick_to_change(id).await? };
            if rows.iter().all(|known| known.id != row.id) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Asks something of a run; gives the id of the new one that goes on from it, if one does.
    async fn tell_one(&self, word: Word, id: &str, why: &str) -> Result<Option<String>, Complaint> {
        let client = &self.client;
        let told = match word {
            Word::Pause => client.pause(id, why).await,
            Word::Resume => client.resume(id, why).await,
            Word::Stop => client.stop(id, why).await,
            Word::Kill => client.kill(id, why).await,
            Word::Retry => return Ok(Some(client.retry(id, why).await?.id)),
            Word::Rerun => return Ok(Some(client.rerun(id, why).await?.id)),
            Word::Rm => return self.delete(id).await.map(|()| None),
        };
        Ok(told.map(|_| None)?)
    }

    /// Parts of a run that has just ended may still be under way: a few tries are enough for those.
    async fn delete(&self, id: &str) -> Result<(), Complaint> {
        for _ in 0..4 {
            match self.client.delete(id).await {
                Err(error) if error.code() == "deleted-nothing" => tokio::time::sleep(LOOK / 4).await,
                Err(ClientError::Problem(problem)) if problem.code == "run-not-ended" => {
                    return Err(Complaint::new(Exit::Conflict, "run-not-ended", problem.detail));
                }
                done => return Ok(done?),
            }
        }
        let text = format!("run {id} stays: something is left to do in it");
        Err(Complaint::new(Exit::Conflict, "run-not-ended", text))
    }
}
