//! Where nodes put results that are too large to hand on: files beside the store, named by run and node.
//!
//! A file appears under its name when all of it is on the disk, and a node is recorded after that: whoever reads a
//! name in a recorded result finds a whole file. A node that runs again writes its file again.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use vastflow::{Ctx, Result};

/// What a run is asked to do.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The folder to look through.
    pub(crate) root: PathBuf,
    /// The file that the store is in.
    pub(crate) store: PathBuf,
}

/// The name of a file at the desk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct FileName(String);

impl Job {
    /// Whether a file belongs to the store, or lies on a desk.
    pub(crate) fn is_own(&self, path: &Path) -> bool {
        let (Some(name), Some(own)) = (path.file_name(), self.store.file_name()) else { return false };
        let rest = name.as_encoded_bytes().strip_prefix(own.as_encoded_bytes());
        path.parent() == self.store.parent()
            && rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'.' | b'-')))
    }

    /// Where the files of a run are.
    fn folder(&self, run: &str) -> PathBuf {
        let mut folder = self.store.as_os_str().to_owned();
        folder.push(".files");
        // Not the id alone, which may be `..`.
        PathBuf::from(folder).join(format!("run-{run}"))
    }

    /// Where a file of a run is.
    pub(crate) fn path_of(&self, run: &str, file: &FileName) -> PathBuf {
        self.folder(run).join(&file.0)
    }
}

/// The desk of one call.
pub(crate) struct Desk {
    pub(crate) job: Job,
    ctx: Ctx,
}

/// Does file work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    ctx: Ctx,
    work: impl FnOnce(&Desk) -> Result<T> + Send + 'static,
) -> Result<T> {
    let desk = Desk { job: ctx.run_input()?, ctx };
    tokio::task::spawn_blocking(move || work(&desk)).await?
}

impl Desk {
    /// Stops a long work when the run is stopped or the program ends.
    pub(crate) fn carry_on(&self) -> Result<()> {
        if self.ctx.is_cancelled() { Err("it was told to stop".into()) } else { Ok(()) }
    }

    pub(crate) fn path_of(&self, file: &FileName) -> PathBuf {
        self.job.path_of(self.ctx.run_id(), file)
    }

    fn folder(&self) -> PathBuf {
        self.job.folder(self.ctx.run_id())
    }

    /// Begins a file.
    pub(crate) fn write(&self, name: &str) -> Result<Draft> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(|why| at(&folder, &why))?;
        let (path, draft) = (folder.join(name), folder.join(format!("{name}.draft")));
        let name = FileName(name.to_owned());
        let out = BufWriter::new(File::create(&draft).map_err(|why| at(&draft, &why))?);
        Ok(Draft { name, path, draft, out })
    }

    /// The records of a file.
    pub(crate) fn records<const N: usize>(
        &self,
        file: &FileName,
    ) -> Result<impl Iterator<Item = Result<[Vec<u8>; N]>>> {
        let path = self.path_of(file);
        let mut fields = BufReader::new(File::open(&path).map_err(|why| at(&path, &why))?).split(0);
        Ok(std::iter::from_fn(move || {
            let record: io::Result<Vec<Vec<u8>>> = fields.by_ref().take(N).collect();
            match record {
                Ok(record) if record.is_empty() => None,
                Ok(record) => Some(record.try_into().map_err(|_| format!("{} ends too early", path.display()).into())),
                Err(why) => Some(Err(at(&path, &why))),
            }
        }))
    }

    /// A file as text.
    pub(crate) fn text(&self, file: &FileName) -> Result<impl Iterator<Item = io::Result<String>>> {
        let path = self.path_of(file);
        Ok(BufReader::new(File::open(&path).map_err(|why| at(&path, &why))?).lines())
    }

    /// Removes what nobody will read any more: all but the texts for people.
    pub(crate) fn clear_up(&self) -> Result<()> {
        for entry in fs::read_dir(self.folder())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                fs::remove_file(&path).map_err(|why| at(&path, &why))?;
            }
        }
        Ok(())
    }
}

/// A file that is being written.
pub(crate) struct Draft {
    name: FileName,
    path: PathBuf,
    draft: PathBuf,
    out: BufWriter<File>,
}

impl Draft {
    /// Adds a record. Paths and numbers have no NUL in them, so that is what ends a field.
    pub(crate) fn record(&mut self, fields: &[&[u8]]) -> Result<()> {
        for field in fields {
            self.out.write_all(field)?;
            self.out.write_all(b"\0")?;
        }
        Ok(())
    }

    /// Adds a line of text.
    pub(crate) fn line(&mut self, line: impl std::fmt::Display) -> Result<()> {
        Ok(writeln!(self.out, "{line}")?)
    }

    /// The file is whole: puts it on the disk, then under its name.
    pub(crate) fn finish(self) -> Result<FileName> {
        let Draft { name, path, draft, out } = self;
        let file = out.into_inner().map_err(|why| at(&draft, why.error()))?;
        file.sync_all().map_err(|why| at(&draft, &why))?;
        fs::rename(&draft, &path).map_err(|why| at(&path, &why))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        if cfg!(unix) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|why| at(folder, &why))?;
        }
        Ok(name)
    }
}

fn at(path: &Path, why: &io::Error) -> vastflow::BoxError {
    format!("{}: {why}", path.display()).into()
}
