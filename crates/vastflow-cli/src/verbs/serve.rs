//! `dev`, `serve` and `tokens`: the HTTP service.

use super::Context;
use super::callbacks::callbacks;
use super::worker::set_up;
use crate::args::{Dev, Serve, Sight, TokensVerb, Worker};
use crate::complaint::{Complaint, Exit};
use crate::config::Config;
use crate::desk::Desk;
use crate::log;
use crate::out::Out;
use crate::text;
use comfy_table::Cell;
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use vastflow_api::access::{MadeToken, NewToken, Scope, TokenRow};
use vastflow_core::Timestamp;
use vastflow_core::plan::Schema;
use vastflow_server::{Exporter, Limits, Service, ServiceError, TokenError, Tokens};

/// Where `dev` keeps runs when nothing else is said.
const DEV_STORE: &str = "sqlite:vastflow.db";
/// The name of the first token.
const FIRST: &str = "admin";

impl From<ServiceError> for Complaint {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Engine(error) => error.into(),
            ServiceError::Open(address) => {
                let text = format!("{address} is reached by other machines, and anybody there could do everything");
                Complaint::usage(text).next("use `serve`, which asks for tokens, or listen on 127.0.0.1")
            }
            ServiceError::Alone => {
                let text = "this service would run no nodes, and while it has the file open nobody else can: what is started would \
                            wait for ever";
                Complaint::new(Exit::Conflict, "missing-code", text)
                    .next("run `serve` of the program that has the flows; or `serve --read-only`, which only shows")
            }
            ServiceError::Bind { .. } => {
                Complaint::new(Exit::Conflict, "bind", error.to_string()).next("choose another: --listen 127.0.0.1:0")
            }
            error => Complaint::usage(error.to_string()),
        }
    }
}

impl From<TokenError> for Complaint {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Senseless => Complaint::usage(error.to_string()),
            error => Complaint::new(Exit::Failed, "tokens", error.to_string()),
        }
    }
}

/// For this machine only, without tokens.
pub(super) async fn dev(args: Dev, mut context: Context) -> Result<(), Complaint> {
    if context.config.get("store").is_none() {
        context.out.note(format!("no store is named: runs are kept in {DEV_STORE}"));
        context.config.assume_store(DEV_STORE);
    }
    context.config.set_flag("serve.listen", args.listen.as_deref())?;
    context.config.set_flag("serve.metrics_addr", args.sight.metrics_addr.as_deref())?;
    context.config.set_flag("log", args.sight.log.as_deref())?;
    log::begin(&context.config)?;
    may_listen(&context.config, true)?;
    let desk = Desk::make(&context.config).await?;
    let shows = !desk.store.capabilities().fleet && !has_work(&context)?;
    let mut service = service(&mut context, &desk, false).await?;
    if shows {
        context
            .out
            .note("this program has no flows, and nobody else works on the file while it is open: it is only shown");
        service = service.read_only();
    }
    listen(service, &Door { token: None, is_open: true, starts: !shows }, &context).await
}

/// For those who have a token.
pub(super) async fn serve(args: Serve, mut context: Context) -> Result<(), Complaint> {
    context.config.set_flag("serve.listen", args.listen.as_deref())?;
    context.config.set_flag("serve.metrics_addr", args.sight.metrics_addr.as_deref())?;
    context.config.set_flag("log", args.sight.log.as_deref())?;
    log::begin(&context.config)?;
    may_serve(&args, &context)?;
    let desk = Desk::make(&context.config).await?;
    let mut service = service(&mut context, &desk, args.server_only).await?;
    let mut first = None;
    if args.insecure_no_auth {
        context.out.note("anybody who reaches this service may do everything: --insecure-no-auth says so");
        service = service.insecure_no_auth();
    } else {
        let tokens = tokens_of(&context.config)?;
        first = first_token(&tokens, &context)?;
        service = service.tokens(tokens);
    }
    if args.read_only {
        service = service.read_only();
    }
    if let Some(path) = &args.base_path {
        service = service.base_path(path);
    }
    service = args.host.iter().fold(service, |service, name| service.host(name));
    if let Some(audit) = &args.audit {
        service = service.audit(audit);
    }
    if let (Some(chain), Some(key)) = (&args.tls_chain, &args.tls_key) {
        service = service.tls(chain, key);
    }
    let door = Door { token: first, is_open: args.insecure_no_auth, starts: !args.read_only };
    listen(service, &door, &context).await
}

/// Refuses what would be refused later, before anything is made: a store, a token.
fn may_serve(args: &Serve, context: &Context) -> Result<(), Complaint> {
    let url = context.config.store()?;
    let is_alone = vastflow_open::file_of(url).is_some() || url.starts_with("memory:");
    if is_alone && !args.read_only && (args.server_only || !has_work(context)?) {
        return Err(ServiceError::Alone.into());
    }
    for path in args.tls_chain.iter().chain(&args.tls_key) {
        std::fs::File::open(path).map_err(|why| {
            Complaint::usage(format!("cannot read {}: {why}", path.display())).next("check --tls-chain and --tls-key")
        })?;
    }
    may_listen(&context.config, false)
}

