//! The dashboard beside a program: `--dashboard 127.0.0.1:8080`.

use crate::args::Args;
use crate::terminal::note;
use tokio::task::JoinHandle;
use vastflow::server::{Service, ServiceError};
use vastflow::{Engine, Result};

/// The name of the option.
pub const OPTION: &str = "--dashboard";

/// A dashboard, if one was asked for.
#[must_use = "a program ends by `.end(engine)`"]
pub struct Beside(Option<JoinHandle<Result<(), ServiceError>>>);

/// Shows the dashboard of an engine, if `--dashboard ADDRESS` was given.
///
/// # Errors
/// The address cannot be listened on, or others could reach it.
pub async fn beside(engine: &Engine, args: &Args) -> Result<Beside> {
    let Some(address) = args.option(OPTION) else { return Ok(Beside(None)) };
    let service = Service::new(engine.clone()).dashboard().bind(address).await?;
    note(format!("the dashboard: {}/", service.url()));
    Ok(Beside(Some(tokio::spawn(service.run()))))
}

impl Beside {
    /// Shuts an engine down: at once, or when somebody has seen enough of its dashboard.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn end(self, engine: Engine) -> Result<()> {
        match self.0 {
            None => engine.shutdown().await?,
            Some(service) => {
                note("the dashboard stays; Ctrl-C ends it");
                service.await??;
            }
        }
        Ok(())
    }
}
