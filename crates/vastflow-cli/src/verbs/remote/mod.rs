//! The verbs at a service: the same words, the same answers, without the store.

mod back;
mod flows;
mod runs;
mod show;

use super::{Context, LOOK, fleet, looking};
#[cfg(feature = "serve")]
use crate::args::TokensVerb;
use crate::args::{Verb, Watch};
use crate::complaint::{Complaint, exit_of};
use crate::desk::{the_only, unknown_run};
use crate::out::Out;
use crate::text;
use vastflow_api::run::RunRow;
use vastflow_client::{Client, ClientError, Runs};

impl From<ClientError> for Complaint {
    fn from(error: ClientError) -> Self {
        let code = error.code().to_owned();
        let complaint = Complaint::new(exit_of(&code), &code, error.to_string());
        match code.as_str() {
            "unauthenticated" | "token-invalid" | "token-expired" => {
                complaint.next("give it a token: --token-file FILE, or $VASTFLOW_TOKEN")
            }
            "setting" if complaint.text.contains("clear text") => complaint.next("if it is meant: --insecure-http"),
            "unreachable" => complaint.next("check --server, and that `vastflow serve` runs there"),
            _ => complaint,
        }
    }
}

/// Does what was asked for at the service of this address.
pub(super) async fn answer(verb: Verb, url: &str, context: &Context) -> Result<(), Complaint> {
    let client = Client::new(url)?;
    let client = match context.config.token()? {
        Some(token) => client.token(&token),
        None => client,
    };
    let client = if context.config.insecure_http() { client.insecure_http() } else { client };
    let remote = Remote { client, context };
    match verb {
        Verb::Start(args) => remote.start(args).await,
        Verb::Runs(verb) => remote.runs(verb).await,
        Verb::Flows(verb) => remote.flows(verb).await,
        Verb::Workers(watch) => remote.workers(watch).await,
        Verb::Queues(watch) => remote.queues(watch).await,
        #[cfg(feature = "serve")]
        Verb::Tokens(verb) => remote.tokens(verb).await,
        Verb::Doctor(_) => Err(only_a_store("doctor")),
        Verb::Store(_) => Err(only_a_store("store")),
        Verb::Worker(_) => Err(only_a_store("worker")),
        #[cfg(feature = "serve")]
        Verb::Dev(_) => Err(only_a_store("dev")),
        #[cfg(feature = "serve")]
        Verb::Serve(_) => Err(only_a_store("serve")),
        // It needs no settings, and was answered without.
        Verb::Completions { .. } => Ok(()),
    }
}

fn only_a_store(verb: &str) -> Complaint {
    let text = format!("`{verb}` needs the store itself, and a service is named");
    Complaint::usage(text).next("name the store by --store URL instead of --server")
}

/// A service, and who asks.
struct Remote<'a> {
    client: Client,
    context: &'a Context,
}

impl Remote<'_> {
    const fn out(&self) -> Out {
        self.context.out
    }

    /// The run whose id is `id`, or begins so if just one does: for looking.
    async fn pick(&self, id: &str) -> Result<RunRow, Complaint> {
        match self.client.run(id).await {
            Err(error) if error.code() == "unknown-run" => {}
            found => return Ok(found?),
        }
        let mut runs = Runs { id: Some(id.to_owned()), limit: 4, ..Runs::default() };
        let mut found = Vec::new();
        while found.len() < 4 {
            let page = self.client.runs(&runs).await?;
            found.extend(page.items);
            runs.before = page.next;
            if runs.before.is_none() {
                break;
            }
        }
        the_only(id, found, |row| row.id.as_str())
    }

    /// The same for changing it: completed only if somebody at a terminal says so.
    async fn pick_to_change(&self, id: &str) -> Result<RunRow, Complaint> {
        let row = self.pick(id).await?;
        if row.id == id {
            return Ok(row);
        }
        if self.out().asks() {
            let what = format!("there is no run {id:?}; is run {} of {} meant", row.id, row.flow);
            return self.out().confirm(&what, false).map(|()| row);
        }
        let why = format!("and what is changed has to be named whole; {} begins so", row.id);
        Err(unknown_run(id, &why).next("write the whole id"))
    }

    async fn workers(&self, watch: Watch) -> Result<(), Complaint> {
        looking(self.out(), watch, async || {
            fleet::print_workers(&self.client.workers().await?, text::now(), self.context);
            Ok(())
        })
        .await
    }

    async fn queues(&self, watch: Watch) -> Result<(), Complaint> {
        looking(self.out(), watch, async || {
            fleet::print_queues(&self.client.queues().await?.items, text::now(), self.context);
            Ok(())
        })
        .await
    }

    #[cfg(feature = "serve")]
    async fn tokens(&self, verb: TokensVerb) -> Result<(), Complaint> {
        use super::serve::{print_made, print_revoked, print_tokens};
        match verb {
            TokensVerb::Ls => print_tokens(&self.client.tokens().await?.items, self.out()),
            TokensVerb::Make { name, scope, flow, days } => {
                let new = vastflow_api::access::NewToken { name, scopes: scope, flows: flow, days };
                print_made(&self.client.make_token(&new).await?, self.out());
            }
            TokensVerb::Revoke { id } => {
                self.client.revoke_token(&id).await?;
                print_revoked(&id, self.out());
            }
        }
        Ok(())
    }
}

/// What is recorded as the one who asks is whose token it is.
fn no_other_name(by: Option<&str>) -> Result<(), Complaint> {
    match by {
        None => Ok(()),
        Some(_) => Err(Complaint::usage("a service knows who asks by the token, so --by cannot say another name")
            .next("leave out --by; --why says why")),
    }
}