/// Whether the address can be listened on, and by somebody who lets all do everything.
fn may_listen(config: &Config, is_open: bool) -> Result<(), Complaint> {
    let at = config.listen();
    let address = std::net::TcpListener::bind(at).and_then(|listener| listener.local_addr());
    let address = address.map_err(|why| ServiceError::Bind { at: at.to_owned(), why })?;
    if is_open && !address.ip().is_loopback() {
        return Err(ServiceError::Open(address).into());
    }
    Ok(())
}

/// How people come in.
struct Door {
    /// The token that was just made and shown.
    token: Option<String>,
    /// Nobody is asked for one.
    is_open: bool,
    /// Whether runs can be started.
    starts: bool,
}

impl Door {
    /// A line that can be typed as it is printed.
    fn try_it(&self, url: &str, context: &Context) -> String {
        let token = match &self.token {
            _ if self.is_open => String::new(),
            Some(token) => format!("-H 'Authorization: Bearer {token}' "),
            None => match lying_about(&context.config) {
                Some(file) => format!("-H \"Authorization: Bearer $(cat '{file}')\" "),
                None => "-H \"Authorization: Bearer $VASTFLOW_TOKEN\" ".to_owned(),
            },
        };
        match context.own.flows.first().filter(|_| self.starts) {
            Some(own) => {
                let body = sample(&own.takes).unwrap_or_else(|| "@input.json".into());
                format!("start a run: curl {token}-d {body} {url}/flow/{}", own.plan.flow())
            }
            None if self.starts => format!("start a run: curl {token}-d @input.json {url}/flow/FLOW"),
            None => format!("list the runs: curl {token}{url}/api/v1/runs"),
        }
    }
}

/// A value that a flow takes, as a word of a shell; none where that cannot be told.
fn sample(takes: &Schema) -> Option<String> {
    fn value(takes: &Schema) -> Option<serde_json::Value> {
        Some(match takes {
            Schema::Nothing | Schema::Maybe(_) => json!(null),
            Schema::Bool => json!(true),
            Schema::Int => json!(1),
            Schema::Float => json!(1.5),
            Schema::Text => json!("text"),
            Schema::List(of) => json!([value(of)?]),
            Schema::Map(of) => json!({ "key": value(of)? }),
            Schema::Tuple(parts) => parts.iter().map(value).collect::<Option<Vec<_>>>()?.into(),
            Schema::Fields(fields) => {
                let needed = fields.iter().filter(|(_, takes)| !matches!(takes, Schema::Maybe(_)));
                let members = needed.map(|(name, takes)| Some((name.to_string(), value(takes)?)));
                serde_json::Value::Object(members.collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
    if takes.is_any() {
        return Some("hallo".into());
    }
    let text = value(takes)?.to_string();
    (!text.contains('\'')).then(|| format!("'{text}'"))
}

/// Without code there is nothing that it could do itself, but for telling how runs ended.
fn has_work(context: &Context) -> Result<bool, Complaint> {
    Ok(context.own.has_code() || callbacks(&context.config)?.is_some())
}

async fn service(context: &mut Context, desk: &Desk, server_only: bool) -> Result<Service, Complaint> {
    let typed = Worker { slots: None, name: None, lease: None, sight: Sight::default() };
    let engine = set_up(context.engine(desk), &typed, context);
    let has_work = has_work(context)?;
    let callbacks = callbacks(&context.config)?;
    let mut limits = Limits::default();
    limits.connections_each = context.config.connections_each().unwrap_or(limits.connections_each);
    let service = callbacks.into_iter().fold(Service::new(engine).limits(limits), Service::callbacks);
    #[cfg(feature = "dashboard")]
    let service = service.dashboard();
    Ok(if server_only || !has_work { service.server_only() } else { service })
}

/// Listens, and says where. A token that was just made is in the address to open, behind the `#`: browsers send that to nobody.
async fn listen(service: Service, door: &Door, context: &Context) -> Result<(), Complaint> {
    let listening = service.bind(context.config.listen()).await?;
    let _exporter = match context.config.get("serve.metrics_addr") {
        Some(at) => Some(told(listening.export(at).await?, context)),
        None => None,
    };
    let url = listening.url();
    let open = door.token.as_ref().map(|token| format!("{url}/#token={token}"));
    if context.out.is_json() {
        context.out.json(json!({ "url": url, "sign_in": open }));
    } else {
        context.out.say(&url);
        if cfg!(feature = "dashboard") {
            context.out.note(format!("see it in a browser: {}", open.unwrap_or_else(|| format!("{url}/"))));
        }
        context.out.note(door.try_it(&url, context));
        context.out.note(format!("all that can be asked: {url}/api/v1/docs; Ctrl-C ends it"));
    }
    Ok(listening.run().await?)
}

/// Metrics on an address of their own: says where.
pub(super) fn told(exporter: Exporter, context: &Context) -> Exporter {
    context.out.note(format!("metrics: http://{}/metrics", exporter.address()));
    exporter
}

fn tokens_of(config: &Config) -> Result<Tokens, Complaint> {
    Ok(Tokens::open(config.tokens())?)
}

/// Where there is no token yet, one is made, so that somebody can come in.
fn first_token(tokens: &Tokens, context: &Context) -> Result<Option<String>, Complaint> {
    if !tokens.list().is_empty() {
        if let Some(first) = lying_about(&context.config) {
            context.out.note(format!("the first token still lies in {first}: take it, and delete the file"));
        }
        return Ok(None);
    }
    let scopes = vec![Scope::Admin, Scope::PayloadRead];
    let made = tokens.make(NewToken { name: FIRST.into(), scopes, flows: Vec::new(), days: None })?;
    let file = context.config.tokens();
    // What is noted goes to standard error, and the token with it.
    if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
        context.out.note(format!("{file} had no token, so this one was made; it is shown this once"));
        match context.out.is_json() {
            true => context.out.json(json!({ "token": made.token })),
            false => context.out.say(&made.token),
        }
        return Ok(Some(made.token));
    }
    // What is said where nobody looks is kept: in journals and files that others read.
    let first = first_file(&context.config);
    keep(&made.token, &first)?;
    context.out.note(format!(
        "{file} had no token, so one was made; it stands in {first}, which its owner alone can read: take it, and delete the file"
    ));
    if context.out.is_json() {
        context.out.json(json!({ "token_file": first }));
    }
    Ok(None)
}

/// Where the first token is put when nobody looks.
fn first_file(config: &Config) -> String {
    format!("{}.first", config.tokens())
}

/// The file with the first token, if nobody has deleted it: who can read it, may do everything.
pub(super) fn lying_about(config: &Config) -> Option<String> {
    let first = first_file(config);
    std::path::Path::new(&first).exists().then_some(first)
}

/// Writes a token into a new file that its owner alone can read. What lies there is replaced, whatever it is.
fn keep(token: &str, path: &str) -> Result<(), Complaint> {
    let failed = |why: std::io::Error| {
        let text = format!("the first token cannot be written to {path}: {why}");
        Complaint::new(Exit::Failed, "tokens", text)
            .next("vastflow tokens make admin --scope admin --scope payload:read")
    };
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(failed(why)),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| writeln!(file, "{token}").and_then(|()| file.sync_all()));
    written.map_err(failed)
}

pub(super) fn tokens(verb: TokensVerb, context: &Context) -> Result<(), Complaint> {
    let tokens = tokens_of(&context.config)?;
    let out = context.out;
    match verb {
        TokensVerb::Ls => print_tokens(&tokens.list(), out),
        TokensVerb::Make { name, scope, flow, days } => {
            print_made(&tokens.make(NewToken { name, scopes: scope, flows: flow, days })?, out);
        }
        TokensVerb::Revoke { id } => {
            if !tokens.revoke(&id)? {
                let text = format!("there is no token {id:?}");
                return Err(Complaint::new(Exit::NotFound, "unknown-token", text).next("vastflow tokens ls"));
            }
            print_revoked(&id, out);
        }
    }
    Ok(())
}

pub(super) fn print_tokens(rows: &[TokenRow], out: Out) {
    if out.is_json() {
        out.json(json!({ "tokens": rows }));
        return;
    }
    let mut table = out.table(&["id", "name", "may", "flows", "ends"]);
    for row in rows {
        let may: Vec<&str> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        let ends = Timestamp::from_millis(row.expires_at_ms);
        table.add_row([
            Cell::new(&row.id),
            Cell::new(&row.name),
            Cell::new(may.join(", ")),
            Cell::new(if row.flows.is_empty() { "all".into() } else { row.flows.join(", ") }),
            Cell::new(if ends <= text::now() { "over".into() } else { text::utc(ends) }),
        ]);
    }
    out.show(&mut table, "there are no tokens; `serve` makes the first, or `tokens make`");
}

pub(super) fn print_made(made: &MadeToken, out: Out) {
    if out.is_json() {
        out.json(json!({ "row": made.row, "token": made.token }));
    } else {
        out.say(&made.token);
        out.note(format!("made {} for {}; the token is shown this once", made.row.id, made.row.name));
    }
}

pub(super) fn print_revoked(id: &str, out: Out) {
    match out.is_json() {
        true => out.json(json!({ "revoked": id })),
        false => out.note(format!("{id} is worth nothing any more; services learn that within a second")),
    }
}
